/** Cluster-wide policies written back: what is read of them says the same. */
import { buildPolicySet, exportClusterPolicies, parseFiles } from "@bulkhead/dialects";
import { decide, indexInventory } from "@bulkhead/engine";
import { TCP, type PolicySet } from "@bulkhead/model";
import fc from "fast-check";
import { expect, test } from "vitest";

const read = (text: string) => {
  const { resources, diagnostics } = parseFiles([{ name: "x.yaml", text }]);
  const { set, diagnostics: built } = buildPolicySet(resources, {
    now: 0,
    strict: false,
    mode: "enforce",
    target: "desk",
    metadataGuard: false,
  });
  const said = [...diagnostics, ...built].filter(({ severity }) => severity === "error");
  return { set, said: said.map(({ code, message }) => `${code} ${message}`) };
};

/** Without places; rules by their order, blocks by what they say. `admin` and `guardrail` are one place, and so are the others. */
const meaning = ({ stages }: PolicySet): unknown =>
  stages
    .filter(({ blocks }) => blocks.length > 0)
    .map(({ mode, endIfApplied, blocks }) => [
      mode,
      endIfApplied,
      blocks
        .map(({ subject, direction, order, isolates, rules }) =>
          JSON.stringify([
            order,
            subject,
            direction,
            isolates,
            rules.map(({ action, peers, ports }) => [action, peers, ports]),
          ]),
        )
        .toSorted(),
    ]);

const selector = fc.constantFrom(
  {},
  { matchLabels: { app: "web" } },
  { matchLabels: { app: "web", tier: "a" } },
  { matchExpressions: [{ key: "team", operator: "NotIn", values: ["a"] }] },
  { matchExpressions: [{ key: "team", operator: "Exists" }], matchLabels: { app: "b" } },
);
const pods = fc.oneof(
  fc.record({ namespaces: selector }),
  // The empty selector of pods is the shorter word.
  fc.record({
    pods: fc.record({ namespaceSelector: selector, podSelector: selector }),
  }),
);
const egressPeer = fc.oneof(
  { weight: 3, arbitrary: pods },
  fc.record({ nodes: selector }),
  fc.constantFrom({ networks: ["10.0.0.0/8"] }, { networks: ["0.0.0.0/0", "2001:db8::/32"] }),
);
const protocol = fc.constantFrom(
  { tcp: { destinationPort: { number: 80 } } },
  { udp: { destinationPort: { range: { start: 53, end: 60 } } } },
  { sctp: { destinationPort: { number: 9 } } },
);
const named = fc.record({
  name: fc.constantFrom("first", "second rule", "r"),
  action: fc.constantFrom("Accept", "Deny", "Pass"),
});
const rule = (ends: "from" | "to") =>
  fc
    .tuple(
      named,
      fc.array(ends === "from" ? pods : egressPeer, { minLength: 1, maxLength: 3 }),
      fc.option(fc.array(protocol, { minLength: 1, maxLength: 3 })),
      fc.boolean(),
    )
    .map(([{ name, action }, peers, protocols, hasName]) => ({
      ...(hasName ? { name } : {}),
      action,
      [ends]: peers,
      ...(protocols === null ? {} : { protocols }),
    }));
const clusterPolicy = fc
  .record({
    tier: fc.constantFrom("Admin", "Baseline"),
    priority: fc.integer({ min: 0, max: 1000 }),
    subject: pods,
    ingress: fc.array(rule("from"), { minLength: 1, maxLength: 3 }),
    egress: fc.array(rule("to"), { maxLength: 3 }),
  })
  .map((spec) => ({
    apiVersion: "policy.networking.k8s.io/v1alpha2",
    kind: "ClusterNetworkPolicy",
    metadata: { name: "p" },
    spec,
  }));
const documents = (objects: readonly { readonly metadata: object }[]): string =>
  objects
    .map((one, at) => JSON.stringify({ ...one, metadata: { ...one.metadata, name: `p${at}` } }))
    .join("\n---\n");

