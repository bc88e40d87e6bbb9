/** A small world, and sound policies of every dialect over it, for properties of conversions. */
import fc from "fast-check";

export const NAMESPACES = { shop: "prod", test: "test", stage: "prod" } as const;
const HOMES = Object.keys(NAMESPACES);
const APPS = ["web", "db"] as const;

export const WORLD: readonly object[] = [
  ...Object.entries(NAMESPACES).map(([name, env]) => ({
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name, labels: { env } },
  })),
  {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: "one", labels: { role: "worker" } },
    status: { addresses: [{ type: "InternalIP", address: "192.168.1.10" }] },
  },
  ...HOMES.flatMap((namespace, i) =>
    APPS.map((app, j) => ({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: app, namespace, labels: { app } },
      spec: {
        serviceAccountName: app,
        containers: [{ name: "c", ports: [{ name: "http", containerPort: 80 + i }] }],
      },
      status: { podIP: `10.0.${i}.${j + 1}` },
    })),
  ),
];

/** Pods, the node, an address that prefixes hold, and one that few do. */
export const ENDS = [
  ...HOMES.flatMap((_, i) => APPS.map((_app, j) => `10.0.${i}.${j + 1}`)),
  "192.168.1.10",
  "10.1.0.9",
  "203.0.113.9",
  "2001:db8::9",
];

const maybe = <T>(item: fc.Arbitrary<T>) => fc.option(item, { nil: undefined });
const list = <T>(item: fc.Arbitrary<T>, minLength = 0) =>
  fc.array(item, { minLength, maxLength: 2 });
const home = fc.constantFrom("shop", "test");

const podLabels = fc.constantFrom(
  {},
  { matchLabels: { app: "web" } },
  { matchLabels: { app: "db" } },
  { matchExpressions: [{ key: "app", operator: "NotIn", values: ["web"] }] },
  { matchExpressions: [{ key: "old", operator: "Exists" }] },
);
const placeLabels = fc.constantFrom(
  {},
  { matchLabels: { env: "prod" } },
  { matchLabels: { "kubernetes.io/metadata.name": "test" } },
  { matchExpressions: [{ key: "env", operator: "NotIn", values: ["prod"] }] },
);
const blocks = fc.constantFrom(
  { ipBlock: { cidr: "10.0.0.0/8", except: ["10.1.0.0/16"] } },
  { ipBlock: { cidr: "203.0.113.0/24" } },
);
const pods = fc.oneof(
  fc.record({ podSelector: podLabels }),
  fc.record({ namespaceSelector: placeLabels }),
  fc.record({ podSelector: podLabels, namespaceSelector: placeLabels }),
);

const kubernetesPorts = fc.constantFrom(
  [{ port: 80 }],
  [
    { port: 80, endPort: 81 },
    { protocol: "UDP", port: 53 },
  ],
  [{ port: "http" }],
  [{ protocol: "UDP" }],
);
const object = (apiVersion: string, kind: string, metadata: object, spec: object): object => ({
  apiVersion,
  kind,
  metadata,
  spec,
});

/** Names are their own. */
const several = (one: (at: number) => fc.Arbitrary<object>): fc.Arbitrary<readonly object[]> =>
  fc.oneof(
    one(0).map((only) => [only]),
    fc.tuple(one(0), one(1)),
    fc.tuple(one(0), one(1), one(2)),
  );

const networkPolicy = (at: number): fc.Arbitrary<object> => {
  const rule = (side: string) =>
    fc
      .record({ peers: list(fc.oneof(pods, blocks)), ports: maybe(kubernetesPorts) })
      .map(({ peers, ports }) => ({
        ...(peers.length === 0 ? {} : { [side]: peers }),
        ...(ports === undefined ? {} : { ports }),
      }));
  return fc
    .record({
      home,
      podSelector: podLabels,
      policyTypes: fc.constantFrom<readonly string[]>(
        ["Ingress"],
        ["Ingress", "Egress"],
        ["Egress"],
      ),
      ingress: list(rule("from")),
      egress: list(rule("to")),
    })
    .map(({ home: namespace, ingress, egress, policyTypes, ...spec }) =>
      object(
        "networking.k8s.io/v1",
        "NetworkPolicy",
        { name: `k${at}`, namespace },
        {
          ...spec,
          policyTypes,
          ...(policyTypes.includes("Ingress") ? { ingress } : {}),
          ...(policyTypes.includes("Egress") ? { egress } : {}),
        },
      ),
    );
};

