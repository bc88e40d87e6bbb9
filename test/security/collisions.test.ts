/**
 * Names chosen so that their hashes collide. Cookies are 32 bits of a public hash, so whoever names policies can make
 * two rules collide on purpose; neither may get the other's decision, nor its name in the evidence.
 */
import { expect, it } from "vitest";
import { buildPolicySet, parseFiles } from "@bulkhead/dialects";
import { compile, decide, indexInventory, lookup } from "@bulkhead/engine";
import { TCP, type Inventory, type PolicySet, type Workload } from "@bulkhead/model";
import { hashText } from "../../packages/engine/src/compile/stable-id.ts";

const NOW = Date.UTC(2026, 0, 1);

const policy = (name: string, action: "allow" | "deny", port: number): string =>
  `apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: ${name}, namespace: shop }
spec:
  owner: ada
  reason: test
  tier: guardrail
  priority: 10
  subject: app=db
  ingress: [{ action: ${action}, from: [{ selector: app=web }], ports: [${port}/tcp] }]
`;

const setOf = (texts: readonly string[]): PolicySet => {
  const { resources, diagnostics } = parseFiles([{ name: "p.yaml", text: texts.join("---\n") }]);
  expect(diagnostics).toEqual([]);
  return buildPolicySet(resources, { now: NOW, strict: false, mode: "enforce" }).set;
};

const workload = (name: string, address: string): Workload => ({
  id: `shop/${name}`,
  namespace: "shop",
  name,
  kind: "netns",
  labels: { app: name },
  addresses: [address],
  namedPorts: [],
  hostNetwork: false,
});

const WORLD: Inventory = {
  workloads: [workload("db", "10.0.0.1"), workload("web", "10.0.0.2")],
  namespaces: [{ name: "shop", labels: {} }],
  hostAddresses: [],
};

const ruleIdOf = (set: PolicySet): string => {
  const [rule] = set.stages.flatMap(({ blocks }) => blocks.flatMap(({ rules }) => rules));
  if (rule === undefined) throw new Error("no rule");
  return rule.id;
};

/** Two names whose rules have the same 32-bit hash: a birthday among some hundred thousand. */
const collidingNames = (): readonly [string, string] => {
  const template = ruleIdOf(setOf([policy("template", "allow", 1)]));
  expect(template).toContain("template");
  const seen = new Map<string, string>();
  for (let n = 0; ; n += 1) {
    const name = `p${n.toString(36)}`;
    const hash = hashText(template.replace("template", name), 8);
    const other = seen.get(hash);
    if (other !== undefined) return [other, name];
    seen.set(hash, name);
  }
};

it("rules with colliding names keep their own decisions and cookies", () => {
  const [first, second] = collidingNames();
  for (const [denied, allowed] of [
    [first, second],
    [second, first],
  ] as const) {
    const set = setOf([policy(denied, "deny", 5432), policy(allowed, "allow", 5433)]);
    const [one, two] = [denied, allowed].map((name) =>
      hashText(ruleIdOf(setOf([policy(name, "allow", 1)])), 8),
    );
    expect(one).toBe(two);
    const { policy: compiled, cookies } = compile(set, WORLD, {
      now: NOW,
      revision: 1,
      endpoints: [
        {
          workload: "shop/db",
          kind: "netns",
          interface: "v0",
          ifindex: 1,
          mac: "02:00:00:00:00:01",
          addresses: ["10.0.0.1"],
          netnsPath: "",
        },
      ],
    });
    const ruleOf = new Map(cookies.map(({ cookie, rule }) => [cookie, rule]));
    expect(ruleOf.size).toBe(cookies.length);
    for (const [port, verdict, name] of [
      [5432, "drop", denied],
      [5433, "allow", allowed],
    ] as const) {
      const query = { source: "10.0.0.2", destination: "10.0.0.1", protocol: TCP, port };
      const found = lookup(compiled, "live", query, NOW);
      expect(decide(set, indexInventory(WORLD), query, { now: NOW, view: "live" }).verdict).toBe(
        verdict,
      );
      expect(found.verdict).toBe(verdict);
      expect(ruleOf.get(found.ingress?.cookie ?? "")).toContain(`/${name}#`);
    }
  }
});
