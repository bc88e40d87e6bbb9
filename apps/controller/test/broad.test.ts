/** Rules that permit more ports than were used: told with what was used, and narrowed only where all on record still passes. */
import { describe, expect, it } from "vitest";
import type { Edge, ReadinessState } from "@bulkhead/model";
import { hashText, type Revision, type StoredFile } from "@bulkhead/store";
import { broadOf } from "../src/queries/broad.ts";
import { readPolicy } from "../src/policy/reading.ts";
import { buildWorld } from "../src/world/world.ts";
import { held, INVENTORY, NOW, SHOP } from "./fixtures.ts";

const DAY = 86_400_000;
const policy = (rules: string): StoredFile => ({
  name: "db.yaml",
  text: `apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: db, namespace: shop } # the database
spec:
  subject: app=db
  ingress:
${rules}`,
});
const RANGE = policy("    - { from: [app=web], ports: [8000-8010/tcp, sql/tcp] } # the api\n");

const edge = (port: number, more: Partial<Edge> = {}): Edge => ({
  source: { address: "10.9.0.10", workload: "shop/web", name: "shop/web", labels: {} },
  destination: { address: "10.9.0.11", workload: "shop/db", name: "shop/db", labels: {} },
  protocol: 6,
  port,
  verdict: "forwarded",
  connections: 1,
  established: 1,
  failed: 0,
  bytes: 1,
  packets: 1,
  firstSeen: NOW - 5 * DAY,
  lastSeen: NOW - DAY,
  windows: 1,
  ...more,
});

interface Given {
  readonly before?: readonly Edge[];
  readonly state?: ReadinessState;
  readonly born?: number;
  readonly oldest?: number;
  readonly others?: readonly StoredFile[];
  readonly mode?: "audit" | "enforce";
}

async function broad(file: StoredFile, recent: readonly Edge[], given: Given = {}) {
  const { before = [], state = "ready", born = NOW - 90 * DAY, others = [] } = given;
  const files = [INVENTORY, file, ...others];
  const inForce = held(files, given.mode);
  const reading = readPolicy(inForce, { now: NOW, strict: false });
  const added = inForce.map(({ stored }) => stored.key);
  const subject = { kind: "group", name: "shop/db", workloads: ["shop/db", "shop/web"] };
  return broadOf({
    inForce: { held: inForce, reading },
    texts: new Map(files.map(({ text }) => [hashText(text), text])),
    world: buildWorld(reading.declared, SHOP),
    edges: [...before, ...recent],
    recent,
    revisions: [{ time: born, changes: { added, changed: [] } } as unknown as Revision],
    readiness: [{ state, subject }] as unknown as Parameters<typeof broadOf>[0]["readiness"],
    since: NOW - 30 * DAY,
    oldest: given.oldest ?? NOW - 60 * DAY,
    now: NOW,
  });
}

