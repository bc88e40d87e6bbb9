/** The group of readers as group(5) has it. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { readersGroup } from "../src/api/readers.ts";

const folder = mkdtempSync(join(tmpdir(), "bpk-group-"));
afterAll(() => rmSync(folder, { recursive: true }));

it.each([
  ["is found by its whole name", "root:x:0:\nbulkheads:x:7:\nbulkhead:x:998:ann,bob\n", 998],
  ["is not made up", "root:x:0:\nann:x:1000:bulkhead\n", undefined],
  ["needs a number", "bulkhead:x::\n", undefined],
])("the group %s", (_, text, number) => {
  const file = join(folder, "group");
  writeFileSync(file, text);
  expect(readersGroup(file)).toBe(number);
});

it("a machine without the file has none", () => {
  expect(readersGroup(join(folder, "nothing"))).toBeUndefined();
});
