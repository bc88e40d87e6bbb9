/** Recorded edges that two policies decide differently, folded by who is affected. */
import { describe, expect, it } from "vitest";
import type { ReplayedEdge } from "@bulkhead/engine";
import {
  TCP,
  type Decision,
  type Determinant,
  type Edge,
  type FlowEnd,
  type Flow,
  type Inventory,
  type Labels,
  type Workload,
} from "@bulkhead/model";
import {
  createImpact,
  createSampleBook,
  determinantKey,
  determinantOf,
  MOST_SAMPLED,
  SAMPLES,
  withSamples,
} from "../../src/impact/index.ts";

function workload(id: string, labels: Labels): Workload {
  const [namespace = "", name = ""] = id.split("/");
  const base = { kind: "pod", addresses: [], namedPorts: [], hostNetwork: false } as const;
  return { id, namespace, name, labels, ...base };
}

const inventory: Inventory = {
  workloads: [
    workload("shop/web-1", { app: "web", team: "front" }),
    workload("shop/web-2", { app: "web", team: "front" }),
    workload("shop/db-0", { app: "db" }),
    workload("pay/till-0", { app: "till", owner: "money" }),
  ],
  namespaces: [
    { name: "shop", labels: { "bulkhead.dev/owner": "shopkeepers" } },
    { name: "pay", labels: {} },
  ],
  hostAddresses: [],
};

const end = (id: string, labels: Labels = {}): FlowEnd => ({
  address: `addr of ${id}`,
  workload: id,
  name: id,
  labels,
});
const outside = (address: string, ...names: string[]): FlowEnd => ({
  address,
  name: "world",
  labels: {},
  ...(names.length === 0 ? {} : { names }),
});

function edge(source: FlowEnd, destination: FlowEnd, more: Partial<Edge> = {}): Edge {
  return {
    source,
    destination,
    protocol: TCP,
    port: 5432,
    verdict: "forwarded",
    connections: 1,
    established: 1,
    failed: 0,
    bytes: 0,
    packets: 1,
    firstSeen: 10,
    lastSeen: 20,
    windows: 1,
    ...more,
  };
}

const rule = (name: string): Determinant => ({
  kind: "rule",
  stage: "application",
  policy: { kind: "Intent", namespace: "shop", name },
  rule: `Intent/shop/${name}`,
  source: { file: "p.yaml", line: 1, column: 1 },
});
const NONE: Determinant = { kind: "default" };

function decision(
  egress: Determinant,
  ingress: Determinant,
  denied?: "egress" | "ingress",
): Decision {
  const side = (direction: "egress" | "ingress", determinedBy: Determinant) => ({
    direction,
    verdict: direction === denied ? ("drop" as const) : ("allow" as const),
    determinedBy,
    logged: [],
    ambiguous: false,
  });
  return {
    verdict: denied === undefined ? "allow" : "drop",
    egress: side("egress", egress),
    ingress: side("ingress", ingress),
  };
}

const allowed = decision(NONE, NONE);
const cut = (by = "shut") => decision(NONE, rule(by), "ingress");
const denying = (one: Edge, by?: string): ReplayedEdge => ({
  edge: one,
  before: allowed,
  after: cut(by),
});
const allowing = (one: Edge): ReplayedEdge => ({ edge: one, before: cut(), after: allowed });

function impactOf(...changes: readonly (ReplayedEdge | null)[]) {
  const found = createImpact(inventory);
  for (const change of changes) found.add(change);
  return found.result();
}

const web1 = end("shop/web-1");
const web2 = end("shop/web-2");
const db = end("shop/db-0");

