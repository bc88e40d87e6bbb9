/** Runs the expectations that stand in a policy itself, over every pair of addresses of the two ends. */
import type { PolicyTest, TestEnd } from "@bulkhead/dialects";
import {
  addressPairs,
  decide,
  isProcess,
  type AddressedEnd,
  type InventoryIndex,
} from "@bulkhead/engine";
import {
  formatPort,
  type IpAddress,
  type PolicySet,
  type SourceSpan,
  type WorkloadId,
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
  const [from, to] = [endOf(test.from, index), endOf(test.to, index)];
  if (from.addresses.length === 0) {
    return result(false, `\`${endText(test.from)}\` has no address`);
  }
  if (to.addresses.length === 0) return result(false, `\`${endText(test.to)}\` has no address`);
  const pairs = addressPairs(index, from, to);
  if (pairs.length === 0) return result(false, "the two ends have no address family in common");
  for (const [one, other] of pairs) {
    const query = {
      source: one,
      destination: other,
      protocol,
      port,
      ...(from.process === undefined ? {} : { sourceProcess: from.process }),
      ...(to.process === undefined ? {} : { destinationProcess: to.process }),
    };
    const { verdict } = decide(set, index, query, { now, view: "shadow" });
    if ((verdict === "allow") === (expect === "allow")) continue;
    const flow = `${endText(test.from)} (${one}) → ${endText(test.to)} (${other}) ${formatPort(protocol, port)}`;
    return result(false, `${flow}: \`${verdict}\`, expected \`${expect}\``);
  }
  return result(true, expect);
}

interface NamedEnd extends AddressedEnd {
  readonly process?: WorkloadId;
}

/** Where nobody has told of the machine's addresses, these stand for them: reserved (RFC 1112 §4), and discard-only (RFC 6666). */
const SOMEWHERE_HERE: readonly IpAddress[] = ["240.0.0.0", "100::"];

function endOf(end: TestEnd, index: InventoryIndex): NamedEnd {
  if (end.kind === "address") return { addresses: [end.address], isProcess: false };
  const workload = index.workloads.get(end.workload);
  if (workload === undefined || !isProcess(workload)) {
    return { addresses: workload?.addresses ?? [], isProcess: false };
  }
  const { hostAddresses } = index.inventory;
  const own = hostAddresses.filter((address) => index.at(address).kind === "host");
  const addresses = own.length > 0 ? own : SOMEWHERE_HERE;
  return { addresses, isProcess: true, process: workload.id };
}

function endText(end: TestEnd): string {
  return end.kind === "address" ? end.address : end.workload;
}