const clusterPods = fc.oneof(
  fc.record({ namespaces: placeLabels }),
  fc.record({ pods: fc.record({ namespaceSelector: placeLabels, podSelector: podLabels }) }),
);
const clusterEgress = fc.oneof(
  clusterPods,
  fc.constantFrom(
    { networks: ["10.0.0.0/8"] },
    { networks: ["203.0.113.0/24"] },
    { nodes: { matchLabels: { role: "worker" } } },
  ),
);
const clusterPolicy =
  (version: "v1alpha1" | "v1alpha2") =>
  (at: number): fc.Arbitrary<object> => {
    const isNew = version === "v1alpha2";
    const accept = isNew ? "Accept" : "Allow";
    const matches = isNew
      ? fc.constantFrom(
          { protocols: [{ tcp: { destinationPort: { number: 80 } } }] },
          { protocols: [{ udp: { destinationPort: { range: { start: 50, end: 60 } } } }] },
          {},
        )
      : fc.constantFrom(
          { ports: [{ portNumber: { protocol: "TCP", port: 80 } }] },
          { ports: [{ portRange: { protocol: "UDP", start: 50, end: 60 } }] },
          {},
        );
    const isBase = at === 1;
    const rule = (side: string, peer: fc.Arbitrary<object>) =>
      fc
        .record({
          action: fc.constantFrom(accept, "Deny", isBase && !isNew ? "Deny" : "Pass"),
          peers: list(peer, 1),
          match: matches,
        })
        .map(({ action, peers, match }) => ({ action, [side]: peers, ...match }));
    return fc
      .record({
        subject: clusterPods,
        ingress: list(rule("from", clusterPods)),
        egress: list(rule("to", clusterEgress)),
      })
      .map((spec) =>
        object(
          `policy.networking.k8s.io/${version}`,
          isNew
            ? "ClusterNetworkPolicy"
            : isBase
              ? "BaselineAdminNetworkPolicy"
              : "AdminNetworkPolicy",
          { name: isBase && !isNew ? "default" : `c${at}` },
          {
            ...(isNew ? { tier: isBase ? "Baseline" : "Admin" } : {}),
            ...(isBase && !isNew ? {} : { priority: at }),
            ...spec,
          },
        ),
      );
  };

const ciliumSelector = fc.constantFrom(
  {},
  { matchLabels: { app: "web" } },
  { matchLabels: { app: "db", "k8s:io.kubernetes.pod.namespace": "test" } },
  {
    matchExpressions: [
      { key: "io.cilium.k8s.namespace.labels.env", operator: "In", values: ["prod"] },
    ],
  },
);
const ciliumPolicy = (at: number): fc.Arbitrary<object> => {
  const rule = (side: "from" | "to", isDeny: boolean) =>
    fc
      .record({
        peers: fc.oneof(
          fc.record({ [`${side}Endpoints`]: list(ciliumSelector, 1) }),
          fc.constantFrom<object>(
            {},
            { [`${side}CIDR`]: ["203.0.113.0/24"] },
            { [`${side}Entities`]: ["all"] },
            { [`${side}Entities`]: ["world"] },
          ),
        ),
        match: fc.constantFrom<object>(
          {},
          { toPorts: [{ ports: [{ port: "80", protocol: "TCP" }] }] },
          { toPorts: [{ ports: [{ port: "53", protocol: "UDP" }] }] },
          isDeny
            ? {}
            : {
                toPorts: [
                  {
                    ports: [{ port: "80", protocol: "TCP" }],
                    rules: { http: [{ method: "GET" }] },
                  },
                ],
              },
        ),
      })
      .map(({ peers, match }) => ({ ...peers, ...match }));
  return fc
    .record({
      home: maybe(home),
      endpointSelector: podLabels,
      ingress: list(rule("from", false), 1),
      egress: maybe(list(rule("to", false))),
      ingressDeny: maybe(list(rule("from", true))),
      isOpen: fc.boolean(),
    })
    .map(({ home: namespace, egress, ingressDeny, isOpen, ...spec }) =>
      object(
        "cilium.io/v2",
        namespace === undefined ? "CiliumClusterwideNetworkPolicy" : "CiliumNetworkPolicy",
        { name: `i${at}`, ...(namespace && { namespace }) },
        {
          ...spec,
          ...(egress && { egress }),
          ...(ingressDeny && { ingressDeny }),
          ...(isOpen ? { enableDefaultDeny: { ingress: false } } : {}),
        },
      ),
    );
};

