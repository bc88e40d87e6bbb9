/** Runs the expectations that stand in a policy itself, over every pair of addresses of the two ends. */
import type { PolicyTest, TestEnd } from "@bulkhead/dialects";
import { decide, type InventoryIndex } from "@bulkhead/engine";
import {
  formatPort,
  parseIp,
  type IpAddress,
  type PolicySet,
  type SourceSpan,
} from "@bulkhead/model";

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
  const [from, to] = [addressesOf(test.from, index), addressesOf(test.to, index)];
  if (from.length === 0) return result(false, `\`${endText(test.from)}\` has no address`);
  if (to.length === 0) return result(false, `\`${endText(test.to)}\` has no address`);
  const pairs = from.flatMap((one) =>
    to.flatMap((other) =>
      parseIp(one)?.family === parseIp(other)?.family ? [[one, other] as const] : [],
    ),
  );
  if (pairs.length === 0) return result(false, "the two ends have no address family in common");
  for (const [one, other] of pairs) {
    const query = { source: one, destination: other, protocol, port };
    const { verdict } = decide(set, index, query, { now, view: "shadow" });
    if ((verdict === "allow") === (expect === "allow")) continue;
    const flow = `${endText(test.from)} (${one}) → ${endText(test.to)} (${other}) ${formatPort(protocol, port)}`;
    return result(false, `${flow}: \`${verdict}\`, expected \`${expect}\``);
  }
  return result(true, expect);
}

function addressesOf(end: TestEnd, index: InventoryIndex): readonly IpAddress[] {
  if (end.kind === "address") return [end.address];
  return index.workloads.get(end.workload)?.addresses ?? [];
}

function endText(end: TestEnd): string {
  return end.kind === "address" ? end.address : end.workload;
}
