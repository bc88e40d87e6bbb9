/** Sound policies of Cilium of every kind and shape, for properties. */
import fc from "fast-check";

const optional = <T extends Record<string, fc.Arbitrary<unknown>>>(model: T) =>
  fc.record(model, { requiredKeys: [], noNullPrototype: true });
const some = <T>(item: fc.Arbitrary<T>) => fc.array(item, { minLength: 1, maxLength: 2 });

const key = fc.constantFrom(
  "app",
  "k8s:app",
  "any:tier",
  "container:app",
  "kubernetes.io/name",
  "io.cilium.k8s.policy.serviceaccount",
  "k8s:io.kubernetes.pod.namespace",
  "io.cilium.k8s.namespace.labels.team",
);
const value = fc.constantFrom("web", "db", "shop", "v1.0", "");
const expression = fc.oneof(
  fc.record({ key, operator: fc.constantFrom("In", "NotIn"), values: some(value) }),
  fc.record({ key, operator: fc.constantFrom("Exists", "DoesNotExist") }),
);
const selector = fc.oneof(
  fc.constant({}),
  optional({
    matchLabels: fc.dictionary(key, value, { maxKeys: 2, noNullPrototype: true }),
    matchExpressions: some(expression),
  }),
);
const reserved = fc
  .constantFrom("host", "world", "init", "kube-apiserver", "remote-node")
  .map((name) => ({ matchLabels: { [`reserved:${name}`]: "" } }));
const cidr = fc.constantFrom("10.0.0.0/8", "192.0.2.0/24", "2001:db8::/32", "0.0.0.0/0");
const cidrRule = fc.oneof(
  fc.record({ cidr }),
  fc.constant({ cidr: "10.0.0.0/8", except: ["10.1.0.0/16"] }),
  fc.constant({ cidrGroupRef: "office" }),
);
const entity = fc.constantFrom(
  "all",
  "cluster",
  "world",
  "world-ipv4",
  "world-ipv6",
  "host",
  "remote-node",
  "kube-apiserver",
  "init",
  "health",
  "ingress",
  "unmanaged",
  "none",
);
const domain = fc.constantFrom(
  { matchName: "a.example" },
  { matchName: "A-1.Example." },
  { matchPattern: "*" },
  { matchPattern: "*.b_1.example" },
  { matchPattern: "**.c.example" },
  { matchPattern: "x*y.example" },
);

/** `side`: `from` or `to`. */
const peersOf = (side: string) =>
  fc.oneof(
    fc.constant({}),
    fc.record({ [`${side}Endpoints`]: fc.array(fc.oneof(selector, reserved), { maxLength: 2 }) }),
    fc.record({ [`${side}Nodes`]: some(selector.map(() => ({ matchLabels: { zone: "a" } }))) }),
    fc.record({ [`${side}CIDR`]: some(cidr) }),
    fc.record({ [`${side}CIDRSet`]: some(cidrRule) }),
    fc.record({ [`${side}Entities`]: some(entity) }),
  );