const calicoSelector = fc.constantFrom(
  "app == 'web'",
  "app == 'db' || app == 'none'",
  "app not in {'web', 'x'} && has(app)",
  "all()",
);
const calicoPlace = fc.constantFrom("env == 'prod'", "projectcalico.org/name == 'test'", "all()");
const calicoPolicy = (at: number): fc.Arbitrary<object> => {
  const rule = (side: "source" | "destination", isLast: boolean) =>
    fc
      .record({
        action: fc.constantFrom("Allow", "Deny", "Log", isLast ? "Deny" : "Pass"),
        end: fc.oneof(
          fc.record({ selector: calicoSelector }),
          fc.record({ namespaceSelector: calicoPlace, selector: calicoSelector }),
          fc.constantFrom<object>(
            {},
            { nets: ["10.0.0.0/8"], notNets: ["10.1.0.0/16"] },
            { nets: ["203.0.113.0/24", "2001:db8::/32"] },
            { notSelector: "app == 'web'" },
            { serviceAccounts: { names: ["web"] } },
          ),
        ),
        match: fc.constantFrom<Readonly<Record<string, unknown>>>(
          {},
          { protocol: "TCP", ports: [80, "90:95"] },
          { protocol: "UDP", notPorts: [53] },
          { notProtocol: "TCP" },
          { protocol: "ICMP", icmp: { type: 8 } },
          { protocol: "TCP", ports: ["http"] },
        ),
      })
      .map(({ action, end, match: { ports, notPorts, ...match } }) => {
        const target = {
          ...(ports === undefined ? {} : { ports }),
          ...(notPorts === undefined ? {} : { notPorts }),
        };
        return side === "source"
          ? { action, ...match, source: end, destination: target }
          : { action, ...match, destination: { ...end, ...target } };
      });
  const isLast = at === 2;
  return fc
    .record({
      home: maybe(home),
      selector: calicoSelector,
      types: fc.constantFrom<readonly string[]>(["Ingress"], ["Ingress", "Egress"]),
      ingress: list(rule("source", isLast)),
      egress: list(rule("destination", isLast)),
      tier: isLast ? fc.constant("default") : fc.constantFrom("security", "platform"),
      order: fc.constantFrom(at, at + 10),
    })
    .map(({ home: namespace, egress, types, ...spec }) =>
      object(
        "projectcalico.org/v3",
        namespace === undefined ? "GlobalNetworkPolicy" : "NetworkPolicy",
        { name: `p${at}`, ...(namespace && { namespace }) },
        { ...spec, types, ...(types.includes("Egress") ? { egress } : {}) },
      ),
    );
};
const CALICO_TIERS = [
  object("projectcalico.org/v3", "Tier", { name: "security" }, { order: 100 }),
  object(
    "projectcalico.org/v3",
    "Tier",
    { name: "platform" },
    { order: 200, defaultAction: "Pass" },
  ),
];

const antreaPolicy = (at: number): fc.Arbitrary<object> => {
  const isLast = at === 2;
  const rule = (side: "from" | "to") =>
    fc
      .record({
        action: fc.constantFrom("Allow", "Drop", "Reject", isLast ? "Drop" : "Pass"),
        peers: list(fc.oneof(pods, blocks)),
        match: fc.constantFrom<object>(
          {},
          { ports: [{ protocol: "TCP", port: 80 }] },
          { ports: [{ protocol: "UDP", port: 50, endPort: 60 }] },
        ),
      })
      .map(({ action, peers, match }) => ({ action, [side]: peers, ...match }));
  return fc
    .record({
      appliedTo: list(pods, 1),
      ingress: list(rule("from")),
      egress: list(rule("to")),
      tier: isLast ? fc.constant("baseline") : fc.constantFrom("emergency", "application"),
    })
    .map((spec) =>
      object(
        "crd.antrea.io/v1beta1",
        "ClusterNetworkPolicy",
        { name: `a${at}` },
        {
          priority: at + 1.5,
          ...spec,
        },
      ),
    );
};

