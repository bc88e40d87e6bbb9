/** Reachability over sets agrees with the reference on every pair, and a diff is the difference of two reachabilities. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  hasPort,
  isEmptyPorts,
  TCP,
  type IpAddress,
  type PolicySet,
  type Workload,
} from "@bulkhead/model";
import {
  diffSets,
  expandConnections,
  indexInventory,
  reach,
  type PairConnection,
  type ReachEnd,
} from "../src/index.ts";
import { allows, askable, isEnd, type Ports } from "./all-pairs.ts";
import { claim, enough, failureOf } from "./check.ts";
import { any, block, inventory, policySet, rule, stage, workload } from "./small-sets.ts";
import {
  flowArbitrary,
  inventoryArbitrary,
  NOW,
  policySetArbitrary,
  quietWorldArbitrary,
  worldArbitrary,
} from "./worlds.ts";

const samples: fc.Arbitrary<Ports[]> = fc.array(
  flowArbitrary.map(({ protocol, port }) => ({ protocol, port })),
  { minLength: 4, maxLength: 4 },
);
/** Also of a machine with processes, whose sockets nobody knows. */
const worlds = fc.oneof(worldArbitrary, quietWorldArbitrary);

function lists(
  pairs: readonly PairConnection[],
  from: ReachEnd | IpAddress,
  to: ReachEnd | IpAddress,
  { protocol, port }: Ports,
): boolean {
  return pairs.some(
    (pair) => isEnd(pair.from, from) && isEnd(pair.to, to) && hasPort(pair.ports, protocol, port),
  );
}

function withOneAddress(workload: Workload, position: number): Workload {
  return { ...workload, addresses: [`10.9.9.${position}`] };
}

/** Every protocol but TCP, by number. */
const exceptTcp = Array.from({ length: 256 }, (_, protocol) => protocol)
  .filter((protocol) => protocol !== TCP)
  .map((protocol) => ({ kind: "protocol", protocol }) as const);

describe("reach", () => {
  it("says all protocols but one the same way, whether they are listed or the one denied", () => {
    const db = "shop:app=db";
    const listed = block("listed", "ingress", db, [rule("allow", [any], exceptTcp)]);
    const denied = block("denied", "ingress", db, [
      rule("deny", [any], [{ kind: "protocol", protocol: TCP }]),
      rule("allow", [any]),
    ]);
    const index = indexInventory(
      inventory([workload("shop/web", "10.0.0.1"), workload("shop/db", "10.0.0.2", { app: "db" })]),
    );
    const at = (name: string) => ({ kind: "workload", workload: `shop/${name}` }) as const;
    for (const one of [listed, denied]) {
      const set = policySet([stage("s", "denyOverrides", [one])]);
      const found = expandConnections(reach(set, index, NOW)).find(
        ({ from, to }) => isEnd(from, at("web")) && isEnd(to, at("db")),
      );
      expect(found?.ports).toEqual({
        byProtocol: [{ protocol: TCP, intervals: [] }],
        others: true,
      });
    }
  });

  it("lists exactly the connections that decide allows", () => {
    let permitted = 0;
    const agrees = fc.property(worlds, samples, ({ set, inventory }, flows) => {
      const index = indexInventory(inventory);
      const pairs = expandConnections(reach(set, index, NOW));
      for (const { from, to } of askable(index)) {
        for (const ports of flows) {
          const expected = allows(set, index, from, to, ports);
          const got = lists(pairs, from.end, to.end, ports);
          claim(got === expected, `decide ${expected}, reach ${got}`, { from, to, ports });
          if (got) permitted++;
        }
      }
    });
    expect(failureOf(agrees, 120)).toBe("");
    expect(permitted).toBeGreaterThan(enough(1000));
  });

  it("lists a pair of workloads once, and world ranges of a pair apart from one another", () => {
    const disjoint = fc.property(worldArbitrary, ({ set, inventory }) => {
      const pairs = expandConnections(reach(set, indexInventory(inventory), NOW));
      const texts = pairs.map(({ from, to }) =>
        JSON.stringify([from, to], (_, value) => (typeof value === "bigint" ? `${value}` : value)),
      );
      claim(new Set(texts).size === texts.length, "a pair twice", texts);
      claim(
        pairs.every(({ ports }) => !isEmptyPorts(ports)),
        "nothing permitted",
      );
    });
    expect(failureOf(disjoint, 100)).toBe("");
  });

  it("sees workloads that have no address yet", () => {
    const sameWithout = fc.property(policySetArbitrary, inventoryArbitrary, (set, inventory) => {
      // Prefixes that match workloads need addresses; without them an address makes no difference.
      const byName: PolicySet = {
        ...set,
        stages: set.stages.map((stage) => ({
          ...stage,
          blocks: stage.blocks.map((block) => ({
            ...block,
            rules: block.rules.map((rule) => ({
              ...rule,
              peers: rule.peers.filter((peer) => peer.kind !== "cidr" || !peer.matchesWorkloads),
            })),
          })),
        })),
      };
      const bare = {
        ...inventory,
        workloads: inventory.workloads.map((workload) => ({ ...workload, addresses: [] })),
      };
      const addressed = { ...inventory, workloads: inventory.workloads.map(withOneAddress) };
      const between = (world: typeof inventory) =>
        expandConnections(reach(byName, indexInventory(world), NOW)).filter(
          ({ from, to }) => from.kind === "workload" && to.kind === "workload",
        );
      const [without, having] = [between(bare), between(addressed)];
      claim(JSON.stringify(without) === JSON.stringify(having), "differs", { without, having });
    });
    expect(failureOf(sameWithout, 100)).toBe("");
  });
});

