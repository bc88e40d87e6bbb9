/** The demo's own view of the kernel goes by what a listing says, not by the order in which the kernel lists it. */
import { expect, test } from "vitest";
import { statementsOf } from "../steps/receipt.ts";

const listing = (...blocks: readonly string[]): string =>
  `table inet bulkhead {\n\tcomment "ours"\n${blocks.map((block) => `\t${block}\n\t}\n`).join("\n")}}\n`;
const CHAIN = "chain c {\n\t\tip saddr 10.0.0.1 drop\n\t\taccept";
const TURNED = "chain c {\n\t\taccept\n\t\tip saddr 10.0.0.1 drop";
const said = (...blocks: readonly string[]): readonly string[] =>
  statementsOf(listing(...blocks)).toSorted();

test("blocks come in any order, the first one too; rules do not", () => {
  expect(said("counter a {", "counter b {", CHAIN)).toEqual(
    said("counter b {", CHAIN, "counter a {"),
  );
  expect(said("counter a {", CHAIN)).not.toEqual(said("counter a {", TURNED));
  expect(said("counter a {")).not.toEqual(said("counter b {"));
});
