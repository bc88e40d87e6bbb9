/** Rules that permit more than was used: told with what was used, and narrowed only where all on record still passes. */
import { describe, expect, it } from "vitest";
import type { StoredFile } from "@bulkhead/store";
import { broad, DAY, edge, policy } from "./broad-scene.ts";
import { NOW } from "./fixtures.ts";

const RANGE = policy("    - { from: [app=web], ports: [8000-8010/tcp, sql/tcp] } # the api\n");

describe("ports that nothing used", () => {
  it("are taken out of a range, which is split; ports by name, comments and layout stay", async () => {
    const found = await broad(RANGE, [edge(8001), edge(8005), edge(5432)]);
    expect(found.rules).toMatchObject([
      {
        place: "db.yaml:7:7",
        permits: "8000-8010/tcp, sql/tcp",
        used: "8001/tcp, 8005/tcp, sql/tcp",
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
    // Ten of the range, and the one that is called `sql`.
    expect(rules).toMatchObject([{ used: "8001/tcp", slack: 11, proposed: "8001/tcp" }]);
  });
});

describe("nothing is proposed", () => {
  it("that would deny what was used long before the span", async () => {
    const before = [edge(8007, { firstSeen: NOW - 50 * DAY, lastSeen: NOW - 50 * DAY })];
    const { rules } = await broad(RANGE, [edge(8001)], { before });
    expect(rules).toMatchObject([{ used: "8001/tcp", proposed: "8001/tcp, 8007/tcp" }]);
    const all = [edge(5432), ...Array.from({ length: 11 }, (_, at) => edge(8000 + at))];
    const [only] = (await broad(RANGE, [edge(8001)], { before: all })).rules;
    expect(only).toMatchObject({ slack: 11, left: "all of it was used before that time" });
    expect(only).not.toHaveProperty("proposed");
  });

  it("that would deny who was there and has gone", async () => {
    const gone = edge(8007, {
      source: {
        address: "10.9.0.99",
        workload: "shop/web-0",
        name: "shop/web-0",
        labels: { app: "web" },
      },
    });
    const { rules, patch } = await broad(RANGE, [edge(8001)], { before: [gone] });
    expect(rules).toMatchObject([{ used: "8001/tcp", proposed: "8001/tcp, 8007/tcp" }]);
    expect(patch).toContain("[8001/tcp, 8007/tcp]");
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
