/**
 * How long a compilation takes, in processor time so that a busy machine does not spoil it. The figures are printed; what
 * is held is their growth: ten times the addresses may cost ten times the work, not a hundred times.
 */
import { describe, expect, it } from "vitest";
import type { Block, Cidr, Inventory, Peer, PolicySet, Workload } from "@bulkhead/model";
import { compile, type CompileResult } from "../src/index.ts";
import {
  any,
  block,
  chosen,
  cidr,
  inventory,
  nativeSet,
  rule,
  T0,
  tcp,
  workload,
} from "./small-sets.ts";
import { endpointOf } from "./worlds.ts";

function workloads(count: number, apps: number): Workload[] {
  return Array.from({ length: count }, (_, i) =>
    workload(`shop/w${i}`, `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`, {
      app: `a${i % apps}`,
      instance: `i${i}`,
    }),
  );
}

/** `count` policies, each isolating one app both ways and allowing two others and a prefix of the world. */
function policies(count: number, apps: number): PolicySet {
  const app = (n: number): Peer => chosen(`shop:app=a${n % apps}`);
  const blocks = Array.from({ length: count }, (_, i): Block[] => [
    block(`p${i}#in`, "ingress", `shop:app=a${i % apps}`, [
      rule("allow", [app(7 * i + 1), app(3 * i + 2)], [tcp(1000 + i)]),
      rule("allow", [cidr(`192.168.${i % 256}.0/24`)]),
    ]),
    block(`p${i}#out`, "egress", `shop:app=a${i % apps}`, [
      rule("allow", [app(5 * i + 1)], [tcp(443)]),
    ]),
  ]);
  return nativeSet({ application: blocks.flat() });
}

/** The least of three runs, in milliseconds of processor time. */
function cost(
  set: PolicySet,
  world: Inventory,
  local: number,
): { ms: number; result: CompileResult } {
  const endpoints = world.workloads.slice(0, local).map(endpointOf);
  let ms = Infinity;
  let result: CompileResult | undefined;
  for (let run = 0; run < 3; run++) {
    const start = process.cpuUsage();
    result = compile(set, world, { now: T0, revision: 1, endpoints });
    const { user, system } = process.cpuUsage(start);
    ms = Math.min(ms, (user + system) / 1000);
  }
  return { ms, result: result! };
}

describe("compile", () => {
  it("grows no faster than the number of addresses", () => {
    const small = cost(policies(50, 20), inventory(workloads(1_000, 20)), 10);
    const large = cost(policies(50, 20), inventory(workloads(10_000, 20)), 10);
    report("1k addresses × 50 policies, 10 local", small);
    report("10k addresses × 50 policies, 10 local", large);
    expect(large.result.capacity.exactEntries).toBe(10 * small.result.capacity.exactEntries);
    expect(large.ms / small.ms).toBeLessThan(40);
  });

  it("compiles a machine with a thousand workloads under a hundred policies", () => {
    const found = cost(policies(100, 100), inventory(workloads(1_000, 100)), 1_000);
    report("1k workloads × 100 policies, all local", found);
    expect(found.result.capacity).toMatchObject({ subjects: 2_000, classes: 200 });
  });

  it("puts ten thousand policies that concern everybody into one class and one row", () => {
    const blocks = Array.from({ length: 10_000 }, (_, i) =>
      block(`p${i}`, "ingress", { kind: "all-workloads" }, [rule("allow", [any], [tcp(i, i + 5)])]),
    );
    const found = cost(nativeSet({ application: blocks }), inventory(workloads(100, 10)), 10);
    report("10k policies of all × all", found);
    expect(found.result.capacity).toMatchObject({ classes: 1, rows: 1, exactEntries: 0 });
  });

  it("sweeps ten thousand prefixes of one rule", () => {
    const prefixes = Array.from(
      { length: 10_000 },
      (_, i): Cidr => `172.${16 + (i >> 12)}.${(i >> 4) & 255}.${(i & 15) * 16}/28`,
    );
    const peers = prefixes.filter((_, i) => i % 2 === 0).map((prefix) => cidr(prefix));
    const set = nativeSet({
      application: [block("p", "egress", "shop:app=a1", [rule("allow", peers)])],
    });
    const found = cost(set, inventory(workloads(100, 10)), 10);
    report("5k prefixes in one rule", found);
    expect(found.result.capacity.rangeEntries).toBe(5_000);
  });
});

function report(what: string, { ms, result }: { ms: number; result: CompileResult }): void {
  const { exactEntries, rangeEntries, rows, classes } = result.capacity;
  process.stdout.write(
    `compile, ${what}: ${ms.toFixed(0)} ms, ${classes} classes, ${rows} rows, ${exactEntries} addresses, ${rangeEntries} ranges\n`,
  );
}
