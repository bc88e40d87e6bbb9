/**
 * The compiled maps say what the reference says of processes of the machine: at either end, on shared ports, over loopback,
 * in every view. Only where rules tell the machine's own addresses apart may a row by process be stricter than the reference.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { familyOf, type Decision, type Direction, type FlowQuery } from "@bulkhead/model";
import {
  compile,
  decide,
  endsOf,
  indexInventory,
  lookup,
  viewFor,
  type InventoryIndex,
} from "../src/index.ts";
import { VERDICT_STRICTNESS } from "../src/strictness.ts";
import { agrees, DIRECTIONS, looked, reported } from "./agreement.ts";
import { claim, enough, failureOf } from "./check.ts";
import {
  ADDRESSES,
  flowArbitrary,
  HOST,
  LOOPBACKS,
  MOMENTS,
  NOW,
  processWorldArbitrary,
  type World,
} from "./worlds.ts";

const MACHINE = [...HOST, ...LOOPBACKS];
const VIEWS = ["live", "shadow"] as const;

/** Flows with at least one end on the machine, and with what the kernel tells of sockets there. */
const samples = fc.array(fc.tuple(flowArbitrary, fc.nat(), fc.nat(), fc.nat()), {
  minLength: 40,
  maxLength: 40,
});

function aimed({ processes, endpoints }: World, drafts: [FlowQuery, number, number, number][]) {
  const ids = processes.map(({ workload }) => workload);
  const own = endpoints.flatMap(({ addresses }) => addresses);
  const one = <T>(list: readonly T[], n: number): T | undefined => list[n % list.length];
  return drafts.map(([flow, a, b, c]): FlowQuery => {
    const near = one(MACHINE, a)!;
    const outside = one([...own, ...ADDRESSES], b)!;
    const port = c % 3 === 0 ? flow.port : one([80, 53, 443, 8080], c)!;
    const common = { protocol: flow.protocol, port };
    const sourceProcess = one([undefined, ...ids, ...ids], a)!;
    const from = sourceProcess === undefined ? {} : { sourceProcess };
    switch (b % 4) {
      case 0:
        return { ...common, source: outside, destination: near };
      case 1: {
        // It has arrived: here the socket tells, whatever anybody has told of sockets before.
        const destinationProcess = one(ids, c)!;
        const away = MACHINE.includes(outside) ? "192.0.2.9" : outside;
        return { ...common, source: away, destination: near, destinationProcess };
      }
      case 2:
        return { ...common, source: near, destination: one(MACHINE, c)!, ...from };
      default:
        return { ...common, source: one(HOST, a)!, destination: outside, ...from };
    }
  });
}

function compiled(world: World) {
  const { endpoints, processes } = world;
  const options = { now: NOW, revision: 1, endpoints, processes };
  const result = compile(world.set, world.inventory, options);
  const index = indexInventory(world.inventory);
  return {
    ...result,
    index,
    cookieOf: new Map(result.cookies.map(({ rule, cookie }) => [rule, cookie])),
  };
}

function localEnds(world: World, index: InventoryIndex, flow: FlowQuery) {
  const addresses = new Set(world.endpoints.flatMap((endpoint) => endpoint.addresses));
  const { source, destination } = endsOf(index, flow);
  const isLocal = (end: typeof source) =>
    end.workload?.kind === "process" || (end.kind === "workload" && addresses.has(end.address));
  // A source's side knows of sockets what was told of them, and not where its packets arrive.
  const told = flow.destinationProcess === undefined;
  // No way leads from loopback to who has a network of its own, and there a process that has no policy and speaks from an
  // address that a workload claims is taken for that workload: of such packets nothing is claimed.
  const led =
    destination.workload?.kind === "process" ||
    (!(LOOPBACKS.includes(flow.source) || (source.kind === "workload" && flow.sourceProcess)) &&
      source.family === destination.family);
  // A socket that two claim is nobody's until something arrives there.
  const sure = destination.workload?.kind !== "process" || destination.rivals.length === 0;
  const heard = led && sure;
  return { egress: isLocal(source) && told, ingress: isLocal(destination) && heard, told, heard };
}

/** What the reference says of the process from whichever address of the machine that it may have. */
function alternatives(
  world: World,
  index: InventoryIndex,
  flow: FlowQuery,
  direction: Direction,
  options: Parameters<typeof decide>[3],
): Decision[] {
  // Whether it takes part in the rollout goes by the address that it has.
  const view = viewFor(world.set, flow, options.view);
  const set = { ...world.set, canary: undefined };
  const said = (source: string) =>
    decide(set, index, { ...flow, source }, { now: options.now, view });
  if (direction === "egress" || flow.sourceProcess === undefined) return [said(flow.source)];
  const toProcess = endsOf(index, flow).destination.workload?.kind === "process";
  const near = HOST.filter((address) => familyOf(address) === familyOf(flow.destination));
  return (toProcess ? MACHINE : near).map(said);
}