describe("whom a change affects", () => {
  it("is told by role, with whose it is, since when, how much, and by what", () => {
    const {
      affected,
      denied,
      allowed: opened,
      unchanged,
    } = impactOf(
      denying(edge(web1, db, { connections: 3, firstSeen: 5, lastSeen: 70 })),
      null,
      denying(edge(web2, db, { connections: 4, firstSeen: 8, lastSeen: 90, port: 5433 })),
      // As it was judged then is no other row.
      denying(edge(web2, db, { verdict: "audit", rule: "Policy/shop/old" })),
      null,
    );
    expect([denied, opened, unchanged]).toEqual([
      { edges: 3, connections: 8 },
      { edges: 0, connections: 0 },
      2,
    ]);
    expect(affected).toEqual([
      {
        change: "denied",
        source: { name: "shop/front-web", owners: ["front"], members: 2 },
        // Nobody is named by its own labels: those of its namespace.
        destination: { name: "shop/db", owners: ["shopkeepers"], members: 1 },
        ports: ["5432/tcp", "5433/tcp"],
        portCount: 2,
        edges: 3,
        connections: 8,
        firstSeen: 5,
        lastSeen: 90,
        before: NONE,
        after: rule("shut"),
        samples: [],
      },
    ]);
  });

  it("keeps apart what different rules do, and what becomes open", () => {
    const { affected } = impactOf(
      allowing(edge(web1, db, { connections: 100 })),
      denying(edge(web1, db), "a"),
      denying(edge(web1, db, { connections: 9 }), "b"),
    );
    expect(
      affected.map(({ change, connections, before, after }) => [
        change,
        connections,
        determinantKey(before),
        determinantKey(after),
      ]),
    ).toEqual([
      ["denied", 9, "default", "Intent/shop/b"],
      ["denied", 1, "default", "Intent/shop/a"],
      ["allowed", 100, "Intent/shop/shut", "default"],
    ]);
  });

  it("counts who has gone to the role of its labels, and the outside by what DNS called it", () => {
    const gone = end("shop/web-old", { app: "web", team: "front" });
    const nobody = end("shop/odd");
    const { affected } = impactOf(
      denying(edge(web1, outside("192.0.2.1", "api.example.com"), { connections: 9 })),
      denying(edge(gone, outside("192.0.2.2", "api.example.com"))),
      denying(edge(nobody, outside("192.0.2.3"))),
      denying(edge(nobody, outside("192.0.2.4"))),
    );
    expect(affected.map(({ source, destination }) => [source, destination])).toEqual([
      [
        { name: "shop/front-web", owners: ["front"], members: 2 },
        { name: "api.example.com", owners: [], members: 2 },
      ],
      [
        { name: "shop/odd", owners: ["shopkeepers"], members: 1 },
        { name: "world", owners: [], members: 2 },
      ],
    ]);
  });

  it("is short of a flood of ports, and counts all", () => {
    const scan = Array.from({ length: 500 }, (_, port) =>
      denying(edge(web1, db, { port: 1 + port, connections: port === 400 ? 5 : 1 })),
    );
    const [row] = impactOf(...scan).affected;
    expect([row?.ports.length, row?.ports[0], row?.portCount, row?.edges]).toEqual([
      8,
      "401/tcp",
      500,
      500,
    ]);
  });

  it("keeps the edges of most connections of very many", () => {
    const found = createImpact(inventory);
    for (let n = 0; n < 25_000; n++) found.add(denying(edge(web1, db, { connections: n })));
    const { newlyDenied, denied } = found.result();
    expect([newlyDenied.length, denied.edges]).toEqual([10_000, 25_000]);
    expect(Math.min(...newlyDenied.map(({ edge: { connections } }) => connections))).toBe(15_000);
  });

  it("names what denies, or what is written of what allows", () => {
    expect(determinantOf(decision(rule("out"), rule("in"), "egress"))).toEqual(rule("out"));
    expect(determinantOf(decision(rule("out"), rule("in"), "ingress"))).toEqual(rule("in"));
    expect(determinantOf(decision(rule("out"), NONE))).toEqual(rule("out"));
    expect(determinantOf(decision(rule("out"), rule("in")))).toEqual(rule("in"));
    expect(determinantOf(allowed)).toEqual(NONE);
  });
});

const flow = (source: FlowEnd, destination: FlowEnd, start: number): Flow => {
  const {
    firstSeen: _first,
    lastSeen: _last,
    windows: _windows,
    ...rest
  } = edge(source, destination);
  return { ...rest, start, end: start, sourcePort: 40_000 + start };
};

describe("samples", () => {
  it("are asked for by the latest edge as it was recorded, of the first rows alone", async () => {
    const found = createImpact(inventory);
    const recorded = { ...edge(web1, db), source: outside("10.0.0.1") };
    found.add(denying(edge(web1, db, { lastSeen: 50, connections: 1000 })), {
      ...recorded,
      lastSeen: 50,
    });
    found.add(denying(edge(web1, db, { lastSeen: 60 })), recorded);
    for (let n = 0; n < 30; n++)
      found.add(denying(edge(web1, outside("192.0.2.1", `n${n}.example`))));
    const asked: Edge[] = [];
    const { affected } = await withSamples(found.result(), (one) => {
      asked.push(one);
      return [flow(one.source, one.destination, 7)];
    });
    expect(asked).toHaveLength(MOST_SAMPLED);
    expect(asked[0]).toBe(recorded);
    expect(affected[0]?.samples).toEqual([flow(recorded.source, recorded.destination, 7)]);
    expect(affected.filter(({ samples }) => samples.length > 0)).toHaveLength(MOST_SAMPLED);
  });

  it("of an export that is read once are the latest of each edge, oldest first", () => {
    const book = createSampleBook();
    for (const start of [5, 1, 9, 7, 2]) book.add(flow(web1, db, start));
    book.add(flow(web2, db, 100));
    const starts = (one: Edge) => book.of(one).map(({ start }) => start);
    expect(starts(edge(web1, db))).toEqual([5, 7, 9]);
    expect(starts(edge(web2, db))).toEqual([100]);
    expect(starts(edge(db, web1))).toEqual([]);
    expect(SAMPLES).toBe(3);
  });
});