const protocol = fc.constantFrom("TCP", "UDP", "SCTP", "ANY");
const port = fc.oneof(
  fc.record({ port: fc.constantFrom("80", "443", "0", "http"), protocol }),
  fc.record({ port: fc.constant("53") }),
  fc.constant({ port: "8000", endPort: 8010, protocol: "TCP" }),
  fc.constant({ port: "0", protocol: "GRE" }),
);
const tcp = some(
  fc.record({ port: fc.constantFrom("80", "443", "http"), protocol: fc.constant("TCP") }),
);
const httpRule = optional({
  path: fc.constantFrom("/a.*", "/(a|b)"),
  method: fc.constantFrom("GET", "PUT|POST"),
  host: fc.constant("a[.]example"),
  headers: some(fc.constantFrom("X-A: b c", "X-A", "X-B b", "X-C: ")),
  headerMatches: some(
    fc.constantFrom({ name: "X-D", value: "e" }, { name: "X-D" }, { name: "X-D", mismatch: "LOG" }),
  ),
});
const portRule = fc.oneof(
  { weight: 3, arbitrary: fc.record({ ports: fc.array(port, { maxLength: 3 }) }) },
  fc.record({ ports: tcp, rules: fc.record({ http: some(httpRule) }) }),
  fc.record({ ports: tcp, serverNames: some(fc.constantFrom("a.example", "*.b.example", "**.c")) }),
);
const dnsRule = fc.record({
  ports: fc.constant([{ port: "53", protocol: "ANY" }]),
  rules: fc.record({ dns: some(domain) }),
});
const icmps = some(
  fc.record({
    fields: fc.array(
      fc.constantFrom({ type: 8 }, { family: "IPv6", type: "EchoRequest" }, { type: 255 }),
      { maxLength: 2 },
    ),
  }),
);
const wanted = (ports: fc.Arbitrary<unknown>) =>
  fc.oneof(
    fc.constant({}),
    fc.record({ toPorts: fc.array(ports, { maxLength: 2 }) }),
    fc.record({ icmps }),
  );
const authentication = optional({
  authentication: fc.record({ mode: fc.constantFrom("required", "disabled", "test-always-fail") }),
});
const joined = (...parts: readonly fc.Arbitrary<object>[]) =>
  fc.tuple(...parts).map((all) => Object.assign({}, ...all) as Record<string, unknown>);

const denial = (side: string) =>
  joined(peersOf(side), wanted(fc.record({ ports: fc.array(port, { maxLength: 3 }) })));
const egress = joined(
  fc.oneof(peersOf("to"), fc.record({ toFQDNs: some(domain) })),
  wanted(fc.oneof(portRule, dnsRule)),
  authentication,
);
const sections = {
  ingress: fc.array(joined(peersOf("from"), wanted(portRule), authentication), { maxLength: 2 }),
  ingressDeny: fc.array(denial("from"), { maxLength: 2 }),
  // One parser a port: those of DNS stand at 53, and nothing else does.
  egress: fc.array(egress, { maxLength: 2 }),
  egressDeny: fc.array(denial("to"), { maxLength: 2 }),
  enableDefaultDeny: optional({ ingress: fc.boolean(), egress: fc.boolean() }),
  description: fc.constant("why"),
};
const spec = joined(
  fc.record({ endpointSelector: selector }),
  optional(sections),
  sections.ingress.map((ingress) => ({ ingress })),
);
const ofNodes = joined(
  fc.record({ nodeSelector: fc.constantFrom({}, { matchLabels: { zone: "a" } }) }),
  fc.record({ ingress: fc.array(denial("from")), egressDeny: sections.egressDeny }),
);
const metadata = (namespace?: string) =>
  fc.constantFrom("a", "b").map((name) => ({ name, ...(namespace && { namespace }) }));

const policy = (kind: string, of: fc.Arbitrary<unknown>, namespace?: string) =>
  fc.oneof(
    fc.record({
      apiVersion: fc.constant("cilium.io/v2"),
      kind: fc.constant(kind),
      metadata: metadata(namespace),
      spec: of,
    }),
    fc.record({
      apiVersion: fc.constant("cilium.io/v2"),
      kind: fc.constant(kind),
      metadata: metadata(namespace),
      specs: some(of),
    }),
  );

export const ciliumPolicy = fc.oneof(
  { weight: 3, arbitrary: policy("CiliumNetworkPolicy", spec, "shop") },
  policy("CiliumClusterwideNetworkPolicy", fc.oneof(spec, ofNodes)),
);

export const OFFICE = {
  apiVersion: "cilium.io/v2",
  kind: "CiliumCIDRGroup",
  metadata: { name: "office" },
  spec: { externalCIDRs: ["198.51.100.0/24", "2001:db8:1::/48"] },
};
