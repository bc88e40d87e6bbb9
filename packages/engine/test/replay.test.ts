/** Replay decides each recorded edge by both sets, with its ends as who they were. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  TCP,
  type Block,
  type Edge,
  type FlowEnd,
  type FlowQuery,
  type PolicySet,
} from "@bulkhead/model";
import {
  decide,
  indexInventory,
  modeOf,
  queryOf,
  replay,
  type InventoryIndex,
} from "../src/index.ts";
import { claim, enough, failureOf } from "./check.ts";
import { block, chosen, inventory, nativeSet, rule, T0, workload } from "./small-sets.ts";
import { aimed, flowsArbitrary, MOMENTS, worldArbitrary } from "./worlds.ts";

const web = workload("shop/web", "10.0.0.1", { app: "web" });
const db = workload("shop/db", "10.0.0.2", { app: "db" });
const node = workload("ops/node", "10.0.0.77", { app: "web" }, { hostNetwork: true });
const open = nativeSet({});
const onlyWeb = nativeSet({
  application: [block("db", "ingress", "shop:app=db", [rule("allow", [chosen("shop:app=web")])])],
});

function end(address: string, id?: string, labels = {}): FlowEnd {
  return { address, name: id ?? "world", labels, ...(id !== undefined && { workload: id }) };
}

function edge(source: FlowEnd, destination: FlowEnd): Edge {
  return {
    source,
    destination,
    protocol: TCP,
    port: 5432,
    verdict: "forwarded",
    connections: 7,
    established: 7,
    failed: 0,
    bytes: 1,
    packets: 1,
    firstSeen: 1,
    lastSeen: 2,
    windows: 1,
  };
}

describe("replay", () => {
  const index = indexInventory(inventory([web, db, node]));
  const toDb = (source: FlowEnd) => edge(source, end("10.0.0.2", "shop/db", { app: "db" }));

  it("tells what is newly denied, newly allowed and unchanged, with both decisions", () => {
    const edges = [toDb(end("10.0.0.1", "shop/web", { app: "web" })), toDb(end("192.0.2.1"))];
    const forward = replay(open, onlyWeb, edges, index, T0);
    expect(forward.newlyDenied).toMatchObject([
      { edge: edges[1], before: { verdict: "allow" }, after: { verdict: "drop" } },
    ]);
    expect(forward).toMatchObject({ newlyAllowed: [], unchanged: 1 });
    const back = replay(onlyWeb, open, edges, index, T0);
    expect(back.newlyAllowed).toMatchObject([
      { edge: edges[1], before: { verdict: "drop" }, after: { verdict: "allow" } },
    ]);
    expect(back).toMatchObject({ newlyDenied: [], unchanged: 1 });
  });

  it("judges a workload that moved by who it is, and one that is gone by the labels it had", () => {
    const moved = toDb(end("10.0.0.200", "shop/web", { app: "old" }));
    const gone = toDb(end("10.0.0.201", "shop/web-7", { app: "web" }));
    const stranger = toDb(end("10.0.0.202", "shop/job", { app: "job" }));
    const { newlyDenied, unchanged } = replay(open, onlyWeb, [moved, gone, stranger], index, T0);
    expect(newlyDenied.map((one) => one.edge)).toEqual([stranger]);
    expect(unchanged).toBe(2);
  });

  it("does not take an address's new owner for the old one", () => {
    // 10.0.0.1 was the intruder's when this was seen; it is the web server's now.
    const reused = toDb(end("10.0.0.1", "evil/intruder", { app: "other" }));
    expect(replay(open, onlyWeb, [reused], index, T0).newlyDenied).toHaveLength(1);
  });

  it("does not make a confined workload of one on the host's network", () => {
    const fromNode = toDb(end("10.0.0.77", "ops/node", { app: "web" }));
    expect(replay(open, onlyWeb, [fromNode], index, T0).newlyDenied).toHaveLength(1);
    const inShop = nativeSet({
      application: [
        block("db", "ingress", "shop:app=db", [rule("allow", [chosen("ops:app=web")])]),
      ],
    });
    expect(replay(open, inShop, [fromNode], index, T0).newlyDenied).toHaveLength(1);
  });

  it("asks the view it is told to ask", () => {
    const staged = nativeSet({
      application: [block("db", "ingress", "shop:app=db", [], { enforce: "staged" })],
    });
    const edges = [toDb(end("192.0.2.1"))];
    expect(replay(open, staged, edges, index, T0).unchanged).toBe(1);
    expect(replay(open, staged, edges, index, T0, "shadow").newlyDenied).toHaveLength(1);
  });
});

describe("modeOf", () => {
  const index = indexInventory(inventory([web, db, node]));
  const on = block("on", "ingress", "shop:app=db", []);
  const staged = block("staged", "egress", "shop:", [], { enforce: "staged" });

  it("is enforce where one policy in force selects, audit where only staged ones do, else observe", () => {
    const set = nativeSet({ application: [staged, on] });
    expect(modeOf(db, set, index, T0)).toBe("enforce");
    expect(modeOf(web, set, index, T0)).toBe("audit");
    expect(modeOf(workload("ops/x", "10.0.0.9"), set, index, T0)).toBe("observe");
    expect(
      modeOf(node, nativeSet({ application: [block("all", "egress", "*:", [])] }), index, T0),
    ).toBe("observe");
  });

  it("forgets a policy the moment it expires", () => {
    const brief = nativeSet({ application: [{ ...on, expiresAt: T0 + 1 }] });
    expect(modeOf(db, brief, index, T0)).toBe("enforce");
    expect(modeOf(db, brief, index, T0 + 1)).toBe("observe");
  });
});

describe("replay of many edges", () => {
  it("says of each what decide says, also where the sets have most in common", () => {
    const seen = { denied: 0, allowed: 0, unchanged: 0 };
    const edit = fc.constantFrom(
      "nothing",
      "a block goes",
      "a line moves",
      "a rule goes",
      "a stage",
    );
    const same = fc.property(
      worldArbitrary,
      flowsArbitrary,
      edit,
      fc.nat(100),
      fc.constantFrom("live" as const, "shadow" as const),
      ({ set, inventory: there }, samples, what, n, view) => {
        const index = indexInventory(there);
        const changed = EDITS[what]!(set, n);
        const edges = aimed(there, samples).map((query) =>
          atPort(edge(seat(index, query.source), seat(index, query.destination)), query),
        );
        const found = replay(set, changed, edges, index, MOMENTS[1], view);
        const told = new Set([...found.newlyDenied, ...found.newlyAllowed].map((one) => one.edge));
        for (const one of edges) {
          const query = queryOf(one, index);
          const [before, after] = [set, changed].map((each) =>
            decide(each, index, query, { now: MOMENTS[1], view }),
          );
          const differs = (before!.verdict === "allow") !== (after!.verdict === "allow");
          claim(told.has(one) === differs, `${what}: told otherwise`, query);
        }
        for (const { edge: one, before, after } of [...found.newlyDenied, ...found.newlyAllowed]) {
          const options = { now: MOMENTS[1], view } as const;
          const query = queryOf(one, index);
          const wanted = [
            decide(set, index, query, options),
            decide(changed, index, query, options),
          ];
          claim(
            JSON.stringify([before, after]) === JSON.stringify(wanted),
            `${what}: differs`,
            query,
          );
        }
        seen.denied += found.newlyDenied.length;
        seen.allowed += found.newlyAllowed.length;
        seen.unchanged += found.unchanged;
        claim(told.size + found.unchanged === edges.length, "an edge is lost", what);
      },
    );
    expect(failureOf(same, 300)).toBe("");
    expect(seen.denied).toBeGreaterThan(enough(5));
    expect(seen.allowed).toBeGreaterThan(enough(5));
    expect(seen.unchanged).toBeGreaterThan(enough(500));
  });
});

const EDITS: Readonly<Record<string, (set: PolicySet, n: number) => PolicySet>> = {
  nothing: (set) => structuredClone(set),
  "a block goes": (set, n) =>
    inStage(set, n, (blocks) => blocks.filter((_, at) => at !== n % blocks.length)),
  "a line moves": (set, n) =>
    inStage(set, n, (blocks) =>
      blocks.map((one) => ({ ...one, source: { ...one.source, line: one.source.line + n } })),
    ),
  "a rule goes": (set, n) =>
    inStage(set, n, (blocks) => blocks.map((one) => ({ ...one, rules: one.rules.slice(1) }))),
  "a stage": ({ stages, ...set }, n) => ({
    ...set,
    stages: stages.map((stage, at) =>
      at === n % stages.length ? { ...stage, endIfApplied: "pass" } : stage,
    ),
  }),
};

function inStage(
  { stages, ...set }: PolicySet,
  n: number,
  change: (blocks: readonly Block[]) => Block[],
): PolicySet {
  const position = n % stages.length;
  const stage = stages[position]!;
  return { ...set, stages: stages.with(position, { ...stage, blocks: change(stage.blocks) }) };
}

function seat(index: InventoryIndex, address: string): FlowEnd {
  return end(address, index.at(address).workload?.id);
}

function atPort(one: Edge, { protocol, port }: FlowQuery): Edge {
  return { ...one, protocol, port };
}
