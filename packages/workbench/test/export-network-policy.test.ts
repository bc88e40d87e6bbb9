/** Exporters: what comes back says the same, or what is asked for less of it, or more; and the rest is refused by name. */
import {
  buildPolicySet,
  exportNetworkPolicies,
  parseFiles,
  type NetworkPolicyExportOptions,
} from "@bulkhead/dialects";
import { decide, indexInventory, type InventoryIndex } from "@bulkhead/engine";
import type { Namespace, PolicySet, Rule } from "@bulkhead/model";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

const WORLD = `
apiVersion: bulkhead.dev/v1
kind: Inventory
metadata: { name: world }
spec:
  namespaces:
    - { name: shop, labels: { team: a } }
    - { name: bank, labels: { team: b } }
  workloads:
    - { name: web, namespace: shop, labels: { app: web }, addresses: [10.0.0.1], ports: [{ name: http, port: 80 }] }
    - { name: db, namespace: shop, labels: { app: db }, addresses: [10.0.0.2], ports: [{ name: http, port: 8080 }] }
    - { name: web, namespace: bank, labels: { app: web }, addresses: [10.0.1.1] }
  machine: { addresses: [10.0.9.9] }
`;
const ENDS = ["10.0.0.1", "10.0.0.2", "10.0.1.1", "10.0.9.9", "203.0.113.7"];
const PORTS = [
  [6, 80],
  [6, 8080],
  [17, 53],
  [1, 2048],
] as const;

const read = (text: string) => {
  const { resources, diagnostics } = parseFiles([{ name: "x.yaml", text: `${WORLD}---\n${text}` }]);
  const built = buildPolicySet(resources, {
    now: 0,
    strict: false,
    mode: "enforce",
    target: "desk",
    metadataGuard: false,
  });
  const said = [...diagnostics, ...built.diagnostics].filter(
    ({ severity }) => severity === "error",
  );
  return { ...built, said: said.map(({ code, message }) => `${code} ${message}`) };
};

const index = (): InventoryIndex => indexInventory(read("").inventory);
const permitted = (set: PolicySet, world: InventoryIndex): string[] =>
  ENDS.flatMap((source) =>
    ENDS.flatMap((destination) =>
      PORTS.flatMap(([protocol, port]) => {
        const query = { source, destination, protocol, port };
        const { verdict } = decide(set, world, query, { now: 0, view: "live" });
        return verdict === "allow" ? [`${source} ${destination} ${protocol}/${port}`] : [];
      }),
    ),
  );

const labels = fc.constantFrom({}, { matchLabels: { app: "web" } }, { matchLabels: { app: "db" } });
const teams = fc.constantFrom(
  {},
  { matchLabels: { team: "b" } },
  { matchExpressions: [{ key: "team", operator: "NotIn", values: ["a"] }] },
  { matchExpressions: [{ key: "team", operator: "Exists" }] },
);
const peer = fc.oneof(
  fc.record({ podSelector: labels }),
  fc.record({ namespaceSelector: teams }),
  fc.record({ namespaceSelector: teams, podSelector: labels }),
  fc.constantFrom(
    { ipBlock: { cidr: "203.0.113.0/24" } },
    { ipBlock: { cidr: "0.0.0.0/0", except: ["203.0.113.0/25"] } },
  ),
);
const port = fc.constantFrom(
  { port: 80 },
  { protocol: "UDP" },
  { port: "http" },
  { protocol: "TCP", port: 80, endPort: 9000 },
  {},
);
const rules = (ends: "from" | "to") =>
  fc.array(
    fc.record(
      { [ends]: fc.array(peer, { maxLength: 2 }), ports: fc.array(port, { maxLength: 2 }) },
      { requiredKeys: [], noNullPrototype: true },
    ),
    { maxLength: 3 },
  );
const networkPolicy = fc
  .record(
    {
      podSelector: labels,
      policyTypes: fc.constantFrom(["Ingress"], ["Egress"], ["Egress", "Ingress"]),
      ingress: rules("from"),
      egress: rules("to"),
    },
    { requiredKeys: ["podSelector"], noNullPrototype: true },
  )
  .map((spec) => ({
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: { name: "p", namespace: "shop" },
    spec,
  }));

/** A set without places and names, whose order does not matter. */
const meaning = ({ stages }: PolicySet): unknown =>
  stages.map(({ id, blocks }) => [
    id,
    blocks
      .map(({ subject, direction, isolates, rules: own }) =>
        JSON.stringify([
          subject,
          direction,
          isolates,
          own.map((one) => [one.action, one.peers, one.ports]),
        ]),
      )
      .toSorted(),
  ]);

