/** Proofs hold for every pair that can be asked about, and what they find instead is there by the reference too. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  cidrRange,
  formatPorts,
  hasPort,
  parseIp,
  rangeContains,
  type Cidr,
  type FlowQuery,
  type IpAddress,
  type PolicySet,
} from "@bulkhead/model";
import {
  blastRadius,
  NOBODY_CONFINED,
  reachGraph,
  type Confinement,
  decide,
  expandConnections,
  findDifference,
  findPath,
  indexInventory,
  isProcess,
  reach,
  type Hop,
  type InventoryIndex,
  type PairConnection,
  type ReachEnd,
  type Selection,
} from "../src/index.ts";
import { allows, askable, endsOf, isEnd, type Asked } from "./all-pairs.ts";
import { claim, enough, failureOf } from "./check.ts";
import {
  block,
  chosen,
  cidr,
  inventory as inventoryOf,
  nativeSet,
  rule,
  tcp,
  workload,
} from "./small-sets.ts";
import {
  flowArbitrary,
  NOW,
  policySetArbitrary,
  PREFIXES,
  quietWorldArbitrary,
  worldArbitrary,
} from "./worlds.ts";

const OPTIONS = { now: NOW, view: "live" } as const;
/** Who has no address at all meets nobody, and nothing could be told of them. */
const worlds = fc.oneof(worldArbitrary, quietWorldArbitrary).map(({ set, inventory }) => ({
  set,
  inventory: {
    ...inventory,
    workloads: inventory.workloads.filter((one) => isProcess(one) || one.addresses.length > 0),
  },
}));
const samples = fc.array(
  flowArbitrary.map(({ protocol, port }) => ({ protocol, port })),
  { minLength: 4, maxLength: 4 },
);

/** Which of the workloads, by position. */
const choice = fc.record({
  workloads: fc.array(fc.boolean(), { minLength: 10, maxLength: 10 }),
  host: fc.boolean(),
  prefixes: fc.subarray([...PREFIXES], { maxLength: 2 }),
});
type Choice = typeof choice extends fc.Arbitrary<infer T> ? T : never;

function selectionOf({ workloads, host, prefixes }: Choice, index: InventoryIndex): Selection {
  const ids = [...index.workloads.keys()].filter((_, position) => workloads[position]);
  return { workloads: new Set(ids), host, ranges: prefixes.map(cidrRange) };
}

function isSelected({ end }: Asked, { workloads, host, ranges }: Selection): boolean {
  if (typeof end === "string") return ranges.some((range) => rangeContains(range, parseIp(end)!));
  return end.kind === "workload" ? workloads.has(end.workload) : host;
}

function holdsEnd({ workloads, host, ranges }: Selection, end: ReachEnd, at: IpAddress): boolean {
  switch (end.kind) {
    case "workload":
      return workloads.has(end.workload);
    case "host":
      return host;
    case "world": {
      const address = parseIp(at)!;
      return (
        rangeContains(end.range, address) && ranges.some((range) => rangeContains(range, address))
      );
    }
  }
}

function isAllowed(set: PolicySet, index: InventoryIndex, query: FlowQuery): boolean {
  return decide(set, index, query, OPTIONS).verdict === "allow";
}

/** The packet goes from the one to the other, on a port of the hop. */
function isOf({ from, to, ports, packet }: Hop, index: InventoryIndex): boolean {
  const isAt = (end: ReachEnd, address: IpAddress, process?: string) => {
    const place = index.at(address);
    if (end.kind !== "workload") return place.kind === end.kind && process === undefined;
    return end.workload === (process ?? place.workload?.id);
  };
  return (
    hasPort(ports, packet.protocol, packet.port) &&
    isAt(from, packet.source, packet.sourceProcess) &&
    isAt(to, packet.destination, packet.destinationProcess)
  );
}

