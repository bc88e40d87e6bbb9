/** Random folders of manifests: nodes, pods with and without addresses, on the node's network too, and policies of three dialects. */
import fc from "fast-check";
import { stringify } from "yaml";

const NAMESPACES = ["shop", "ops"] as const;
const namespace = fc.constantFrom(...NAMESPACES);
const labels = fc.record(
  { app: fc.constantFrom("web", "db"), tier: fc.constantFrom("a", "b") },
  { requiredKeys: [] },
);
const selector = fc.oneof(
  fc.constant({}),
  fc.record({ matchLabels: labels }),
  fc.constantFrom(
    { matchExpressions: [{ key: "tier", operator: "Exists" }] },
    { matchExpressions: [{ key: "app", operator: "NotIn", values: ["db"] }] },
  ),
);
const prefix = fc.constantFrom("10.0.0.0/8", "10.1.0.0/16", "0.0.0.0/0", "2001:db8::/32", "::/0");
const peer = fc.oneof(
  fc.record({ podSelector: selector }),
  fc.record({ namespaceSelector: selector }),
  fc.record({ namespaceSelector: selector, podSelector: selector }),
  prefix.map((cidr) => ({
    ipBlock: { cidr, ...(cidr === "10.0.0.0/8" ? { except: ["10.1.0.0/16"] } : {}) },
  })),
);
const port = fc.constantFrom<object>(
  { port: 80 },
  { port: 53, protocol: "UDP" },
  { port: 7000, endPort: 7100, protocol: "SCTP" },
  { port: "http" },
  { protocol: "UDP" },
);
const rule = (way: "from" | "to") =>
  fc.record(
    { [way]: fc.array(peer, { maxLength: 2 }), ports: fc.array(port, { maxLength: 2 }) },
    { requiredKeys: [] },
  );

const networkPolicy = fc
  .record({
    namespace,
    podSelector: selector,
    ingress: fc.option(fc.array(rule("from"), { maxLength: 2 }), { nil: undefined }),
    egress: fc.option(fc.array(rule("to"), { maxLength: 2 }), { nil: undefined }),
  })
  .map(({ namespace: home, ingress, egress, podSelector }) => (name: string) => ({
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: { name, namespace: home },
    spec: {
      podSelector,
      policyTypes: [
        ...(ingress === undefined ? [] : ["Ingress"]),
        ...(egress === undefined ? [] : ["Egress"]),
      ],
      ...(ingress === undefined ? {} : { ingress }),
      ...(egress === undefined ? {} : { egress }),
    },
  }));

const nativePolicy = fc
  .record({
    namespace,
    tier: fc.constantFrom("guardrail", "application", "baseline"),
    action: fc.constantFrom("allow", "deny"),
    to: fc.constantFrom<unknown>("any", { cidr: "0.0.0.0/0" }, { selector: "app=db" }, "world"),
    ports: fc.constantFrom(["80/tcp"], ["icmp/echo-request"], ["53/udp", "7000-7100/sctp"]),
  })
  .map(({ namespace: home, tier, action, to, ports }) => (name: string) => ({
    apiVersion: "bulkhead.dev/v1",
    kind: "Policy",
    metadata: { name, namespace: home },
    // Each its own priority: rules that contradict one another at the same are an error.
    spec: {
      tier,
      priority: Number(name.slice(1)) + 1,
      subject: "app=web",
      egress: [{ action, to: [to], ports }],
    },
  }));

const adminPolicy = fc
  .record({
    version: fc.constantFrom("AdminNetworkPolicy", "BaselineAdminNetworkPolicy"),
    subject: selector,
    action: fc.constantFrom("Allow", "Deny", "Pass"),
    to: fc.constantFrom<object>(
      { namespaces: { matchLabels: { app: "db" } } },
      { pods: { namespaceSelector: {}, podSelector: { matchLabels: { tier: "a" } } } },
      { networks: ["10.0.0.0/8", "0.0.0.0/0"] },
      { nodes: { matchLabels: { zone: "a" } } },
    ),
    ports: fc.option(
      fc.constantFrom<object[]>(
        [{ portNumber: { protocol: "TCP", port: 80 } }],
        [{ portRange: { protocol: "SCTP", start: 7000, end: 7100 } }],
      ),
      { nil: undefined },
    ),
  })
  .map(({ version, subject, action, to, ports }) => (name: string) => {
    const isBaseline = version.startsWith("Baseline");
    return {
      apiVersion: "policy.networking.k8s.io/v1alpha1",
      kind: version,
      metadata: { name: isBaseline ? "default" : name },
      spec: {
        ...(isBaseline ? {} : { priority: Number(name.slice(1)) + 1 }),
        subject: { namespaces: subject },
        egress: [
          {
            action: isBaseline && action === "Pass" ? "Deny" : action,
            to: [to],
            ...(ports === undefined ? {} : { ports }),
          },
        ],
      },
    };
  });

const node = fc
  .record({ labels: fc.constantFrom({ zone: "a" }, {}), isKnown: fc.boolean() })
  .map(({ labels: own, isKnown }) => (name: string) => ({
    apiVersion: "v1",
    kind: "Node",
    metadata: { name, labels: own },
    ...(isKnown
      ? { status: { addresses: [{ type: "InternalIP", address: `10.9.0.${name.slice(1)}` }] } }
      : {}),
  }));

const pod = fc
  .record({
    namespace,
    labels,
    address: fc.option(fc.integer({ min: 1, max: 9 }), { nil: undefined }),
    hostNetwork: fc.integer({ min: 0, max: 5 }).map((at) => at === 0),
    http: fc.constantFrom(80, 8080),
    nodeName: fc.constantFrom("m1", "m1", "m2", "elsewhere", undefined),
  })
  .map(({ address, hostNetwork, http, nodeName, ...metadata }) => (name: string) => ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, ...metadata },
    spec: {
      hostNetwork,
      ...(nodeName === undefined ? {} : { nodeName }),
      containers: [{ name: "c", image: "i", ports: [{ name: "http", containerPort: http }] }],
    },
    ...(address === undefined ? {} : { status: { podIP: `10.0.0.${address}` } }),
  }));

/** There may be one BaselineAdminNetworkPolicy in a cluster. */
function withOneBaseline<T extends { readonly kind: string }>(
  policies: readonly T[],
): readonly T[] {
  const first = policies.find(({ kind }) => kind.startsWith("Baseline"));
  return policies.filter((one) => one === first || !one.kind.startsWith("Baseline"));
}

/** Documents, each to stand alone. */
export const folder: fc.Arbitrary<readonly string[]> = fc
  .record({
    pods: fc.array(pod, { minLength: 1, maxLength: 5 }),
    nodes: fc.array(node, { maxLength: 2 }),
    policies: fc.array(fc.oneof(networkPolicy, networkPolicy, nativePolicy, adminPolicy), {
      maxLength: 4,
    }),
  })
  .map(({ pods, nodes, policies }) =>
    [
      ...NAMESPACES.map((name) => ({
        apiVersion: "v1",
        kind: "Namespace",
        metadata: { name, labels: { app: name === "shop" ? "web" : "db" } },
      })),
      ...pods.map((make, at) => make(`p${at}`)),
      ...nodes.map((make, at) => make(`m${at + 1}`)),
      ...withOneBaseline(policies.map((make, at) => make(`n${at}`))),
    ].map((one) => stringify(one, { aliasDuplicateObjects: false })),
  );