describe("diffSets", () => {
  it("lists what one set permits and the other does not", () => {
    let changed = 0;
    const agrees = fc.property(
      worlds,
      policySetArbitrary,
      samples,
      ({ set, inventory }, other, flows) => {
        const index = indexInventory(inventory);
        const { added, removed } = diffSets(set, other, index, NOW);
        const [plus, minus] = [expandConnections(added), expandConnections(removed)];
        for (const { from, to } of askable(index)) {
          for (const ports of flows) {
            const was = allows(set, index, from, to, ports);
            const is = allows(other, index, from, to, ports);
            const about = { from, to, ports };
            claim(lists(plus, from.end, to.end, ports) === (is && !was), "added", about);
            claim(lists(minus, from.end, to.end, ports) === (was && !is), "removed", about);
            if (was !== is) changed++;
          }
        }
      },
    );
    expect(failureOf(agrees, 80)).toBe("");
    expect(changed).toBeGreaterThan(enough(500));
  });

  it("judges each side by the labels of its own", () => {
    let changed = 0;
    const agrees = fc.property(worlds, samples, ({ set, inventory }, flows) => {
      const last = inventory.workloads.at(-1);
      // Everybody has the labels and the namespace of the one before him.
      const workloads = inventory.workloads.map((workload, at) => {
        const { labels, namespace } = inventory.workloads[at - 1] ?? last!;
        return { ...workload, labels, namespace };
      });
      const [index, old] = [inventory, { ...inventory, workloads }].map(indexInventory);
      const { added, removed } = diffSets(set, set, index!, NOW, "live", old);
      const [plus, minus] = [expandConnections(added), expandConnections(removed)];
      for (const { from, to } of askable(index!)) {
        for (const ports of flows) {
          const was = allows(set, old!, from, to, ports);
          const is = allows(set, index!, from, to, ports);
          const about = { from, to, ports };
          claim(lists(plus, from.end, to.end, ports) === (is && !was), "added", about);
          claim(lists(minus, from.end, to.end, ports) === (was && !is), "removed", about);
          if (was !== is) changed++;
        }
      }
    });
    expect(failureOf(agrees, 40)).toBe("");
    expect(changed).toBeGreaterThan(enough(50));
  });

  it("is empty between a set and itself", () => {
    const empty = fc.property(worldArbitrary, ({ set, inventory }) => {
      const { added, removed } = diffSets(set, set, indexInventory(inventory), NOW);
      claim(added.length + removed.length === 0, "a difference", { added, removed });
    });
    expect(failureOf(empty, 50)).toBe("");
  });
});