/** By breadth-first search over single ends: how many connections away everybody is. */
function distances(
  pairs: readonly PairConnection[],
  everyone: readonly Asked[],
  starts: readonly Asked[],
): ReadonlyMap<Asked, number> {
  const found = new Map<Asked, number>();
  let here = starts;
  for (let hop = 1; here.length > 0; hop++) {
    const next = everyone.filter(
      (to) =>
        !found.has(to) &&
        here.some((from) =>
          pairs.some((pair) => isEnd(pair.from, from.end) && isEnd(pair.to, to.end)),
        ),
    );
    for (const one of next) found.set(one, hop);
    here = next.filter(({ end }) => typeof end !== "string" && end.kind === "workload");
  }
  return found;
}

describe("a path", () => {
  it("is found directly iff decide allows some packet, and that packet is named", () => {
    let paths = 0;
    let none = 0;
    const agrees = fc.property(worlds, choice, choice, samples, (world, a, b, flows) => {
      const { set, inventory } = world;
      const index = indexInventory(inventory);
      const [from, to] = [selectionOf(a, index), selectionOf(b, index)];
      const path = findPath(set, index, from, to, { ...OPTIONS, hops: 1 });
      if (path === null) {
        none++;
        for (const pair of askable(index)) {
          if (!isSelected(pair.from, from) || !isSelected(pair.to, to)) continue;
          for (const ports of flows) {
            claim(!allows(set, index, pair.from, pair.to, ports), "a way", { ...pair, ports });
          }
        }
        return;
      }
      paths++;
      const [hop] = path;
      claim(path.length === 1 && hop !== undefined, "more than one hop", path);
      const { source, destination } = hop.packet;
      claim(holdsEnd(from, hop.from, source), "not from there", hop.packet);
      claim(holdsEnd(to, hop.to, destination), "not to there", hop.packet);
      claim(isOf(hop, index), "another packet", hop.packet);
      claim(isAllowed(set, index, hop.packet), "denied", hop.packet);
    });
    expect(failureOf(agrees, 150)).toBe("");
    expect(Math.min(paths, none)).toBeGreaterThan(enough(20));
  });

  it("through workloads is the shortest there is, and each of its hops is allowed", () => {
    const shortest = fc.property(worlds, choice, choice, (world, a, b) => {
      const { set, inventory } = world;
      const index = indexInventory(inventory);
      // Whoever is on both sides is there already.
      const from = selectionOf({ ...a, prefixes: [] }, index);
      const other = selectionOf({ ...b, prefixes: [] }, index);
      const workloads = other.workloads.difference(from.workloads);
      const to = { ...other, workloads, host: other.host && !from.host };
      const path = findPath(set, index, from, to, { ...OPTIONS, hops: Infinity });
      const pairs = expandConnections(reach(set, index, NOW));
      const everyone = endsOf(index);
      const starts = everyone.filter((one) => isSelected(one, from));
      const away = [...distances(pairs, everyone, starts)].flatMap(([one, hops]) =>
        isSelected(one, to) ? [hops] : [],
      );
      const expected = away.length === 0 ? undefined : Math.min(...away);
      claim(path?.length === expected, `${path?.length} hops, not ${expected}`, path?.length);
      for (const [at, hop] of (path ?? []).entries()) {
        claim(isAllowed(set, index, hop.packet) && isOf(hop, index), "denied", hop.packet);
        const before = path![at - 1]?.to;
        if (before === undefined) continue;
        const stays =
          before.kind === "workload" &&
          hop.from.kind === "workload" &&
          before.workload === hop.from.workload;
        claim(stays, "he is elsewhere", hop.packet);
      }
    });
    expect(failureOf(shortest, 150)).toBe("");
  });
});

/** Who may open connections to whom, by number. */
const graphs = fc.uniqueArray(fc.tuple(fc.nat({ max: 6 }), fc.nat({ max: 6 })), {
  minLength: 7,
  maxLength: 16,
  selector: ([from, to]) => `${from} ${to}`,
});

