/** Runs the expectations that stand in a policy itself, over every pair of addresses of the two ends. */
import type { PolicyTest, TestEnd } from "@bulkhead/dialects";
import {
  askedWorkload,
  decide,
  questionsBetween,
  type AskedEnd,
  type InventoryIndex,
} from "@bulkhead/engine";
import { formatPort, type PolicySet, type SourceSpan } from "@bulkhead/model";

export interface TestResult {
  readonly test: string;
  readonly passed: boolean;
  readonly message: string;
  readonly source: SourceSpan;
}

/** Judged as if everything were enforced: that is what the author of a test speaks of. */
export function runPolicyTests(
  tests: readonly PolicyTest[],
  set: PolicySet,
  index: InventoryIndex,
  now: number,
): readonly TestResult[] {
  return tests.map((test) => runTest(test, set, index, now));
}

function runTest(test: PolicyTest, set: PolicySet, index: InventoryIndex, now: number): TestResult {
  const { name, source, protocol, port, expect } = test;
  const result = (passed: boolean, message: string): TestResult => ({
    test: name,
    passed,
    message,
    source,
  });
  const [from, to] = [endOf(test.from, index), endOf(test.to, index)];
  if (from.addresses.length === 0) {
    return result(false, `\`${endText(test.from)}\` has no address`);
  }
  if (to.addresses.length === 0) return result(false, `\`${endText(test.to)}\` has no address`);
  const queries = questionsBetween(index, from, to, { protocol, port });
  if (queries.length === 0) {
    return result(false, "the two ends have no address family in common");
  }
  for (const query of queries) {
    const { verdict } = decide(set, index, query, { now, view: "shadow" });
    if ((verdict === "allow") === (expect === "allow")) continue;
    const flow = `${endText(test.from)} (${query.source}) → ${endText(test.to)} (${query.destination}) ${formatPort(protocol, port)}`;
    return result(false, `${flow}: \`${verdict}\`, expected \`${expect}\``);
  }
  return result(true, expect);
}

function endOf(end: TestEnd, index: InventoryIndex): AskedEnd {
  return end.kind === "address"
    ? { addresses: [end.address], isProcess: false }
    : askedWorkload(end.workload, index);
}

function endText(end: TestEnd): string {
  return end.kind === "address" ? end.address : end.workload;
}
