/** The PolicyTests of a folder, run against the folder: their ends may be called as in any other question. */
import type { TestEnd } from "@bulkhead/dialects";
import { runPolicyTests, type TestResult } from "../policy-tests.ts";
import type { Desk } from "./desk.ts";
import { createEndFinder } from "./ends.ts";

/** In the order of their places. */
export function testDesk(desk: Desk, now: number): readonly TestResult[] {
  const find = createEndFinder(desk);
  const end = (named: TestEnd) => {
    const found = find(named.kind === "address" ? named.address : named.workload);
    if (found.problem === undefined) return found.value;
    const { message, help } = found.problem;
    return { problem: help === undefined ? message : `${message}; ${help}` };
  };
  const addressText = (address: string) => (desk.isStandIn(address) ? "" : address);
  return runPolicyTests(desk.built.tests, desk.set, desk.index, now, { end, addressText }).toSorted(
    (a, b) =>
      a.source.file === b.source.file
        ? a.source.line - b.source.line || a.source.column - b.source.column
        : a.source.file < b.source.file
          ? -1
          : 1,
  );
}