/** Seven workloads that may do exactly that, on port 100 + the number of the one who is called. */
function worldOf(edges: readonly (readonly [number, number])[]) {
  const numbers = [0, 1, 2, 3, 4, 5, 6];
  const peer = (number: number) => chosen(`shop:app=w${number}`);
  const rules = (direction: "egress" | "ingress", number: number) =>
    edges
      .filter(([from, to]) => number === (direction === "egress" ? from : to))
      .map(([from, to]) =>
        rule("allow", [peer(direction === "egress" ? to : from)], [tcp(100 + to)]),
      );
  const blocks = numbers.flatMap((number) =>
    (["egress", "ingress"] as const).map((direction) =>
      block(`w${number}#${direction}`, direction, peer(number), rules(direction, number)),
    ),
  );
  const workloads = numbers.map((number) =>
    workload(`shop/w${number}`, `10.0.0.${number + 1}`, { app: `w${number}` }),
  );
  const index = indexInventory(inventoryOf(workloads));
  return { set: nativeSet({ application: blocks }), index };
}

/** How many hops away everybody is; absent: not at all. */
function hopsFrom(start: number, edges: readonly (readonly [number, number])[]) {
  const found = new Map([[start, 0]]);
  for (const [here, hops] of found) {
    for (const [from, to] of edges) if (from === here && !found.has(to)) found.set(to, hops + 1);
  }
  return found;
}

describe("where it is known who calls whom", () => {
  const single = (number: number) => ({
    workloads: new Set([`shop/w${number}`]),
    host: false,
    ranges: [],
  });

  it("a path is as long as the shortest way there, and no longer than asked for", () => {
    let long = 0;
    const shortest = fc.property(graphs, fc.integer({ min: 1, max: 5 }), (edges, hops) => {
      const { set, index } = worldOf(edges);
      const away = hopsFrom(0, edges).get(6);
      const path = findPath(set, index, single(0), single(6), { ...OPTIONS, hops });
      const expected = away !== undefined && away <= hops ? away : undefined;
      claim(path?.length === expected, `${path?.length} hops, not ${expected}`);
      for (const { from, to, packet } of path ?? []) {
        const numbers = [from, to].map((end) =>
          end.kind === "workload" ? Number(end.workload.slice("shop/w".length)) : -1,
        );
        claim(
          edges.some(([a, b]) => a === numbers[0] && b === numbers[1]),
          "no such edge",
          numbers,
        );
        claim(packet.port === 100 + numbers[1]!, "another port", packet);
      }
      if (path !== null && path.length > 1) long++;
    });
    expect(failureOf(shortest, 150)).toBe("");
    expect(long).toBeGreaterThan(enough(10));
  });

  it("a blast radius counts the same hops", () => {
    const agrees = fc.property(graphs, fc.integer({ min: 1, max: 5 }), (edges, hops) => {
      const { set, index } = worldOf(edges);
      const { reached, others } = blastRadius(set, index, "shop/w0", { ...OPTIONS, hops });
      const got = reached.map(({ workload: id, hop }) => `${id} ${hop}`);
      const expected = [...hopsFrom(0, edges)]
        .filter(([number, hop]) => number !== 0 && hop <= hops)
        .map(([number, hop]) => `shop/w${number} ${hop}`);
      claim(got.toSorted().join() === expected.toSorted().join(), "others", { got, expected });
      claim(others === 6, "how many there are", others);
      for (const { workload: id, via, ports } of reached) {
        const [from, to] = [via, id].map((name) => Number(name.slice("shop/w".length)));
        claim(
          edges.some(([a, b]) => a === from && b === to),
          "no such edge",
          [via, id],
        );
        claim(formatPorts(ports) === `${100 + to!}/tcp`, "other ports", ports);
      }
    });
    expect(failureOf(agrees, 100)).toBe("");
  });
});

