import { buildPolicySet, exportAntrea, parseFiles } from "@bulkhead/dialects";
import { decide, indexInventory } from "@bulkhead/engine";
import { ICMP, TCP, UDP, type FlowQuery, type PolicySet, type Request } from "@bulkhead/model";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

const WORLD = `
apiVersion: v1
kind: Namespace
metadata: { name: shop, labels: { env: prod } }
---
apiVersion: v1
kind: Namespace
metadata: { name: test, labels: { env: test } }
---
apiVersion: v1
kind: Namespace
metadata: { name: stage, labels: { env: prod } }
---
apiVersion: v1
kind: Node
metadata: { name: one, labels: { role: worker } }
status: { addresses: [{ type: InternalIP, address: 192.168.1.10 }] }
---
apiVersion: v1
kind: Service
metadata: { name: web, namespace: shop }
spec: { selector: { app: web }, clusterIP: 10.96.0.10, ports: [{ port: 80, targetPort: http }] }
---
apiVersion: crd.antrea.io/v1beta1
kind: ClusterGroup
metadata: { name: some }
spec: { childGroups: [backends, blocks] }
---
apiVersion: crd.antrea.io/v1beta1
kind: ClusterGroup
metadata: { name: backends }
spec: { serviceReference: { name: web, namespace: shop } }
---
apiVersion: crd.antrea.io/v1beta1
kind: ClusterGroup
metadata: { name: blocks }
spec: { ipBlocks: [{ cidr: 203.0.113.0/24, except: [203.0.113.128/25] }] }
${["shop", "test", "stage"]
  .flatMap((namespace, i) =>
    ["web", "db"].map(
      (app, j) => `---
apiVersion: v1
kind: Pod
metadata: { name: ${app}, namespace: ${namespace}, labels: { app: ${app} } }
spec: { serviceAccountName: ${app}, containers: [{ name: c, ports: [{ name: http, containerPort: ${80 + i} }] }] }
status: { podIP: 10.0.${i}.${j + 1} }`,
    ),
  )
  .join("\n")}
`;

const MINE = `apiVersion: crd.antrea.io/v1beta1
kind: Tier
metadata: { name: mine }
spec: { priority: 120 }
---
`;

const read = (policies: string) => {
  const files = [
    { name: "world.yaml", text: WORLD },
    { name: "policies.yaml", text: policies },
  ];
  const { resources, diagnostics } = parseFiles(files);
  const built = buildPolicySet(resources, {
    now: 0,
    strict: false,
    mode: "enforce",
    target: "desk",
    metadataGuard: false,
  });
  const said = [...diagnostics, ...built.diagnostics].filter((one) => one.severity === "error");
  return { set: built.set, inventory: built.inventory, said };
};

const { inventory } = read("");
const index = indexInventory({ ...inventory, hostAddresses: ["192.0.2.254"] });
const ends = [
  ...inventory.workloads.flatMap(({ addresses }) => addresses),
  "203.0.113.9",
  "203.0.113.200",
  "10.96.0.10",
];
const http = (path: string): Request => ({
  kind: "http",
  attributes: { method: "GET", path, host: "a.example" },
});
const asks: readonly Omit<FlowQuery, "source" | "destination">[] = [
  { protocol: TCP, port: 80 },
  { protocol: TCP, port: 81, names: ["www.a.example"] },
  { protocol: TCP, port: 80, request: http("/api/x") },
  { protocol: TCP, port: 80, request: http("/other") },
  { protocol: UDP, port: 53 },
  { protocol: ICMP, port: 8 * 256 },
];

/** Every decision among all ends, and on what it depends. */
const decisions = (set: PolicySet): readonly string[] =>
  ends.flatMap((source) =>
    ends.flatMap((destination) =>
      asks.map((ask) => {
        const query = { ...ask, source, destination };
        const { verdict, egress, ingress } = decide(set, index, query, { now: 0, view: "live" });
        const open = [egress, ingress].flatMap(({ obligations = [] }) =>
          obligations.map(({ kind }) => kind),
        );
        const logged = [egress, ingress].map((one) => one.logged.length > 0);
        return `${source} ${destination} ${ask.protocol}/${ask.port} ${JSON.stringify(ask.request ?? ask.names ?? "")} ${verdict} ${open.join(",")} ${logged.join(",")}`;
      }),
    ),
  );