test("what is read of an export is what was exported, and is written the same again", () => {
  fc.assert(
    fc.property(fc.array(clusterPolicy, { minLength: 1, maxLength: 3 }), (policies) => {
      const { set, said } = read(documents(policies));
      expect(said).toEqual([]);
      const out = exportClusterPolicies(set);
      expect(out.diagnostics).toEqual([]);
      const back = read(out.text);
      expect(back.said).toEqual([]);
      expect(meaning(back.set)).toEqual(meaning(set));
      expect(exportClusterPolicies(back.set).text).toBe(out.text);
    }),
    { numRuns: 100 },
  );
});

const object = (spec: object, version = "v1alpha2", kind = "ClusterNetworkPolicy", name = "p") =>
  JSON.stringify({
    apiVersion: `policy.networking.k8s.io/${version}`,
    kind,
    metadata: { name },
    spec,
  });
const admin = { tier: "Admin", priority: 1, subject: { namespaces: {} } };

test("named ports and domain names come back", () => {
  const { set } = read(
    object({
      ...admin,
      ingress: [
        {
          action: "Deny",
          from: [{ namespaces: {} }],
          protocols: [{ destinationNamedPort: "http" }],
        },
      ],
      egress: [{ action: "Accept", to: [{ domainNames: ["*.example", "a.example"] }] }],
    }),
  );
  const out = exportClusterPolicies(set);
  expect(out.diagnostics).toEqual([]);
  expect(meaning(read(out.text).set)).toEqual(meaning(set));
});

test("what was said in v1alpha1 is said in v1alpha2", () => {
  const { subject } = admin;
  const deny = {
    action: "Deny",
    from: [{ namespaces: {} }],
    ports: [{ portRange: { start: 1, end: 9 } }],
  };
  const { set } = read(
    [
      object({ priority: 7, subject, ingress: [deny] }, "v1alpha1", "AdminNetworkPolicy"),
      object({ subject, ingress: [deny] }, "v1alpha1", "BaselineAdminNetworkPolicy", "default"),
    ].join("\n---\n"),
  );
  const { objects, diagnostics } = exportClusterPolicies(set);
  expect(diagnostics).toEqual([]);
  expect(
    objects.map(({ kind, metadata, spec }) => [kind, metadata, (spec as { tier: string }).tier]),
  ).toEqual([
    ["ClusterNetworkPolicy", { name: "p" }, "Admin"],
    ["ClusterNetworkPolicy", { name: "default" }, "Baseline"],
  ]);
});

test("native guardrails and baselines become tiers, and what lies between them NetworkPolicies", () => {
  const native = (name: string, spec: string) =>
    `apiVersion: bulkhead.dev/v1\nkind: Policy\nmetadata: { name: ${name}, namespace: shop }\nspec: ${spec}`;
  const policies = [
    native(
      "rail",
      "{ tier: guardrail, priority: 90000, subject: app=db, ingress: [{ action: deny, from: [app=dev] }] }",
    ),
    native(
      "late",
      "{ tier: guardrail, priority: 90001, subject: app=db, ingress: [{ action: pass, from: [app=web] }] }",
    ),
    native("db", "{ subject: app=db, ingress: [{ from: [app=web], ports: [5432] }] }"),
    native(
      "base",
      "{ tier: baseline, subject: '', egress: [{ action: deny, to: [{ cidr: 10.0.0.0/8 }] }] }",
    ),
  ].join("\n---\n");
  const { set, said } = read(policies);
  expect(said).toEqual([]);
  const { objects, diagnostics, text } = exportClusterPolicies(set);
  expect(diagnostics).toEqual([]);
  expect(
    objects.map(({ kind, metadata, spec }) => {
      const { tier, priority } = spec as { tier?: string; priority?: number };
      return [kind, (metadata as { name: string }).name, tier, priority];
    }),
  ).toEqual([
    ["ClusterNetworkPolicy", "shop-rail", "Admin", 0],
    ["ClusterNetworkPolicy", "shop-late", "Admin", 1],
    ["ClusterNetworkPolicy", "shop-base", "Baseline", 1000],
    ["NetworkPolicy", "db", undefined, undefined],
  ]);
  // Cluster-wide, a namespace goes by its label; so what is compared is whom it lets talk to whom.
  const permitted = (policies: string): string[] => {
    const { set: own } = read(policies);
    const ends = [...world.known.map(({ address }) => address), "10.9.9.9", "203.0.113.7"];
    return ends.flatMap((source) =>
      ends.flatMap((destination) =>
        [80, 5432].flatMap((port) => {
          const query = { source, destination, protocol: TCP, port };
          const { verdict } = decide(own, world, query, { now: 0, view: "live" });
          return verdict === "allow" ? [`${source} ${destination} ${port}`] : [];
        }),
      ),
    );
  };
  const names = ["shop/db", "shop/web", "shop/dev", "bank/web", "bank/dev"];
  const world = indexInventory({
    workloads: names.map((id, at) => ({
      id,
      namespace: id.split("/")[0] ?? "",
      name: id.split("/")[1] ?? "",
      kind: "pod",
      labels: { app: id.split("/")[1] ?? "" },
      addresses: [`10.0.0.${at + 1}`],
      namedPorts: [],
      hostNetwork: false,
    })),
    namespaces: [],
    hostAddresses: [],
  });
  expect(permitted(text)).toEqual(permitted(policies));
  expect(permitted(text).length).toBeLessThan(permitted("").length);
});