describe("ports that nothing used", () => {
  it("are taken out of a range, which is split; ports by name, comments and layout stay", async () => {
    const found = await broad(RANGE, [edge(8001), edge(8005), edge(5432)]);
    expect(found.rules).toMatchObject([
      {
        place: "db.yaml:7:7",
        permits: "8000-8010/tcp",
        used: "8001/tcp, 8005/tcp",
        slack: 9,
        proposed: "8001/tcp, 8005/tcp, sql/tcp",
      },
    ]);
    expect(found.patch).toBe(`--- a/db.yaml
+++ b/db.yaml
@@ -4,4 +4,4 @@
 spec:
   subject: app=db
   ingress:
-    - { from: [app=web], ports: [8000-8010/tcp, sql/tcp] } # the api
+    - { from: [app=web], ports: [8001/tcp, 8005/tcp, sql/tcp] } # the api
`);
  });

  it("are taken out where a rule names none, and where they stand in lines", async () => {
    const every = await broad(policy("    - from: [app=web]\n"), [edge(5432)]);
    // Five protocols with ports, two of ICMP, and 249 without either.
    expect(every.rules).toMatchObject([
      { permits: "all", used: "5432/tcp", slack: 5 * 65_535 + 2 * 65_536 + 249 - 1 },
    ]);
    expect(every.patch).toContain("+    - ports: [5432/tcp]\n+      from: [app=web]\n");
    const lines = policy("    - from: [app=web]\n      ports:\n        - tcp\n        - 53/udp\n");
    const { patch, rules } = await broad(lines, [edge(80), edge(81)]);
    expect(rules).toMatchObject([{ slack: 65_535 - 2 + 1, proposed: "80-81/tcp" }]);
    expect(patch).toContain(
      "       ports:\n-        - tcp\n-        - 53/udp\n+        - 80-81/tcp\n",
    );
  });

  it("are told of egress and of both ends of an Intent, as one", async () => {
    const intent: StoredFile = {
      name: "web-to-db.yaml",
      text: `apiVersion: bulkhead.dev/v1
kind: Intent
metadata: { name: web-to-db, namespace: shop }
spec:
  from: app=web
  to: app=db
  ports: [5432-5433/tcp]
`,
    };
    const { rules, patch } = await broad(intent, [edge(5432)], { mode: "audit" });
    expect(rules).toMatchObject([{ slack: 1, proposed: "5432/tcp" }]);
    expect(patch).toContain("-  ports: [5432-5433/tcp]\n+  ports: [5432/tcp]\n");
  });

  it("are none where all were used, or nothing was", async () => {
    const two = policy("    - { from: [app=web], ports: [80-81/tcp] }\n");
    expect(await broad(two, [edge(80), edge(81)])).toMatchObject({ rules: [], patch: "" });
    expect(await broad(two, [])).toMatchObject({ rules: [], patch: "" });
  });

  it("are not those that a refused connection was for, and are those of a denied one", async () => {
    const refused = edge(8002, { established: 0, failed: 1 });
    const denied = edge(8003, { verdict: "dropped" });
    const { rules } = await broad(RANGE, [edge(8001), refused, denied]);
    expect(rules).toMatchObject([{ used: "8001/tcp", slack: 10, proposed: "8001/tcp, sql/tcp" }]);
  });
});

describe("nothing is proposed", () => {
  it("that would deny what was used long before the span", async () => {
    const before = [edge(8007, { firstSeen: NOW - 50 * DAY, lastSeen: NOW - 50 * DAY })];
    const { rules } = await broad(RANGE, [edge(8001)], { before });
    expect(rules).toMatchObject([{ used: "8001/tcp", proposed: "8001/tcp, 8007/tcp, sql/tcp" }]);
    const all = Array.from({ length: 11 }, (_, at) => edge(8000 + at));
    const [only] = (await broad(RANGE, [edge(8001)], { before: all })).rules;
    expect(only).toMatchObject({ slack: 10, left: "all of it was used before that time" });
    expect(only).not.toHaveProperty("proposed");
  });

  it("that replay denies, though present labels do not tell: whoever was there has gone", async () => {
    const gone = edge(8007, {
      source: {
        address: "10.9.0.99",
        workload: "shop/web-0",
        name: "shop/web-0",
        labels: { app: "web" },
      },
    });
    const { rules, patch } = await broad(RANGE, [edge(8001)], { before: [gone] });
    expect(rules).toMatchObject([{ left: "something on record would be denied without it" }]);
    expect(patch).toBe("");
  });

  it.each([
    ["its subject is still learning", { state: "learning" }, "learning: shop/db"],
    ["it is young", { born: NOW - DAY }, "in force for less"],
    ["the record is young", { oldest: NOW - DAY }, "on record for less"],
  ] as const)("while %s", async (_when, given, tooEarly) => {
    const { rules, patch } = await broad(RANGE, [edge(8001)], given);
    expect(rules).toMatchObject([{ tooEarly }]);
    expect(rules[0]).not.toHaveProperty("proposed");
    expect(patch).toBe("");
  });

  it.each([
    ["[8000-8010/tcp, # the api\n        80/tcp]", "a comment or an anchor stands among its ports"],
    ["&api [8000-8010/tcp]", null],
  ])("where the text cannot be edited safely: %s", async (ports, why) => {
    const { rules } = await broad(policy(`    - from: [app=web]\n      ports: ${ports}\n`), [
      edge(8001),
    ]);
    expect(rules).toMatchObject([why === null ? { proposed: "8001/tcp" } : { left: why }]);
  });

  it("for a kind that is not ours", async () => {
    const kubernetes: StoredFile = {
      name: "np.yaml",
      text: `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: db, namespace: shop }
spec:
  podSelector: { matchLabels: { app: db } }
  ingress:
    - { from: [{ podSelector: {} }], ports: [{ port: 8000, endPort: 8010 }] }
`,
    };
    expect((await broad(kubernetes, [edge(8001)])).rules).toMatchObject([
      { slack: 10, left: "it is not written in a kind of ours" },
    ]);
  });
});