describe("a difference", () => {
  it("is found iff one set allows some packet that the other does not, and that packet is named", () => {
    let found = 0;
    let none = 0;
    const agrees = fc.property(
      worlds,
      fc.option(policySetArbitrary, { nil: undefined }),
      samples,
      ({ set, inventory }, other, flows) => {
        const index = indexInventory(inventory);
        const against = other ?? withoutAllows(set);
        const hop = findDifference({ set, index }, { set: against, index }, OPTIONS);
        if (hop !== null) {
          found++;
          claim(isOf(hop, index), "another packet", hop.packet);
          claim(isAllowed(set, index, hop.packet), "denied by the one", hop.packet);
          claim(!isAllowed(against, index, hop.packet), "allowed by the other", hop.packet);
          return;
        }
        none++;
        for (const query of everyQuery(index, flows)) {
          const excess = isAllowed(set, index, query) && !isAllowed(against, index, query);
          claim(!excess, "a difference", query);
        }
      },
    );
    expect(failureOf(agrees, 120)).toBe("");
    expect(Math.min(found, none)).toBeGreaterThan(enough(10));
  });

  it("tells addresses of one workload apart", () => {
    const workloads = [
      workload("shop/web", ["10.0.0.1", "fd00::1"], { app: "web" }),
      workload("shop/db", ["10.0.0.2", "fd00::2"], { app: "db" }),
    ];
    const index = indexInventory(inventoryOf(workloads));
    const open = (prefix: Cidr) =>
      nativeSet({
        application: [
          block("db", "ingress", "shop:app=db", [
            rule("allow", [cidr(prefix, { matchesWorkloads: true })], [tcp(5432)]),
          ]),
        ],
      });
    const [v4, v6] = [open("10.0.0.1/32"), open("fd00::1/128")];
    // Web reaches db on the same port under both, but not from the same address.
    const hop = findDifference({ set: v4, index }, { set: v6, index }, OPTIONS);
    expect(hop?.packet).toEqual({
      source: "10.0.0.1",
      destination: "10.0.0.2",
      protocol: 6,
      port: 5432,
    });
  });

  it("is none between a set and itself", () => {
    const same = fc.property(worlds, ({ set, inventory }) => {
      const side = { set, index: indexInventory(inventory) };
      claim(findDifference(side, side, OPTIONS) === null, "a difference");
    });
    expect(failureOf(same, 40)).toBe("");
  });
});

/** Permits at most what the set does, most often less. */
function withoutAllows(set: PolicySet): PolicySet {
  return {
    ...set,
    stages: set.stages.map((stage) => ({
      ...stage,
      blocks: stage.blocks.map((block) => ({
        ...block,
        rules: block.rules.slice(0, -1),
      })),
    })),
  };
}

function* everyQuery(
  index: InventoryIndex,
  flows: readonly Pick<FlowQuery, "protocol" | "port">[],
): Iterable<FlowQuery> {
  for (const { from, to } of askable(index)) {
    for (const source of from.addresses) {
      for (const destination of to.addresses) {
        if (parseIp(source)!.family !== parseIp(destination)!.family) continue;
        for (const flow of flows) {
          yield {
            source,
            destination,
            ...flow,
            ...(from.process === undefined ? {} : { sourceProcess: from.process }),
            ...(to.process === undefined ? {} : { destinationProcess: to.process }),
          };
        }
      }
    }
  }
}