test.each<[string, string, "under" | "over" | "never"]>([
  [
    "a peer that nobody knows in a deny of ingress",
    object({ ...admin, ingress: [{ action: "Deny", from: [{}] }] }),
    "over",
  ],
  [
    "more than 25 rules",
    `apiVersion: bulkhead.dev/v1\nkind: Policy\nmetadata: { name: p }\nspec: { tier: guardrail, subject: app=a, ingress: [${Array.from({ length: 26 }, (_, at) => `{ name: r${at}, action: deny, from: [app=b${at}] }`).join(", ")}] }`,
    "never",
  ],
  [
    "a port's name with one protocol",
    "apiVersion: bulkhead.dev/v1\nkind: Policy\nmetadata: { name: p }\nspec: { tier: guardrail, subject: app=a, ingress: [{ from: [app=b], ports: [http/tcp] }] }",
    "under",
  ],
  [
    "an exception of a prefix in a pass",
    "apiVersion: bulkhead.dev/v1\nkind: Policy\nmetadata: { name: p }\nspec: { tier: guardrail, subject: app=a, egress: [{ action: pass, to: [{ cidr: 10.0.0.0/8, except: [10.1.0.0/16] }] }] }",
    "never",
  ],
])("%s is refused by name, or left out if that is asked for", (_, text, wanted) => {
  const { set, said } = read(text);
  expect(said).toEqual([]);
  const severities = (approximation?: "under" | "over") =>
    exportClusterPolicies(
      set,
      approximation === undefined ? {} : { approximation },
    ).diagnostics.map(({ code, severity }) => `${code} ${severity}`);
  expect(severities()).toEqual(["BH0502 error"]);
  expect(severities("under")).toEqual([wanted === "under" ? "BH0502 warning" : "BH0502 error"]);
  expect(severities("over")).toEqual([wanted === "over" ? "BH0502 warning" : "BH0502 error"]);
});

test("lists longer than the API takes are split, in order", () => {
  const many = Array.from({ length: 30 }, (_, at) => ({
    namespaces: { matchLabels: { n: `${at}` } },
  }));
  const ports = Array.from({ length: 26 }, (_, at) => ({ portNumber: { port: at + 1 } }));
  const { subject } = admin;
  const { set, said } = read(
    object(
      { priority: 1, subject, ingress: [{ name: "many", action: "Deny", from: many, ports }] },
      "v1alpha1",
      "AdminNetworkPolicy",
    ),
  );
  expect(said).toEqual([]);
  const { objects, diagnostics } = exportClusterPolicies(set);
  expect(diagnostics).toEqual([]);
  const [{ spec } = { spec: {} }] = objects;
  const { ingress = [] } = spec as {
    ingress?: readonly { from: readonly unknown[]; protocols: readonly unknown[] }[];
  };
  expect(ingress.map(({ from, protocols }) => [from.length, protocols.length])).toEqual([
    [25, 25],
    [25, 1],
    [5, 25],
    [5, 1],
  ]);
});
