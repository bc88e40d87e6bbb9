/** Sound native resources of every kind and shape, for properties. */
import { API_VERSION, type NativeManifest } from "@bulkhead/model";
import fc from "fast-check";

const name = fc.constantFrom("a", "web", "db-1", "shop.prod", "x0");
const namespace = fc.constantFrom("shop", "default", "n-1");
const key = fc.constantFrom("app", "tier", "kubernetes.io/name");
const value = fc.constantFrom("db", "web", "", "v1.0", "007", "true", "null");
const labels = fc.dictionary(key, value, { noNullPrototype: true });
const optional = <T extends Record<string, fc.Arbitrary<unknown>>>(model: T) =>
  fc.record(model, { requiredKeys: [], noNullPrototype: true });

const expression = fc.oneof(
  fc.record({
    key,
    operator: fc.constantFrom("In" as const, "NotIn" as const),
    values: fc.array(value, { minLength: 1, maxLength: 3 }),
  }),
  fc.record({ key, operator: fc.constantFrom("Exists" as const, "DoesNotExist" as const) }),
);
const selector = fc.oneof(
  fc.constantFrom("", "app=db", "app in (a,b),!old", "tier!=x"),
  optional({ matchLabels: labels, matchExpressions: fc.array(expression, { maxLength: 2 }) }),
);
const workloads = fc.oneof(
  fc.record({ selector }),
  fc.record({ selector, namespace: fc.constantFrom("*", "shop") }),
  fc.record({ selector, namespaceSelector: selector }),
);
const cidr = fc.constantFrom("10.0.0.0/8", "192.0.2.0/24", "2001:db8::/32", "::1/128");
const peer = fc.oneof(
  fc.constantFrom("", "app=web", "app in (a,b)"),
  workloads,
  fc.record({ networkSet: fc.constantFrom("office", "shared/office") }),
  fc.record({ cidr: fc.constant("10.0.0.0/8"), except: fc.constant(["10.1.0.0/16"]) }),
  fc.record({ cidr }),
  fc.record({ entity: fc.constantFrom("host" as const, "world" as const) }),
  fc.constant({ any: true as const }),
);
const port = fc.oneof(
  fc.constantFrom(
    "5432/tcp",
    "8000-8100/tcp",
    "53/udp",
    "http/tcp",
    "icmp",
    "icmp/echo-request",
    "gre",
    "all",
  ),
  fc.integer({ min: 1, max: 65535 }),
);
const ports = fc.array(port, { minLength: 1, maxLength: 3 });
const words = fc.constantFrom(
  "team-db",
  "because: of #42",
  "  padded ",
  "ünïcode",
  "'quoted'",
  "yes",
);
const mode = fc.constantFrom("audit" as const, "enforce" as const);
const expires = fc.constantFrom("2031-01-01T00:00:00Z", "2032-02-29T12:30:00+02:00");

const metadata = fc
  .tuple(
    name,
    optional({
      namespace,
      labels,
      annotations: fc.dictionary(key, words, { noNullPrototype: true }),
    }),
  )
  .map(([one, rest]) => ({ name: one, ...rest }));
const resource = <K extends string, S>(kind: K, spec: fc.Arbitrary<S>) =>
  metadata.chain((meta) =>
    spec.map((body) => ({ apiVersion: API_VERSION, kind, metadata: meta, spec: body }) as const),
  );

const ruleOptions = optional({
  action: fc.constantFrom(
    "allow" as const,
    "deny" as const,
    "reject" as const,
    "pass" as const,
    "log" as const,
  ),
  ports,
  description: words,
});
const peers = fc.array(peer, { minLength: 1, maxLength: 3 });
const ingress = fc.array(
  fc.tuple(peers, ruleOptions).map(([from, rest]) => ({ from, ...rest })),
  { maxLength: 3 },
);
const egress = fc.array(
  fc.tuple(peers, ruleOptions).map(([to, rest]) => ({ to, ...rest })),
  { maxLength: 3 },
);

export const policyManifest = resource(
  "Policy",
  fc
    .tuple(
      fc.oneof(fc.constantFrom("", "app=db"), workloads),
      optional({
        owner: words,
        reason: words,
        tier: fc.constantFrom(
          "emergency" as const,
          "guardrail" as const,
          "application" as const,
          "baseline" as const,
        ),
        priority: fc.nat(1_000_000),
        mode,
        expires,
        ingress,
        egress,
      }),
    )
    .map(([subject, rest]) => ({ subject, ...rest })),
);

