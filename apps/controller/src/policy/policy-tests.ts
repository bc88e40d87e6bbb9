/** Runs the expectations that stand in the policy itself: a change that breaks one is refused. */
import type { PolicyTest, TestEnd } from "@bulkhead/dialects";
import { decide } from "@bulkhead/engine";
import { formatPort, parseIp, type IpAddress, type PolicySet } from "@bulkhead/model";
import type { World } from "../world/world.ts";

export interface TestResult {
  readonly test: string;
  readonly passed: boolean;
  readonly message: string;
  readonly source: PolicyTest["source"];
}

/** Judged as if everything were enforced: that is what the author of a test speaks of. */
export function runPolicyTests(
  tests: readonly PolicyTest[],
  set: PolicySet,
  world: World,
  now: number,
): readonly TestResult[] {
  return tests.map((test) => {
    const { name, source } = test;
    const pairs = pairsOf(test, world);
    if (pairs.length === 0) {
      const end = addressesOf(test.from, world).length === 0 ? test.from : test.to;
      return {
        test: name,
        passed: false,
        message: `\`${textOf(end)}\` has no address at present`,
        source,
      };
    }
    for (const [from, to] of pairs) {
      const query = { source: from, destination: to, protocol: test.protocol, port: test.port };
      const { verdict } = decide(set, world.index, query, { now, view: "shadow" });
      if ((verdict === "allow") !== (test.expect === "allow")) {
        const message = `${textOf(test.from)} (${from}) → ${textOf(test.to)} (${to}) ${formatPort(test.protocol, test.port)}: \`${verdict}\`, expected \`${test.expect}\``;
        return { test: name, passed: false, message, source };
      }
    }
    return {
      test: name,
      passed: true,
      message: `${test.expect}, for ${pairs.length} pairs of addresses`,
      source,
    };
  });
}

function pairsOf(
  { from, to }: PolicyTest,
  world: World,
): readonly (readonly [IpAddress, IpAddress])[] {
  return addressesOf(from, world).flatMap((source) =>
    addressesOf(to, world).flatMap((destination) =>
      parseIp(source)?.family === parseIp(destination)?.family
        ? [[source, destination] as const]
        : [],
    ),
  );
}

function addressesOf(end: TestEnd, world: World): readonly IpAddress[] {
  return end.kind === "address"
    ? [end.address]
    : (world.index.workloads.get(end.workload)?.addresses ?? []);
}

function textOf(end: TestEnd): string {
  return end.kind === "address" ? end.address : end.workload;
}