describe("NetworkPolicy", () => {
  test("what is read of an export is what was exported", () => {
    fc.assert(
      fc.property(fc.array(networkPolicy, { minLength: 1, maxLength: 3 }), (policies) => {
        const named = policies.map((one, at) => ({
          ...one,
          metadata: { ...one.metadata, name: `p${at}` },
        }));
        const { set } = read(named.map((one) => JSON.stringify(one)).join("\n---\n"));
        const out = exportNetworkPolicies(set);
        expect(out.diagnostics).toEqual([]);
        const back = read(out.text);
        expect(back.said).toEqual([]);
        expect(meaning(back.set)).toEqual(meaning(set));
        // Written again it is the same text.
        expect(exportNetworkPolicies(back.set).text).toBe(out.text);
      }),
      { numRuns: 120 },
    );
  });

  const native = (kind: string, name: string, spec: string) =>
    `apiVersion: bulkhead.dev/v1\nkind: ${kind}\nmetadata: { name: ${name}, namespace: shop }\nspec: ${spec}`;

  test("an Intent becomes its two ends, each in its namespace", () => {
    const { set } = read(
      native(
        "Intent",
        "sql",
        '{ from: { selector: "app=web", namespace: bank }, to: "app=db", ports: [8080/tcp] }',
      ),
    );
    expect(exportNetworkPolicies(set).text).toBe(`apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: sql
  namespace: bank
spec:
  podSelector:
    matchLabels:
      app: web
  policyTypes:
    - Egress
  egress:
    - to:
        - namespaceSelector:
            matchLabels:
              kubernetes.io/metadata.name: shop
          podSelector:
            matchLabels:
              app: db
      ports:
        - protocol: TCP
          port: 8080
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: sql
  namespace: shop
spec:
  podSelector:
    matchLabels:
      app: db
  policyTypes:
    - Ingress
  ingress:
    - from:
        - namespaceSelector:
            matchLabels:
              kubernetes.io/metadata.name: bank
          podSelector:
            matchLabels:
              app: web
      ports:
        - protocol: TCP
          port: 8080
`);
  });

  test("two of one name and namespace do not overwrite each other", () => {
    const { set } = read(
      [
        native("Policy", "a", "{ subject: app=web, ingress: [] }"),
        native("Intent", "a", "{ from: app=web, to: app=db, ports: [80] }"),
      ].join("\n---\n"),
    );
    const names = exportNetworkPolicies(set).objects.map(({ metadata }) => metadata);
    expect(names).toEqual([
      { name: "a", namespace: "shop" },
      { name: "a-intent", namespace: "shop" },
      { name: "a-policy", namespace: "shop" },
    ]);
  });

  test("a policy of several namespaces becomes one in each that is told of", () => {
    const { set, inventory } = read(
      native(
        "Policy",
        "a",
        '{ subject: { selector: "", namespaceSelector: "team in (a,b)" }, egress: [] }',
      ),
    );
    expect(
      exportNetworkPolicies(set).diagnostics.map(({ code, severity }) => [code, severity]),
    ).toEqual([["BH0502", "error"]]);
    const namespaces: readonly Namespace[] = inventory.namespaces;
    const { objects, diagnostics } = exportNetworkPolicies(set, { namespaces });
    // Once, though it has two directions; and a namespace that comes later has none of it.
    expect(diagnostics.map(({ severity, message }) => `${severity} ${message}`)).toEqual([
      "info this policy is for whatever namespaces there will be, and is written in those of the files",
    ]);
    expect(objects.map(({ metadata }) => metadata)).toEqual([
      { name: "a", namespace: "shop" },
      { name: "a", namespace: "bank" },
    ]);
  });

  const rule = (action: string, to: string, more = "") =>
    native(
      "Policy",
      "a",
      `{ subject: app=web, egress: [{ action: ${action}, to: [${to}]${more} }] }`,
    );
  test.each<[string, string, "under" | "over" | "never"]>([
    ["deny", rule("deny", "app=db"), "over"],
    ["reject", rule("reject", "app=db"), "never"],
    ["log", rule("log", "app=db"), "under"],
    ["an allowance of the machine", rule("allow", "{ entity: host }"), "under"],
    ["an allowance of the world", rule("allow", "{ entity: world }", ", ports: [80]"), "over"],
    ["a prefix that holds pods", rule("allow", "{ cidr: 10.0.0.0/8 }"), "under"],
    ["a protocol without a word", rule("allow", "app=db", ", ports: [icmp]"), "under"],
    [
      "what ends",
      native("Policy", "a", "{ subject: app=web, expires: '2031-01-01T00:00:00Z', egress: [] }"),
      "never",
    ],
    [
      "what only audits",
      native("Policy", "a", "{ subject: app=web, mode: audit, egress: [] }"),
      "never",
    ],
    [
      "a guardrail's deny",
      native(
        "Policy",
        "a",
        "{ tier: guardrail, subject: app=web, egress: [{ action: deny, to: [app=db] }] }",
      ),
      "over",
    ],
    [
      "a guardrail's allow",
      native("Policy", "a", "{ tier: guardrail, subject: app=web, egress: [{ to: [app=db] }] }"),
      "under",
    ],
    [
      "a guardrail's pass",
      native(
        "Policy",
        "a",
        "{ tier: guardrail, subject: app=web, egress: [{ action: pass, to: [app=db] }] }",
      ),
      "never",
    ],
  ])("%s is refused by name, or left out if that is asked for", (_, text, wanted) => {
    const { set, said } = read(text);
    expect(said).toEqual([]);
    const severities = (options: NetworkPolicyExportOptions) =>
      exportNetworkPolicies(set, options).diagnostics.map(
        ({ code, severity }) => `${code} ${severity}`,
      );
    expect(severities({})).toEqual(["BH0502 error"]);
    for (const approximation of ["under", "over"] as const) {
      expect(severities({ approximation })).toEqual([
        wanted === approximation ? "BH0502 warning" : "BH0502 error",
      ]);
    }
  });

  test.each<[string, Partial<Rule>]>([
    ["looks into requests", { l7: [{ kind: "http", conditions: [] }] }],
    ["asks for proof of identity", { auth: "required" }],
    ["ends by itself", { expiresAt: 1 }],
  ])("what %s is left out as the rest of its kind is", (_, more) => {
    const severities = (action: string, approximation: "under" | "over") => {
      const { set } = read(rule(action, "app=db"));
      const stages = set.stages.map((stage) => ({
        ...stage,
        blocks: stage.blocks.map((block) => ({
          ...block,
          rules: block.rules.map((one) => ({ ...one, ...more })),
        })),
      }));
      const { diagnostics } = exportNetworkPolicies({ ...set, stages }, { approximation });
      return diagnostics.map(({ severity }) => severity);
    };
    expect(severities("allow", "under")).toEqual(["warning"]);
    expect(severities("allow", "over")).toEqual(["error"]);
    expect(severities("deny", "over")).toEqual(["warning"]);
    expect(severities("deny", "under")).toEqual(["error"]);
  });

  const PLAIN = [
    "app=db",
    { selector: "", namespace: "*" },
    { selector: "app=web", namespaceSelector: "team=b" },
  ];
  /** What each way of exporting can take. */
  const ways = {
    exact: { tiers: ["application"], actions: ["allow"], peers: PLAIN, ports: [[80], ["53/udp"]] },
    under: {
      tiers: ["application", "application", "guardrail", "baseline"],
      actions: ["allow", "allow", "log"],
      peers: [...PLAIN, { cidr: "10.0.0.0/24", except: ["10.0.0.2/32"] }, { entity: "host" }],
      ports: [[80], ["icmp"], ["8000-9000/tcp", "icmp"]],
    },
    over: {
      tiers: ["application", "application", "guardrail", "baseline"],
      actions: ["deny", "allow"],
      peers: [...PLAIN, { entity: "world" }],
      ports: [[80], ["8000-9000/tcp", "53/udp"]],
    },
  } as const;
  test.each(["exact", "under", "over"] as const)(
    "an approximation permits no more, or no less, than was meant; an exact export just that: %s",
    (way) => {
      const { tiers, actions, peers, ports } = ways[way];
      const nativePolicy = fc.record({
        tier: fc.constantFrom(...tiers),
        subject: fc.constantFrom("app=web", "app=db", ""),
        egress: fc.array(
          fc.record(
            {
              to: fc.array(fc.constantFrom<unknown>(...peers), { minLength: 1, maxLength: 2 }),
              action: fc.constantFrom(...actions),
              ports: fc.constantFrom<unknown>(...ports),
            },
            { requiredKeys: ["to", "ports"], noNullPrototype: true },
          ),
          { minLength: 1, maxLength: 3 },
        ),
      });
      const world = index();
      let exported = 0;
      fc.assert(
        fc.property(fc.array(nativePolicy, { minLength: 1, maxLength: 2 }), (specs) => {
          const { set, said } = read(
            specs
              .map((spec, at) => native("Policy", `p${at}`, JSON.stringify(spec)))
              .join("\n---\n"),
          );
          fc.pre(said.length === 0);
          const out = exportNetworkPolicies(set, way === "exact" ? {} : { approximation: way });
          if (out.diagnostics.some(({ severity }) => severity === "error")) return;
          exported += 1;
          const before = permitted(set, world);
          const after = permitted(read(out.text).set, world);
          if (way !== "over") expect(before).toEqual(expect.arrayContaining(after));
          if (way !== "under") expect(after).toEqual(expect.arrayContaining(before));
        }),
        { numRuns: 100 },
      );
      expect(exported).toBeGreaterThan(5);
    },
  );
});