/** A rollout by some of the blocks. */
const rollout = fc.option(
  fc.record({ seed: fc.nat(100), share: fc.integer({ min: 1, max: 9999 }) }),
  {
    nil: undefined,
  },
);
const worlds = fc
  .tuple(processWorldArbitrary, rollout, fc.nat())
  .map(([world, canary, n]): World => {
    if (canary === undefined) return world;
    const stages = world.set.stages.map((stage) => ({
      ...stage,
      blocks: stage.blocks.map((block, i) =>
        (n >> i) % 2 === 0 ? block : { ...block, canary: true as const },
      ),
    }));
    return { ...world, set: { ...world.set, stages, canary } };
  });

describe("lookup(compile(set)) == decide(set), with processes of the machine", () => {
  it("now, down to the cookie, at every end", () => {
    const met = new Map<string, number>();
    const same = fc.property(worlds, samples, (world, drafts) => {
      const { policy, index, cookieOf } = compiled(world);
      for (const flow of aimed(world, drafts)) {
        const local = localEnds(world, index, flow);
        for (const view of VIEWS) {
          const options = { now: NOW, view };
          const said = decide(world.set, index, flow, options);
          const found = lookup(policy, view, flow, NOW);
          for (const direction of DIRECTIONS) {
            const got = looked(found[direction]);
            const about = { view, direction, flow };
            if (!local[direction]) {
              const nothing = direction === "egress" ? local.told : local.heard;
              claim(!nothing || got === "not judged", "judges somebody elsewhere", about);
              continue;
            }
            const expected = reported(said[direction], cookieOf);
            const others = alternatives(world, index, flow, direction, options).map((other) =>
              reported(other[direction], cookieOf),
            );
            const what = `decide ${expected}, lookup ${got}, elsewhere ${others.join(", ")}`;
            const by = said[direction].determinedBy;
            const where = by.kind === "exemption" ? by.exemption : by.kind;
            const who = [flow.sourceProcess ? "from" : "", flow.destinationProcess ? "to" : ""];
            const count = (name: string) => met.set(name, (met.get(name) ?? 0) + 1);
            if (others.every((other) => other === others[0])) {
              claim(agrees(got, expected), what, about);
              count(`${direction} ${where} ${who.join("")}`);
            } else {
              claim(rank(got) <= rank(expected), what, about);
              count("told apart by address");
            }
          }
        }
      }
    });
    expect(failureOf(same, 200)).toBe("");
    const rare = [...REACHED].filter(
      (name) => (met.get(name) ?? 0) < enough(RARELY.has(name) ? 2 : 8),
    );
    expect(rare).toEqual([]);
  }, 120_000);

  it("later: exact until the next change, and never more permissive after it", () => {
    let after = 0;
    const times = [...new Set(MOMENTS.flatMap((t) => [t - 1, t]))].filter((t) => t >= NOW);
    const safe = fc.property(processWorldArbitrary, samples, (world, drafts) => {
      const { policy, index, nextChangeAt } = compiled(world);
      for (const flow of aimed(world, drafts)) {
        const local = localEnds(world, index, flow);
        for (const direction of DIRECTIONS.filter((way) => local[way])) {
          for (const now of times) {
            const got = lookup(policy, "live", flow, now)[direction]?.verdict ?? "allow";
            const options = { now, view: "live" } as const;
            const expected = decide(world.set, index, flow, options)[direction].verdict;
            const others = alternatives(world, index, flow, direction, options).map(
              (other) => other[direction].verdict,
            );
            const exact =
              (nextChangeAt === null || now < nextChangeAt) &&
              others.every((other) => other === expected);
            const about = { direction, flow, after: now - NOW, got, expected };
            claim(!exact || got === expected, "differs before the next change", about);
            claim(got !== "allow" || expected === "allow", "allows longer", about);
            if (!exact && got === "allow") after++;
          }
        }
      }
    });
    expect(failureOf(safe, 100)).toBe("");
    expect(after).toBeGreaterThan(enough(100));
  }, 120_000);
});

function rank(text: string): number {
  const verdict = text.split(" ")[0]!;
  return VERDICT_STRICTNESS[verdict === "not" ? "allow" : (verdict as "allow")];
}

const RARELY = new Set(["told apart by address", "ingress node from"]);
/** All of these must have come up. */
const REACHED = new Set([
  "told apart by address",
  ...["rule", "isolation", "default"].flatMap((what) =>
    ["", "from", "to"].map((who) => `ingress ${what} ${who}`),
  ),
  ...["rule", "isolation", "default"].flatMap((what) => [`egress ${what} `, `egress ${what} from`]),
  "ingress node ",
  "ingress node from",
  "ingress hairpin from",
  "egress hairpin from",
]);