const istioPolicy = (at: number): fc.Arbitrary<object> => {
  const source = fc.constantFrom<object>(
    { namespaces: ["shop"] },
    { principals: ["cluster.local/ns/test/sa/web"] },
    { principals: ["*"] },
    { notNamespaces: ["shop"] },
    { ipBlocks: ["10.0.0.0/8"], notIpBlocks: ["10.1.0.0/16"] },
  );
  const operation = fc.constantFrom<object>(
    { ports: ["80", "81"] },
    { notPorts: ["81"] },
    { methods: ["GET"], paths: ["/*"] },
    { notMethods: ["GET"] },
    { hosts: ["a"] },
  );
  const rule = fc
    .record({
      from: maybe(list(source, 1)),
      to: maybe(list(operation, 1)),
      when: maybe(fc.constant([{ key: "request.headers[x-a]", values: ["b*"] }])),
    })
    .map(({ from, to, when }) => ({
      ...(from && { from: from.map((one) => ({ source: one })) }),
      ...(to && { to: to.map((one) => ({ operation: one })) }),
      ...(when && { when }),
    }));
  return fc
    .record({
      home: fc.constantFrom("shop", "test", "istio-system"),
      selector: maybe(fc.constant({ matchLabels: { app: "db" } })),
      action: at === 1 ? fc.constant("DENY") : fc.constantFrom("ALLOW", "DENY"),
      rules: list(rule),
    })
    .map(({ home: namespace, selector, ...spec }) =>
      object(
        "security.istio.io/v1",
        "AuthorizationPolicy",
        { name: `s${at}`, namespace },
        { ...spec, ...(selector && { selector }) },
      ),
    );
};
const withTls = (policies: readonly object[]) =>
  fc
    .constantFrom<object | null>(
      null,
      object(
        "security.istio.io/v1",
        "PeerAuthentication",
        { name: "t", namespace: "shop" },
        { mtls: { mode: "STRICT" } },
      ),
      object(
        "security.istio.io/v1",
        "PeerAuthentication",
        { name: "t", namespace: "shop" },
        { mtls: { mode: "DISABLE" } },
      ),
      object(
        "security.istio.io/v1",
        "PeerAuthentication",
        { name: "t", namespace: "test" },
        {
          selector: { matchLabels: { app: "db" } },
          mtls: { mode: "STRICT" },
          portLevelMtls: { "80": { mode: "PERMISSIVE" }, "81": { mode: "DISABLE" } },
        },
      ),
    )
    .map((tls) => (tls === null ? policies : [...policies, tls]));

const nativePolicy = (at: number): fc.Arbitrary<object> => {
  const tier = (["guardrail", "application", "baseline"] as const)[at] ?? "application";
  const peer = fc.constantFrom<unknown>(
    "app=web",
    { selector: "app=db", namespace: "*" },
    { selector: "", namespaceSelector: "env=prod" },
    { cidr: "10.0.0.0/8", except: ["10.1.0.0/16"] },
    { entity: "world" },
    { any: true },
  );
  const rule = (side: string) =>
    fc
      .record({
        action: fc.constantFrom("allow", "deny", tier === "guardrail" ? "pass" : "deny"),
        peers: list(peer, 1),
        ports: fc.constantFrom(["80/tcp"], ["50-60/udp"], ["http/tcp", "81/tcp"], ["icmp/8/0-255"]),
      })
      .map(({ peers, ...rest }) => ({ ...rest, [side]: peers }));
  return fc
    .record({ home, ingress: list(rule("from")), egress: maybe(list(rule("to"))) })
    .map(({ home: namespace, ingress, egress }) =>
      object(
        "bulkhead.dev/v1",
        "Policy",
        { name: `n${at}`, namespace },
        {
          tier,
          subject: "app=db",
          ingress,
          ...(egress && { egress }),
        },
      ),
    );
};

const withTiers = (policies: readonly object[]) => [...CALICO_TIERS, ...policies];

export const SOURCES: Readonly<Record<string, fc.Arbitrary<readonly object[]>>> = {
  kubernetes: several(networkPolicy),
  clusternetworkpolicy: several(clusterPolicy("v1alpha2")),
  adminnetworkpolicy: several(clusterPolicy("v1alpha1")),
  cilium: several(ciliumPolicy),
  calico: several(calicoPolicy).map(withTiers),
  istio: several(istioPolicy).chain(withTls),
  antrea: several(antreaPolicy),
  bulkhead: several(nativePolicy),
};