const labels = fc.constantFrom({}, { matchLabels: { app: "web" } }, { matchLabels: { app: "db" } });
const places = fc.constantFrom(
  {},
  { matchLabels: { env: "prod" } },
  { matchExpressions: [{ key: "env", operator: "NotIn", values: ["prod"] }] },
);
const pods = fc.oneof(
  fc.record({ podSelector: labels }),
  fc.record({ namespaceSelector: places }),
  fc.record({ podSelector: labels, namespaceSelector: places }),
);
const own = fc.record({ podSelector: labels });
const account = fc.constantFrom({ serviceAccount: { name: "web", namespace: "shop" } });
const blocks = fc.constantFrom(
  { ipBlock: { cidr: "10.0.0.0/23" } },
  { ipBlock: { cidr: "0.0.0.0/0", except: ["203.0.113.128/25"] } },
);
const bound = fc.constantFrom(
  { namespaces: { match: "Self" } },
  { namespaces: { sameLabels: ["env"] }, podSelector: { matchLabels: { app: "db" } } },
);
const nodes = fc.constantFrom({ nodeSelector: { matchLabels: { role: "worker" } } });
const group = fc.constantFrom({ group: "some" });
const names = fc.constantFrom({ fqdn: "*a.example" });

const ports = fc.constantFrom(
  {},
  { ports: [{ port: 80 }] },
  { ports: [{ protocol: "UDP" }, { port: 80, endPort: 81 }] },
  { ports: [{ port: "http" }] },
  { protocols: [{ icmp: { icmpType: 8, icmpCode: 0 } }, { icmp: { icmpType: 3 } }] },
  { protocols: [{ icmp: {} }], ports: [{ port: 81 }] },
);
const asked = fc.constantFrom(
  { l7Protocols: [{ http: { path: "/api/*" } }] },
  { l7Protocols: [{ http: { path: "*pi*", method: "GET" } }, { tls: { sni: "*.example" } }] },
  { l7Protocols: [{ http: { host: "*a.ex*" } }], ports: [{ port: 80 }] },
);
const rule = (peer: fc.Arbitrary<object>, side: "from" | "to", isBaseline: boolean) =>
  fc
    .record({
      action: fc.constantFrom("Allow", "Drop", "Reject", isBaseline ? "Drop" : "Pass"),
      peers: fc.array(peer, { maxLength: 3 }),
      match: fc.oneof({ weight: 3, arbitrary: ports }, { weight: 1, arbitrary: asked }),
      enableLogging: fc.constantFrom({}, {}, { enableLogging: true }),
      service: fc.boolean(),
    })
    .map(({ action, peers, match, enableLogging, service }) => {
      if (side === "to" && service && peers.length === 0) {
        return { action, toServices: [{ name: "web", namespace: "shop" }], ...enableLogging };
      }
      const isAsking = "l7Protocols" in match;
      return { action: isAsking ? "Allow" : action, [side]: peers, ...match, ...enableLogging };
    });

const tier = fc.constantFrom("emergency", "mine", "application", "baseline");
const policy = fc.record({ tier, isCluster: fc.boolean() }).chain(({ tier: name, isCluster }) => {
  const isBaseline = name === "baseline";
  const shared = [pods, blocks, nodes] as const;
  const from = isCluster ? fc.oneof(...shared, account, bound, group) : fc.oneof(...shared);
  const to = fc.oneof(from, names);
  const subject = isCluster ? fc.oneof(pods, account) : own;
  return fc.record({
    isCluster: fc.constant(isCluster),
    tier: fc.constant(name),
    appliedTo: fc.array(subject, { minLength: 1, maxLength: 2 }),
    ingress: fc.array(rule(from, "from", isBaseline), { maxLength: 3 }),
    egress: fc.array(rule(to, "to", isBaseline), { maxLength: 3 }),
  });
});

const named = (rules: readonly object[], prefix: string) =>
  rules.map((one, at) => (at % 2 === 0 ? { ...one, name: `${prefix}${at}` } : one));