const inventoryWorkload = fc
  .tuple(
    name,
    fc.oneof(
      fc.record({ netns: words }),
      fc.record({ container: words }),
      fc.record({
        unit: fc.constantFrom("nginx.service", "getty@tty1.service", "/system.slice/a\\x2db.scope"),
      }),
      fc.record({
        addresses: fc.array(fc.constantFrom("10.0.0.1", "2001:db8::1"), { maxLength: 2 }),
      }),
    ),
    optional({
      namespace,
      labels,
      ports: fc.array(
        fc.record({
          name: fc.constantFrom("http", "db-1"),
          port: fc.integer({ min: 1, max: 65535 }),
          protocol: fc.constantFrom("tcp" as const, "udp" as const),
        }),
        { maxLength: 2 },
      ),
      kind: fc.constantFrom("vm" as const, "external" as const),
      sockets: fc.array(
        optional({
          protocol: fc.constantFrom("tcp" as const, "udp" as const),
          address: fc.constantFrom("127.0.0.1", "::1"),
        }).map((rest) => ({ port: 80, ...rest })),
        { maxLength: 2 },
      ),
      borrowedSockets: fc.constant("accepted" as const),
      owner: fc.constant("Deployment/shop"),
    }),
  )
  .map(([one, binding, { kind, sockets, borrowedSockets, ...rest }]) => ({
    name: one,
    ...binding,
    ...rest,
    ...("unit" in binding
      ? {
          ...(sockets === undefined ? {} : { sockets }),
          ...(borrowedSockets === undefined ? {} : { borrowedSockets }),
        }
      : {}),
    ...(kind === undefined || "unit" in binding ? {} : { kind }),
  }));

export const manifest: fc.Arbitrary<NativeManifest> = fc.oneof(
  { weight: 4, arbitrary: policyManifest },
  resource(
    "Intent",
    fc
      .tuple(
        fc.record({ from: peer, to: peer }),
        optional({ ports, owner: words, reason: words, mode, expires }),
      )
      .map(([ends, rest]) => ({ ...ends, ...rest })),
  ),
  resource(
    "Exception",
    fc.record({ from: peer, to: peer, ports, owner: words, reason: words, expires }),
  ),
  resource("NetworkSet", fc.record({ cidrs: fc.array(cidr, { maxLength: 3 }) })),
  resource(
    "Inventory",
    optional({
      namespaces: fc.array(
        fc.tuple(namespace, optional({ labels })).map(([one, rest]) => ({ name: one, ...rest })),
        { maxLength: 2 },
      ),
      workloads: fc.array(inventoryWorkload, { maxLength: 3 }),
      machine: optional({
        nodeExempt: fc.boolean(),
        hairpinExempt: fc.boolean(),
        addresses: fc.subarray(["10.0.0.1", "2001:db8::1"]),
        dhcp: fc.subarray(["br0", "veth-web", "enp3s0.12"]),
        dns: fc.subarray(["10.0.0.1", "10.0.0.1:5353", "fd00::1", "[fd00::1]:5353"]),
        invariants: optional({
          ssh: fc.subarray(["192.0.2.7", "192.0.2.7:2222", "[fd00::7]:2222"]),
          dns: fc.subarray(["10.0.0.1", "fd00::1"]),
          ntp: fc.subarray(["10.0.0.2"]),
          dhcp: fc.subarray(["10.0.0.3"]),
          metadata: fc.subarray(["169.254.169.254"]),
          connect: fc.subarray(["10.0.0.9:443", "[fd00::9]:443"]),
        }),
      }),
    }),
  ),
  resource(
    "PolicyTest",
    fc.record({
      tests: fc.array(
        fc
          .tuple(
            fc.record({
              from: fc.constantFrom("web", "shop/web", "10.0.0.1"),
              to: fc.constantFrom("db", "::1"),
              port,
              expect: fc.constantFrom("allow" as const, "deny" as const),
            }),
            optional({
              name: words,
              http: fc.constantFrom("GET /x", "POST https://api.example.com/x?y=1", "* *"),
              names: fc.subarray(["api.example.com", "cdn.example.com"]),
            }),
          )
          .map(([test, rest]) => ({ ...test, ...rest })),
        { maxLength: 2 },
      ),
    }),
  ),
);