describe("a blast radius", () => {
  it("holds everybody who can be reached, at the hop of a search over single ends", () => {
    let far = 0;
    const agrees = fc.property(
      worlds,
      fc.nat(),
      fc.integer({ min: 1, max: 4 }),
      (world, n, hops) => {
        const { set, inventory } = world;
        const index = indexInventory(inventory);
        const ids = [...index.workloads.keys()];
        if (ids.length === 0) return;
        const workload = ids[n % ids.length]!;
        const blast = blastRadius(set, index, workload, { ...OPTIONS, hops });
        const hopOf = (end: Asked["end"]): number | undefined => {
          if (typeof end === "string") {
            const address = parseIp(end)!;
            return blast.world.find(({ ranges }) =>
              ranges.some((range) => rangeContains(range, address)),
            )?.hop;
          }
          if (end.kind !== "workload") return blast.host?.hop;
          return blast.reached.find((one) => one.workload === end.workload)?.hop;
        };
        const everyone = endsOf(index);
        const start: Asked = { end: { kind: "workload", workload }, addresses: [] };
        const away = distances(expandConnections(reach(set, index, NOW)), everyone, [start]);
        for (const one of everyone) {
          if (typeof one.end !== "string" && one.end.kind === "workload") {
            if (one.end.workload === workload) continue;
          }
          const expected = (away.get(one) ?? Infinity) <= hops ? away.get(one) : undefined;
          const got = hopOf(one.end);
          claim(got === expected, `hop ${got}, not ${expected}`, one.end);
          if (got !== undefined && got > 1) far++;
        }
        claim(blast.others === ids.length - 1, "the others", blast.others);
        for (const { hop, via } of blast.reached) {
          const before =
            via === workload ? 0 : blast.reached.find((one) => one.workload === via)?.hop;
          claim(before === hop - 1, "no way there", { hop, via });
        }
      },
    );
    expect(failureOf(agrees, 120)).toBe("");
    expect(far).toBeGreaterThan(enough(20));
  });
});

describe("what confining is worth", () => {
  it("is what a search over single workloads finds, whoever is confined to whomever", () => {
    let lessened = 0;
    const agrees = fc.property(
      worlds,
      fc.array(
        fc.record({ who: fc.nat(), callers: fc.array(fc.nat()), calls: fc.array(fc.nat()) }),
        { maxLength: 3 },
      ),
      ({ set, inventory }, drawn) => {
        const index = indexInventory(inventory);
        const ids = [...index.workloads.keys()];
        if (ids.length === 0) return;
        const pick = (n: number): string => ids[n % ids.length]!;
        const confined = new Map<string, Confinement>(
          drawn.map(({ who, callers, calls }) => [
            pick(who),
            { callers: new Set(callers.map(pick)), calls: new Set(calls.map(pick)) },
          ]),
        );
        const direct = new Map(
          ids.map((id) => [
            id,
            new Set(
              blastRadius(set, index, id, { ...OPTIONS, hops: 1 }).reached.map(
                ({ workload }) => workload,
              ),
            ),
          ]),
        );
        const mayOpen = (from: string, to: string): boolean =>
          from !== to &&
          direct.get(from)!.has(to) &&
          confined.get(from)?.calls.has(to) !== false &&
          confined.get(to)?.callers.has(from) !== false;
        const reached = (from: string): ReadonlySet<string> => {
          const met = new Set([from]);
          for (const here of met) for (const to of ids) if (mayOpen(here, to)) met.add(to);
          met.delete(from);
          return met;
        };
        const all = new Map(ids.map((id) => [id, reached(id)]));
        const graph = reachGraph(set, index, OPTIONS);
        for (const id of ids) {
          const got = graph.reachOf(id, confined);
          const expected = {
            direct: ids.filter((from) => mayOpen(from, id)).length,
            paths: ids.filter((from) => all.get(from)!.has(id)).length,
            blast: all.get(id)!.size,
          };
          claim(JSON.stringify(got) === JSON.stringify(expected), "reach", { id, got, expected });
        }
        const average = ids.reduce((sum, id) => sum + all.get(id)!.size, 0) / ids.length;
        claim(Math.abs(graph.averageBlast(confined) - average) < 1e-9, "average", average);
        if (graph.averageBlast(NOBODY_CONFINED) > average) lessened++;
      },
    );
    expect(failureOf(agrees, 150)).toBe("");
    expect(lessened).toBeGreaterThan(enough(20));
  });
});
