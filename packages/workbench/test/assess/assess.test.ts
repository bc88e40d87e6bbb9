/** Where to start, of a folder and of what was seen: what is worth confining, and what that is worth. */
import { expect, test } from "vitest";
import type { Edge } from "@bulkhead/model";
import { assess, assessAtDesk, policyFacts, type AssessInput } from "../../src/assess/index.ts";
import { openDesk } from "../../src/desk/index.ts";

const NOW = Date.parse("2026-11-20T12:00:00Z");

const INVENTORY = `apiVersion: bulkhead.dev/v1
kind: Inventory
metadata: { name: all, namespace: shop }
spec:
  workloads:
    - { name: web, labels: { app: web }, addresses: [10.0.0.1] }
    - { name: checkout, labels: { app: checkout }, addresses: [10.0.0.2] }
    - { name: db, labels: { app: postgres }, addresses: [10.0.0.3] }
    - { name: blog, namespace: blog, labels: { app: blog }, addresses: [10.0.1.1] }
    - { name: cms, namespace: blog, labels: { app: cms }, addresses: [10.0.1.2] }
`;

const POLICY = `---
apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: db, namespace: shop }
spec:
  subject: app=postgres
  ingress:
    - { from: [app=checkout], ports: [5432/tcp] }
`;

const desk = (text: string) => openDesk([{ name: "shop.yaml", text }], { now: NOW });

const edge = (from: string, to: string, port: number): Edge => ({
  source: { address: "10.0.0.1", name: from, workload: from, labels: {} },
  destination: { address: "10.0.0.3", name: to, workload: to, labels: {} },
  protocol: 6,
  port,
  verdict: "forwarded",
  connections: 9,
  established: 9,
  failed: 0,
  bytes: 1,
  packets: 1,
  firstSeen: NOW - 1000,
  lastSeen: NOW - 1000,
  windows: 9,
});

function seen(text: string, edges: readonly Edge[], more: Partial<AssessInput> = {}) {
  const { set, index, resources } = desk(text);
  return assess({
    set,
    index,
    now: NOW,
    edges,
    dependencies: [],
    ...policyFacts(resources),
    ...more,
  });
}

test("without a policy everybody reaches everybody, and the store comes first", () => {
  const found = seen(INVENTORY, [
    edge("shop/web", "shop/checkout", 8080),
    edge("shop/checkout", "shop/db", 5432),
  ]);
  expect(found.workloads).toBe(5);
  expect(found.averageBlast.now).toBe(4);
  expect(found.jewels[0]).toMatchObject({
    workload: "shop/db",
    store: "PostgreSQL",
    why: "answers at 5432/tcp",
    openToWorld: true,
    basis: "flows",
    callers: 1,
    now: { direct: 4, paths: 4, blast: 4 },
    // Who reaches checkout reaches the database still; an intruder in it reaches nobody any more.
    after: { direct: 1, paths: 4, blast: 0 },
    command: "suggest --flows flows.jsonl -d policies/",
  });
});

test("each number is what a policy that says so gives", () => {
  const { averageBlast, jewels } = seen(INVENTORY, [
    edge("shop/web", "shop/checkout", 8080),
    edge("shop/checkout", "shop/db", 5432),
    edge("blog/blog", "blog/cms", 80),
  ]);
  expect(jewels.map(({ workload }) => workload)).toHaveLength(5);
  // web → checkout → db, checkout → db, blog → cms: 2 + 1 + 0 + 1 + 0.
  expect(averageBlast).toEqual({ now: 4, after: 4 / 5 });
});

test("what a policy keeps away already counts, and nobody is named who cannot gain", () => {
  const { jewels } = seen(INVENTORY + POLICY, [edge("shop/checkout", "shop/db", 5432)]);
  const db = jewels.find(({ workload }) => workload === "shop/db");
  expect(db?.now).toEqual({ direct: 1, paths: 4, blast: 4 });
  expect(db?.after).toEqual({ direct: 1, paths: 4, blast: 0 });
});

test("of a folder nobody was seen: what is configured counts, else the namespace", () => {
  const deployments = ["web", "db"].map(
    (name) => `apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name}, namespace: shop }
spec:
  template:
    metadata: { labels: { app: ${name} } }
    spec:
      containers:
        - env: [{ name: DATABASE_URL, value: "postgres://db:5432/x" }]
`,
  );
  const other = deployments[0]!
    .replaceAll("web", "blog")
    .replace("namespace: shop", "namespace: blog");
  const { jewels, maturity, first } = assessAtDesk(
    desk([...deployments, other.replace("postgres://db", "postgres://nowhere")].join("---\n")),
    NOW,
    true,
  );
  expect(jewels[0]).toMatchObject({
    workload: "shop/db",
    store: "a database",
    basis: "configuration",
  });
  expect(jewels.find(({ workload }) => workload === "blog/blog")?.basis).toBe("namespace");
  expect(maturity.rows.filter(({ met }) => met === undefined).length).toBeGreaterThan(3);
  expect(first[0]?.what).toBe("confine shop/db (a database)");
});

const LIVE = {
  modes: { observe: 5, audit: 0, enforce: 0 },
  collectors: [{ host: "box", alive: true }],
  recorded: 0,
  lost: 0,
  unread: [],
  drift: "repair",
  readConfiguration: ["environment"],
} as const;

