/** Large texts are read beside the controller: it goes on meanwhile, and what comes back says the same. */
import { expect, it } from "vitest";
import { buildPolicySet } from "@bulkhead/dialects";
import { readGiven } from "../src/policy/candidate.ts";
import { readGivenAside } from "../src/policy/parse-aside.ts";
import { INVENTORY } from "./fixtures.ts";
import { POLICY } from "./lab.ts";

const FILES = [INVENTORY, POLICY, { name: "broken.yaml", text: "kind: [\n" }];
const ASIDE = { atOnce: 0, budgetMs: 120_000 };

it("reads the same, and leaves the thread to others", async () => {
  let turns = 0;
  let isRead = false;
  const count = (): void => {
    turns += 1;
    if (!isRead) setImmediate(count);
  };
  setImmediate(count);
  const aside = await readGivenAside(FILES, ASIDE);
  isRead = true;
  expect(turns).toBeGreaterThan(1);
  const here = readGiven(FILES);
  expect(aside).toEqual(here);
  const built = [aside, here].map(({ resources }) =>
    buildPolicySet([...resources.values()], { now: 0, strict: false, mode: "enforce" }),
  );
  expect(built[0]!.set).toEqual(built[1]!.set);
});

it("what is small is read at once", async () => {
  expect(await readGivenAside(FILES)).toEqual(readGiven(FILES));
});

it("gives up what takes too long, and says so", async () => {
  const endless = [{ name: "long.yaml", text: POLICY.text.repeat(2000) }];
  await expect(readGivenAside(endless, { atOnce: 0, budgetMs: 1 })).rejects.toMatchObject({
    code: "bad-request",
    message: "to read these files takes longer than 0.001 s",
  });
});
