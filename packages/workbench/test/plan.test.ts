import { parseFiles, type Resource } from "@bulkhead/dialects";
import {
  formatPorts,
  type Edge,
  type FlowEnd,
  type Inventory,
  type Workload,
} from "@bulkhead/model";
import { describe, expect, it } from "vitest";
import { plan, type Plan, type PlanInput } from "../src/index.ts";

const NOW = Date.UTC(2026, 2, 31, 17);

function workload(name: string, host: number): Workload {
  return {
    id: `shop/${name}`,
    namespace: "shop",
    name,
    kind: "netns",
    labels: { app: name },
    addresses: [`10.0.0.${host}`],
    namedPorts: [],
    hostNetwork: false,
  };
}

const workloads = [workload("web", 1), workload("db", 2), workload("intruder", 66)];
const inventory: Inventory = {
  workloads,
  namespaces: [{ name: "shop", labels: { "kubernetes.io/metadata.name": "shop" } }],
  hostAddresses: ["10.0.0.254"],
};
const endpoints: PlanInput["endpoints"] = workloads.map(({ id, addresses }, index) => ({
  workload: id,
  kind: "netns",
  interface: `veth${index}`,
  ifindex: index + 2,
  mac: `02:00:00:00:00:0${index}`,
  addresses,
  netnsPath: `/run/netns/${id}`,
}));

function end(name: string): FlowEnd {
  const one = workloads.find((candidate) => candidate.name === name);
  if (one === undefined) throw new Error(`no workload ${name}`);
  return { address: one.addresses[0] ?? "", workload: one.id, name: one.id, labels: one.labels };
}

function edge(from: string, to: string, port: number): Edge {
  return {
    source: end(from),
    destination: end(to),
    protocol: 6,
    port,
    verdict: "forwarded",
    connections: 10,
    established: 10,
    failed: 0,
    bytes: 10_000,
    packets: 80,
    firstSeen: NOW - 10_000,
    lastSeen: NOW,
    windows: 10,
  };
}

const seen = [edge("web", "db", 5432), edge("intruder", "db", 5432), edge("web", "db", 9187)];

const DENY = `apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: default-deny, namespace: shop }
spec: { subject: "", ingress: [], egress: [] }
`;
const INTENT = `---
apiVersion: bulkhead.dev/v1
kind: Intent
metadata: { name: web-to-db, namespace: shop }
spec: { from: app=web, to: app=db, ports: [5432/tcp] }
`;
const TESTS = `---
apiVersion: bulkhead.dev/v1
kind: PolicyTest
metadata: { name: shop, namespace: shop }
spec:
  tests:
    - { name: web reaches db, from: web, to: db, port: 5432/tcp, expect: allow }
    - { name: nobody else does, from: intruder, to: db, port: 5432/tcp, expect: deny }
    - { name: metrics are scraped, from: web, to: db, port: 9187/tcp, expect: allow }
    - { name: ghosts are denied, from: ghost, to: db, port: 1/tcp, expect: deny }
`;

function read(text: string): readonly Resource[] {
  const { resources, diagnostics } = parseFiles([{ name: "policy.yaml", text }]);
  expect(diagnostics).toEqual([]);
  return resources;
}

function planned(before: string, after: string, over: Partial<PlanInput> = {}): Plan {
  return plan({
    before: read(before),
    after: read(after),
    inventory,
    endpoints,
    edges: seen,
    mode: "enforce",
    strict: false,
    now: NOW,
    ...over,
  });
}

/** The parts that a person compares, small enough to read. */
function told(result: Plan) {
  const ends = (item: Plan["newlyDenied"][number]): string =>
    `${item.edge.source.name} → ${item.edge.destination.name} ${item.edge.port}`;
  return {
    resources: result.resources,
    addedPorts: result.permitted.added.map((connection) => formatPorts(connection.ports)),
    removed: result.permitted.removed.length,
    newlyDenied: result.newlyDenied.map(ends),
    newlyAllowed: result.newlyAllowed.map(ends),
    unchanged: result.unchanged,
    tests: result.tests.map(
      (test) => `${test.passed ? "pass" : "fail"} ${test.test}: ${test.message}`,
    ),
    diagnostics: result.diagnostics.map((diagnostic) => diagnostic.code),
    idle: result.idle,
  };
}

describe("a plan", () => {
  it("from nothing to least privilege", () => {
    expect(told(planned("", DENY + INTENT + TESTS))).toMatchObject({
      resources: {
        added: ["Intent/shop/web-to-db", "Policy/shop/default-deny", "PolicyTest/shop/shop"],
        changed: [],
        removed: [],
        unchanged: [],
      },
      addedPorts: [],
      newlyDenied: ["shop/intruder → shop/db 5432", "shop/web → shop/db 9187"],
      newlyAllowed: [],
      unchanged: 1,
      tests: [
        "pass web reaches db: allow",
        "pass nobody else does: deny",
        "fail metrics are scraped: shop/web (10.0.0.1) → shop/db (10.0.0.2) 9187/tcp: `drop`, expected `allow`",
        "fail ghosts are denied: `shop/ghost` has no address",
      ],
      idle: false,
    });
  });

  it("of one more port allows exactly that, and removes nothing", () => {
    const more = INTENT.replace("[5432/tcp]", "[5432/tcp, 9187/tcp]");
    expect(told(planned(DENY + INTENT, DENY + more))).toMatchObject({
      resources: {
        added: [],
        changed: ["Intent/shop/web-to-db"],
        removed: [],
        unchanged: ["Policy/shop/default-deny"],
      },
      addedPorts: ["9187/tcp"],
      removed: 0,
      newlyDenied: [],
      newlyAllowed: ["shop/web → shop/db 9187"],
      unchanged: 2,
    });
  });

  it("of the same words in other places is idle", () => {
    expect(planned(DENY + INTENT, `# moved\n\n${INTENT.slice(4)}---\n${DENY}`).idle).toBe(true);
  });

  it("of a removal names it", () => {
    expect(told(planned(DENY + INTENT, DENY))).toMatchObject({
      resources: { removed: ["Intent/shop/web-to-db"] },
      newlyDenied: ["shop/web → shop/db 5432"],
      removed: 1,
    });
  });

  it("in audit denies nothing that is live", () => {
    const result = planned("", DENY, { mode: "audit" });
    expect(told(result)).toMatchObject({ newlyDenied: [], removed: 0, unchanged: 3, idle: false });
  });

  it("counts the room it takes for who is attached, and none without anybody", () => {
    expect(planned("", DENY + INTENT).capacity.exactEntries).toBeGreaterThan(0);
    expect(planned("", DENY + INTENT, { endpoints: [] }).capacity).toMatchObject({
      subjects: 0,
      classes: 0,
      exactEntries: 0,
    });
  });
});