/** Priorities are their own: of policies that share one it is nobody's promise which is asked first. */
const documents = fc.array(policy, { minLength: 1, maxLength: 3 }).map((policies) =>
  policies
    .map(({ isCluster, ingress, egress, ...spec }, at) =>
      JSON.stringify({
        apiVersion: "crd.antrea.io/v1beta1",
        kind: isCluster ? "ClusterNetworkPolicy" : "NetworkPolicy",
        metadata: isCluster ? { name: `p${at}` } : { name: `p${at}`, namespace: "shop" },
        spec: {
          priority: at + 1.5,
          ...spec,
          ingress: named(ingress, "in"),
          egress: named(egress, "out"),
        },
      }),
    )
    .join("\n---\n"),
);

describe("policy as Antrea's", () => {
  test("what is read, written and read again decides the same", () => {
    let written = 0;
    fc.assert(
      fc.property(documents, (text) => {
        const first = read(MINE + text);
        // Two rules may happen to say the same, which Antrea refuses.
        fc.pre(first.said.length === 0);
        const out = exportAntrea(first.set);
        expect(out.diagnostics).toEqual([]);
        const second = read(out.text);
        expect(second.said).toEqual([]);
        expect(decisions(second.set)).toEqual(decisions(first.set));
        expect(exportAntrea(second.set).text).toBe(out.text);
        written += 1;
      }),
      { numRuns: 40 },
    );
    expect(written).toBeGreaterThan(20);
  });

  const native = (name: string, spec: string) =>
    `apiVersion: bulkhead.dev/v1\nkind: Policy\nmetadata: { name: ${name}, namespace: shop }\nspec: ${spec}`;

  test("native tiers, Kubernetes' own, and what lies between them", () => {
    const { set, said } = read(
      [
        native(
          "rail",
          "{ tier: guardrail, priority: 7, subject: app=db, ingress: [{ action: deny, from: [{ selector: app=web, namespace: test }] }] }",
        ),
        native("db", "{ subject: app=db, ingress: [{ from: [app=web], ports: [80] }] }"),
        native(
          "base",
          "{ tier: baseline, subject: { selector: '', namespace: '*' }, egress: [{ action: deny, to: [{ cidr: 203.0.113.0/24 }] }] }",
        ),
        JSON.stringify({
          apiVersion: "policy.networking.k8s.io/v1alpha2",
          kind: "ClusterNetworkPolicy",
          metadata: { name: "admin" },
          spec: {
            tier: "Admin",
            priority: 0,
            subject: { namespaces: {} },
            ingress: [
              { action: "Pass", from: [{ namespaces: { matchLabels: { env: "prod" } } }] },
              { action: "Deny", from: [{ namespaces: {} }] },
            ],
          },
        }),
      ].join("\n---\n"),
    );
    expect(said).toEqual([]);
    const { objects, text, diagnostics } = exportAntrea(set);
    expect(diagnostics).toEqual([]);
    expect(
      objects.map(({ kind, metadata, spec }) => {
        const { tier: of, priority } = spec as { tier?: string; priority?: number };
        return [kind, (metadata as { name: string }).name, of, priority];
      }),
    ).toEqual([
      ["Tier", "guardrail", undefined, 0],
      ["Tier", "admin", undefined, 1],
      ["ClusterNetworkPolicy", "shop-rail", "guardrail", 7],
      ["ClusterNetworkPolicy", "admin", "admin", 1],
      ["ClusterNetworkPolicy", "shop-base", "baseline", 1000],
      ["NetworkPolicy", "db", undefined, undefined],
    ]);
    const back = read(text);
    expect(back.said).toEqual([]);
    expect(decisions(back.set)).toEqual(decisions(set));
  });

  const antrea = (name: string, spec: string) =>
    `apiVersion: crd.antrea.io/v1beta1\nkind: ClusterNetworkPolicy\nmetadata: { name: ${name} }\nspec: ${spec}`;
  const nodesOf = "appliedTo: [{ nodeSelector: { matchLabels: { role: worker } } }]";

  test("policies of nodes come back", () => {
    const { set, said } = read(
      [
        antrea(
          "a",
          `{ priority: 1, tier: platform, ${nodesOf}, ingress: [{ action: Pass, ports: [{ port: 80 }] }] }`,
        ),
        antrea("b", `{ priority: 2, ${nodesOf}, ingress: [{ action: Drop }] }`),
        antrea(
          "c",
          `{ priority: 3, tier: baseline, ${nodesOf}, ingress: [{ action: Reject, ports: [{ port: 80 }] }] }`,
        ),
      ].join("\n---\n"),
    );
    expect(said).toEqual([]);
    const { text, diagnostics } = exportAntrea(set);
    expect(diagnostics).toEqual([]);
    const again = decisions(read(text).set);
    expect(again).toEqual(decisions(set));
    expect(again.filter((one) => one.includes(" reject")).length).toBeGreaterThan(0);
  });

  test("rules that say the same in two places stay in both, and a rule that is logged is one", () => {
    const { set, said } = read(
      antrea(
        "a",
        `{ priority: 1, ingress: [
          { action: Allow, enableLogging: true, ports: [{ port: 80 }], appliedTo: [{ podSelector: { matchLabels: { app: db } } }] },
          { action: Drop, appliedTo: [{ podSelector: { matchLabels: { app: web } } }] },
          { action: Allow, enableLogging: true, ports: [{ port: 80 }], appliedTo: [{ podSelector: { matchLabels: { app: web } } }] }] }`,
      ),
    );
    expect(said).toEqual([]);
    const { objects, text, diagnostics } = exportAntrea(set);
    expect(diagnostics).toEqual([]);
    const [{ spec } = { spec: {} }] = objects;
    expect(
      (spec as { ingress: readonly { action: string }[] }).ingress.map(({ action }) => action),
    ).toEqual(["Allow", "Drop", "Allow"]);
    expect(decisions(read(text).set)).toEqual(decisions(set));
  });

  const tiered = (priorities: readonly number[], others = "") => {
    const tier = (priority: number) =>
      `apiVersion: crd.antrea.io/v1beta1\nkind: Tier\nmetadata: { name: t${priority} }\nspec: { priority: ${priority} }`;
    const rest = "priority: 1, appliedTo: [{ podSelector: {} }], ingress: [{ action: Drop }]";
    const policies = priorities.map((at) => antrea(`a${at}`, `{ tier: t${at}, ${rest} }`));
    const own = antrea("own", `{ ${others}${rest} }`);
    return read([...priorities.map(tier), ...policies, own].join("\n---\n"));
  };

  test("tiers of one's own stand between Antrea's", () => {
    const { set, said } = tiered([7, 49, 60, 61], "tier: emergency, ");
    expect(said).toEqual([]);
    const { objects, diagnostics } = exportAntrea(set);
    expect(diagnostics).toEqual([]);
    const numbers = objects.flatMap(({ kind, spec }) =>
      kind === "Tier" ? [(spec as { priority: number }).priority] : [],
    );
    expect(numbers).toEqual([0, 1, 51, 52]);
  });

  test("no tier of one's own comes after Antrea's", () => {
    const { set } = tiered([7]);
    const others = set.stages.filter(({ id }) => id !== "antrea/t7");
    const at = others.findIndex(({ id }) => id === "antrea/application");
    const moved = set.stages.filter(({ id }) => id === "antrea/t7");
    const stages = [...others.slice(0, at + 1), ...moved, ...others.slice(at + 1)];
    expect(exportAntrea({ ...set, stages }).diagnostics.map(({ message }) => message)).toEqual([
      expect.stringContaining("2 tiers in this order"),
    ]);
  });

  test("Antrea takes twenty tiers, its own among them", () => {
    const fourteen = Array.from({ length: 14 }, (_, at) => at + 1);
    const { set, said } = tiered(fourteen);
    expect(said).toEqual([]);
    expect(exportAntrea(set).diagnostics).toEqual([]);
    const [stage] = set.stages.filter(({ id }) => id === "antrea/t1");
    const stages = [...set.stages, { ...stage!, id: "antrea/one-more" }].toSorted(
      (one, other) => Number(other.id === "antrea/one-more") - Number(one.id === "antrea/one-more"),
    );
    expect(exportAntrea({ ...set, stages }).diagnostics.map(({ message }) => message)).toEqual([
      expect.stringContaining("21 tiers, of which Antrea takes 20"),
    ]);
  });

  test("IGMP keeps to itself, as Antrea takes it", () => {
    const both =
      "{ priority: 1, appliedTo: [{ podSelector: {} }], ingress: [{ action: Drop, protocols: [{ igmp: {} }] }], egress: [{ action: Drop, ports: [{ port: 80 }] }] }";
    expect(read(antrea("a", both)).said.map(({ code }) => code)).toEqual(["BH0430"]);
    const other = both
      .replace("ingress", "egress")
      .replace(/, egress: \[\{ action: Drop, ports.*$/, " }");
    const { set, said } = read(antrea("a", other));
    expect(said).toEqual([]);
    expect(exportAntrea(set).diagnostics).toEqual([]);
    const mixed = JSON.parse(JSON.stringify(set)) as PolicySet;
    const [block] = mixed.stages.flatMap(({ blocks }) => blocks);
    const web = { kind: "range", protocol: 6, first: 80, last: 80 };
    const [rule] = block!.rules;
    Object.assign(block!, { rules: [rule, { ...rule, id: `${rule!.id}2`, ports: [web] }] });
    expect(exportAntrea(mixed).diagnostics.map(({ message }) => message)).toEqual([
      expect.stringContaining("IGMP before rules with peers or ports, or beside ICMP"),
    ]);
  });

  test("a prefix without pods and nodes is none of Antrea's", () => {
    const { set } = read(
      native(
        "a",
        "{ tier: guardrail, subject: app=a, egress: [{ action: deny, to: [{ cidr: 10.0.0.0/8 }] }] }",
      ),
    );
    const outside = JSON.parse(
      JSON.stringify(set).replaceAll('"matchesWorkloads":true', '"matchesWorkloads":false'),
    ) as PolicySet;
    expect(exportAntrea(outside).diagnostics.map(({ message }) => message)).toEqual([
      "`10.0.0.0/8` without pods and nodes, which Antrea cannot say",
    ]);
  });

  test.each<[string, string, "under" | "over" | "never"]>([
    [
      "the world",
      native(
        "a",
        "{ tier: guardrail, subject: app=a, egress: [{ action: deny, to: [{ entity: world }] }] }",
      ),
      "over",
    ],
    [
      "ICMP of one family",
      native(
        "a",
        "{ tier: guardrail, subject: app=a, egress: [{ action: deny, to: [{ any: true }], ports: [icmp/echo-request] }] }",
      ),
      "over",
    ],
    [
      "a pass to another stage of ours",
      [
        native("a", "{ tier: emergency, subject: app=a, egress: [{ action: pass, to: [app=b] }] }"),
        native("b", "{ tier: guardrail, subject: app=a, egress: [{ action: deny, to: [app=b] }] }"),
      ].join("\n---\n"),
      "never",
    ],
    [
      "rules of several policies in one place",
      [
        native(
          "a",
          "{ tier: guardrail, subject: app=a, egress: [{ action: deny, to: [app=b] }, { to: [app=c] }] }",
        ),
        native("b", "{ tier: guardrail, subject: app=a, egress: [{ action: deny, to: [app=d] }] }"),
      ].join("\n---\n"),
      "never",
    ],
    [
      "a policy that only audits",
      native("a", "{ tier: guardrail, mode: audit, subject: app=a, egress: [{ to: [app=b] }] }"),
      "never",
    ],
    [
      "another protocol",
      native("a", "{ tier: guardrail, subject: app=a, egress: [{ to: [app=b], ports: [gre] }] }"),
      "under",
    ],
  ])("%s is refused by name, or left out if that is asked for", (_, text, wanted) => {
    const { set, said } = read(text);
    expect(said).toEqual([]);
    const severities = (approximation?: "under" | "over") =>
      exportAntrea(set, approximation === undefined ? {} : { approximation }).diagnostics.map(
        ({ code, severity }) => `${code} ${severity}`,
      );
    expect(severities()).toEqual(["BH0502 error"]);
    expect(severities("under")).toEqual([wanted === "under" ? "BH0502 warning" : "BH0502 error"]);
    expect(severities("over")).toEqual([wanted === "over" ? "BH0502 warning" : "BH0502 error"]);
  });
});