test("what hinders everything comes first", () => {
  const { first, prerequisites } = seen(INVENTORY, [], {
    live: { ...LIVE, collectors: [{ host: "box", alive: false }] },
  });
  expect(first.slice(0, 2).map(({ what }) => what)).toEqual([
    "nobody looks at the network",
    "nobody was seen to talk to anybody",
  ]);
  expect(prerequisites.find(({ kind }) => kind === "collector")?.samples).toEqual(["box"]);
});

test("what was seen and is set aside was seen all the same", () => {
  const { first, maturity } = seen(INVENTORY, [], { live: { ...LIVE, recorded: 46 } });
  expect(first[0]).toMatchObject({
    what: "nothing that was seen suggests a rule",
    command: "suggest",
  });
  expect(maturity.rows[0]).toMatchObject({ text: "flows are recorded", met: true });
});

test.each<[string, string, Partial<AssessInput>]>([
  ["labels", INVENTORY.replace("labels: { app: web }, ", ""), {}],
  ["owners", INVENTORY + POLICY, {}],
  ["tests", INVENTORY + POLICY, {}],
  ["enforcement", INVENTORY + POLICY, { live: LIVE }],
  ["losses", INVENTORY, { live: { ...LIVE, lost: 3 } }],
  ["unread", INVENTORY, { live: { ...LIVE, unread: ["no control groups"] } }],
  ["configuration", INVENTORY, { live: { ...LIVE, readConfiguration: [] } }],
  ["dns", INVENTORY, {}],
  ["clock", INVENTORY, { edges: [{ ...edge("shop/web", "shop/db", 1), lastSeen: NOW + 1e9 }] }],
  ["schedules", INVENTORY, { unreadable: ["CronJob shop/x: `99 * * * *` cannot be read"] }],
  ["exceptions", INVENTORY, { exceptions: [{ name: "Exception/shop/x", until: NOW + 1e11 }] }],
])("%s: told where it is missing, and not where it is there", (kind, text, more) => {
  const edges = [edge("shop/web", "shop/checkout", 8080)];
  const kinds = (found: ReturnType<typeof seen>) => found.prerequisites.map((one) => one.kind);
  expect(kinds(seen(text, edges, more))).toContain(kind);
  const named = edges.map((one) => ({
    ...one,
    destination: { ...one.destination, names: ["a.example"] },
  }));
  const well = { live: { ...LIVE, modes: { observe: 0, audit: 0, enforce: 5 } }, tests: 1 };
  const owned = INVENTORY + POLICY.replace("spec:", "spec:\n  owner: shop team");
  expect(kinds(seen(owned, named, well))).not.toContain(kind);
});

test("rungs are climbed one after the other", () => {
  const edges = [edge("shop/web", "shop/checkout", 8080)];
  expect(seen(INVENTORY, [], { live: LIVE }).maturity.level).toBeUndefined();
  const recorded = { ...LIVE, recorded: edges.length };
  expect(seen(INVENTORY + POLICY, edges, { live: recorded }).maturity.level).toBe("beginner");
  const all = `---
apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: all, namespace: NS }
spec: { subject: app, ingress: [] }
`;
  const walled = INVENTORY + all.replace("NS", "shop") + all.replace("NS", "blog");
  const more = { tests: 1, versioned: true };
  const enforced = { ...recorded, modes: { observe: 0, audit: 0, enforce: 5 } };
  expect(seen(walled, edges, { ...more, live: enforced }).maturity.level).toBe("intermediate");
  const proved = { ...enforced, probe: { at: NOW - 1000, failed: 0 } };
  expect(seen(walled, edges, { ...more, live: proved }).maturity.level).toBe("advanced");
  expect(seen(walled, edges, { ...more, tests: 0, live: proved }).maturity.level).toBe("beginner");
});

test("who cannot be called by all is told as that, and not as under policy", () => {
  const told = (policy: string) =>
    seen(INVENTORY + policy, []).maturity.rows.find(({ text }) => text.startsWith("half of"))?.text;
  expect(told("")).toBe("half of the workloads are not open to everybody (0 %)");
  expect(told(POLICY)).toBe("half of the workloads are not open to everybody (20 %)");
  // One that may call nobody is a wall to all others, though none of them is selected.
  const quiet = POLICY.replace(/ingress:[^]*/, "egress: []\n");
  expect(told(quiet)).toBe("half of the workloads are not open to everybody (80 %)");
});

test("an empty folder has nobody to confine", () => {
  const found = assessAtDesk(desk(""), NOW, undefined);
  expect(found).toMatchObject({ workloads: 0, jewels: [], averageBlast: { now: 0, after: 0 } });
  expect(found.first[0]?.what).toBe("nobody is known");
});

test("who keeps no data and whose confining shrinks nothing is not named", () => {
  // Everybody may call the relay; it may call nobody, so that an intruder there gains nothing.
  const inventory = ["relay", "a", "b", "c"]
    .map(
      (name, at) => `apiVersion: bulkhead.dev/v1
kind: Inventory
metadata: { name: ${name} }
spec: { workloads: [{ name: ${name}, namespace: shop, labels: { app: ${name} }, addresses: [10.0.0.${at + 1}] }] }
`,
    )
    .join("---\n");
  const silent = `---
apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: silent, namespace: shop }
spec: { subject: "app=relay", ingress: [{ from: ["app in (a,b,c)"], ports: [53/tcp] }], egress: [] }
---
`;
  const { jewels } = seen(inventory + silent, [edge("shop/a", "shop/relay", 53)]);
  expect(jewels.map(({ workload }) => workload)).not.toContain("shop/relay");
});
