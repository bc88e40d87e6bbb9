import { describe, expect, test } from "vitest";
import { parseFiles } from "../src/index.ts";
import { withField } from "./every-field.ts";

type Field = readonly [path: string, value: unknown, codes: string | null];

/**
 * Every field of cilium/cilium `pkg/policy/api/{rule,ingress,egress,l4,l7,http,fqdn,cidr,icmp,service}.go` and of the CRDs
 * `ciliumnetworkpolicies.yaml`, `ciliumclusterwidenetworkpolicies.yaml` (v2) and `ciliumcidrgroups.yaml` (v2, v2alpha1), as
 * of v1.19, and what older versions had besides; with one value, and what reading it must say. `null`: not a word.
 */
const METADATA: readonly Field[] = [
  ["metadata.namespace", "shop", null],
  ["metadata.labels", { a: "b" }, null],
  ["metadata.annotations", { "config.cilium.io/x": "y" }, null],
  ["metadata.managedFields", [{ manager: "a" }], null],
  ["status", { conditions: [{ type: "Valid", status: "True" }] }, null],
];

const selector = (path: string): readonly Field[] => [
  [path, {}, null],
  [`${path}.matchLabels`, { app: "a" }, null],
  [`${path}.matchLabels`, { "k8s:app": "a", "any:app": "a", "container:a/b": "c" }, null],
  [`${path}.matchExpressions`, [{ key: "k8s:app", operator: "In", values: ["b"] }], null],
  [`${path}.matchExpressions`, [{ key: "app", operator: "NotIn", values: ["b"] }], null],
  [`${path}.matchExpressions`, [{ key: "app", operator: "Exists" }], null],
  [`${path}.matchExpressions`, [{ key: "app", operator: "DoesNotExist" }], null],
  [`${path}.zebra`, 1, "BH0102"],
  [`${path}.matchLabels`, { "-a": "b" }, "BH0202"],
  [`${path}.matchLabels`, { a: "-b" }, "BH0202"],
  [`${path}.matchLabels`, { "reserved:zebra": "" }, "BH0202"],
  [`${path}.matchExpressions`, [{ key: "a", operator: "In" }], "BH0201"],
  [`${path}.matchExpressions`, [{ key: "a", operator: "Exists", values: ["b"] }], "BH0201"],
];

/** `side` as `from` or `to`, `at` as `spec.ingress.0`. */
const peers = (at: string, side: "from" | "to"): readonly Field[] => [
  [at, {}, null],
  ...selector(`${at}.${side}Endpoints.0`),
  ...selector(`${at}.${side}Nodes.0`),
  [`${at}.${side}Endpoints`, [], null],
  [`${at}.${side}Requires`, [{ matchLabels: { team: "a" } }], "BH0402"],
  [`${at}.${side}CIDR`, ["10.0.0.0/8", "2001:db8::/32"], null],
  [`${at}.${side}CIDR`, ["10.0.0.1"], "BH0203"],
  [`${at}.${side}CIDRSet.0`, { cidr: "10.0.0.0/8", except: ["10.1.0.0/16"] }, null],
  [`${at}.${side}CIDRSet.0`, { cidr: "10.0.0.0/8", except: ["10.0.0.0/8"] }, null],
  [`${at}.${side}CIDRSet.0`, { cidr: "10.0.0.0/8", except: ["11.0.0.0/8"] }, "BH0208"],
  [`${at}.${side}CIDRSet.0.cidrGroupRef`, "office", null],
  [`${at}.${side}CIDRSet.0.cidrGroupSelector`, { matchLabels: { site: "a" } }, null],
  [`${at}.${side}CIDRSet.0`, { cidr: "10.0.0.0/8", cidrGroupRef: "office" }, "BH0109"],
  [`${at}.${side}CIDRSet.0`, { except: ["10.0.0.0/8"] }, "BH0103"],
  [`${at}.${side}CIDRSet.0`, { cidr: "10.0.0.0/8", zebra: 1 }, "BH0102"],
  [`${at}.${side}Groups.0.aws`, { securityGroupsIds: ["sg-1"], region: "a" }, "BH0402"],
  ...[
    "all",
    "world",
    "world-ipv4",
    "world-ipv6",
    "cluster",
    "host",
    "init",
    "ingress",
    "unmanaged",
    "remote-node",
    "health",
    "none",
    "kube-apiserver",
  ].map((entity): Field => [`${at}.${side}Entities`, [entity], null]),
  [`${at}.${side}Entities`, ["zebra"], "BH0105"],
  [`${at}.zebra`, 1, "BH0102"],
  [at, { [`${side}CIDR`]: ["10.0.0.0/8"], [`${side}Entities`]: ["world"] }, "BH0109"],
  [at, { [`${side}CIDR`]: [], [`${side}Entities`]: ["world"] }, null],
];

const tls = {
  secret: { namespace: "a", name: "b" },
  trustedCA: "a",
  certificate: "b",
  privateKey: "c",
};
const envoy = {
  envoyConfig: { kind: "CiliumEnvoyConfig", name: "a" },
  name: "b",
  priority: 1,
};
const tcp = { port: "80", protocol: "TCP" };
const http = { http: [{}] };

const l4 = (at: string): readonly Field[] => [
  [`${at}.toPorts`, [], null],
  [`${at}.toPorts`, [{}], null],
  ...["TCP", "UDP", "SCTP", "ANY"].map((protocol): Field => [
    `${at}.toPorts.0.ports.0`,
    { port: "80", protocol },
    null,
  ]),
  ...["VRRP", "IGMP", "GRE", "IPIP", "IPV6", "ESP", "AH"].flatMap((protocol): Field[] => [
    [`${at}.toPorts.0.ports.0`, { port: "0", protocol }, null],
    [`${at}.toPorts.0.ports.0`, { protocol }, null],
    [`${at}.toPorts.0.ports.0`, { port: "1", protocol }, "BH0205"],
  ]),
  [`${at}.toPorts.0.ports.0.port`, "http-8080", null],
  [`${at}.toPorts.0.ports.0.port`, 80, "BH0104"],
  [`${at}.toPorts.0.ports.0.port`, "65535", null],
  [`${at}.toPorts.0.ports.0.port`, "65536", "BH0205"],
  [`${at}.toPorts.0.ports.0.port`, "080", "BH0205"],
  [`${at}.toPorts.0.ports.0.protocol`, "TCP", "BH0103"],
  [`${at}.toPorts.0.ports.0`, { port: "80", protocol: "ICMP" }, "BH0105"],
  [`${at}.toPorts.0.ports.0`, { port: "80", endPort: 90 }, null],
  [`${at}.toPorts.0.ports.0`, { port: "80", endPort: 80 }, null],
  [`${at}.toPorts.0.ports.0`, { port: "80", endPort: 79 }, "BH0206"],
  [`${at}.toPorts.0.ports.0`, { port: "http", endPort: 90 }, "BH0404"],
  [`${at}.toPorts.0.ports`, Array.from({ length: 41 }, () => tcp), "BH0410"],
  [`${at}.toPorts.0.zebra`, 1, "BH0102"],
  [`${at}.toPorts.0.ports.0`, { port: "80", zebra: 1 }, "BH0102"],
  [`${at}.icmps.0.fields.0`, { family: "IPv4", type: 8 }, null],
  [`${at}.icmps.0.fields.0`, { type: "EchoRequest" }, null],
  [`${at}.icmps.0.fields.0`, { family: "IPv6", type: "PacketTooBig" }, null],
  [`${at}.icmps.0.fields.0`, { family: "IPv4", type: "PacketTooBig" }, "BH0105"],
  [`${at}.icmps.0.fields.0`, { family: "IPv5", type: 8 }, "BH0105"],
  [`${at}.icmps.0.fields.0`, { type: 256 }, "BH0105"],
  [`${at}.icmps.0.fields`, Array.from({ length: 41 }, () => ({ type: 8 })), "BH0410"],
  [`${at}.icmps.0.zebra`, 1, "BH0102"],
  [at, { toPorts: [{ ports: [tcp] }], icmps: [{ fields: [{ type: 8 }] }] }, "BH0109"],
];

const allowOnly = (at: string): readonly Field[] => [
  ...["disabled", "required", "test-always-fail"].map((mode): Field => [
    `${at}.authentication.mode`,
    mode,
    null,
  ]),
  [`${at}.authentication`, {}, "BH0103"],
  [`${at}.toPorts.0`, { ports: [tcp], terminatingTLS: tls }, "BH0404"],
  [`${at}.toPorts.0`, { ports: [tcp], originatingTLS: tls }, "BH0404"],
  [`${at}.toPorts.0`, { ports: [tcp], serverNames: ["a.b", "*.a.b", "**.a.b", "a.*.b"] }, null],
  [`${at}.toPorts.0`, { ports: [tcp], serverNames: [""] }, "BH0107"],
  [`${at}.toPorts.0`, { ports: [tcp], serverNames: ["a*.b"] }, "BH0107"],
  [`${at}.toPorts.0`, { ports: [tcp], serverNames: ["a"], rules: http }, "BH0410"],
  [
    `${at}.toPorts.0`,
    { ports: [tcp], serverNames: ["a"], rules: http, terminatingTLS: tls },
    "BH0404",
  ],
  ...(
    [
      [{ path: "/a.*", method: "GET|HEAD", host: "a[.]b" }, null],
      [{ headers: ["X-A: b", "X-A b", "X-A"] }, null],
      [{ headers: ["X A: b:"] }, null],
      [{ headers: [": b"] }, "BH0107"],
      [{ headerMatches: [{ name: "X-A", value: "b", mismatch: "LOG" }] }, null],
      [{ headerMatches: [{ name: "X-A", mismatch: "ADD" }] }, null],
      [{ headerMatches: [{ name: "X-A", mismatch: "KEEP" }] }, "BH0105"],
      [{ headerMatches: [{ name: "X-A", secret: { name: "a" } }] }, "BH0402"],
      [{ headerMatches: [{ name: "X-A", mismatch: "ADD", secret: { name: "a" } }] }, null],
      [{ headerMatches: [{ value: "b" }] }, "BH0103"],
      [{ path: "(" }, "BH0411"],
      [{ method: "a{1001}" }, "BH0411"],
      [{ host: "a".repeat(2001) }, "BH0411"],
      [{ zebra: 1 }, "BH0102"],
    ] as const
  ).map(([rule, code]): Field => [
    `${at}.toPorts.0`,
    { ports: [tcp], rules: { http: [rule] } },
    code,
  ]),
  [`${at}.toPorts.0`, { ports: [tcp], rules: { http: [] } }, "BH0404"],
  [`${at}.toPorts.0`, { ports: [tcp], rules: {} }, "BH0404"],
  [`${at}.toPorts.0`, { ports: [tcp], rules: { zebra: 1 } }, "BH0102"],
  [`${at}.toPorts.0`, { ports: [tcp], rules: { kafka: [{ topic: "a" }] } }, "BH0402"],
  [`${at}.toPorts.0`, { ports: [tcp], rules: { l7proto: "a", l7: [{ b: "c" }] } }, "BH0402 BH0402"],
  [`${at}.toPorts.0`, { ports: [{ port: "80" }], rules: http }, "BH0410"],
  [`${at}.toPorts.0`, { ports: [{ port: "0", protocol: "TCP" }], rules: http }, "BH0410"],
];

const dns = { dns: [{ matchName: "a.b" }, { matchPattern: "*.a.b" }] };

const INGRESS: readonly Field[] = [
  ...peers("spec.ingress.0", "from"),
  ...l4("spec.ingress.0"),
  ...allowOnly("spec.ingress.0"),
  ["spec.ingress.0.toPorts.0", { ports: [{ port: "53" }], rules: dns }, "BH0410"],
  ["spec.ingress.0.toPorts.0", { ports: [tcp], listener: envoy }, "BH0404 BH0410"],
  ["spec.ingress.0.toEndpoints", [], "BH0102"],
];

const EGRESS: readonly Field[] = [
  ...peers("spec.egress.0", "to"),
  ...l4("spec.egress.0"),
  ...allowOnly("spec.egress.0"),
  ["spec.egress.0.toServices.0.k8sService", { serviceName: "a", namespace: "b" }, null],
  ["spec.egress.0.toServices.0.k8sServiceSelector", { selector: {}, namespace: "b" }, null],
  ["spec.egress.0.toServices", [{}], "BH0103"],
  ["spec.egress.0.toFQDNs", [{ matchName: "a.b." }, { matchPattern: "*.a_b" }], null],
  ["spec.egress.0.toFQDNs", [{ matchName: "*.b" }], "BH0107"],
  ["spec.egress.0.toFQDNs", [{ matchPattern: "[a].b" }], "BH0107"],
  ["spec.egress.0.toFQDNs", [{ matchName: "a", matchPattern: "b" }], "BH0109"],
  ["spec.egress.0.toFQDNs", [{}], "BH0103"],
  ["spec.egress.0", { toFQDNs: [{ matchName: "a" }], toCIDR: ["10.0.0.0/8"] }, "BH0109"],
  ["spec.egress.0.toPorts.0", { ports: [{ port: "53", protocol: "ANY" }], rules: dns }, null],
  ["spec.egress.0.toPorts.0", { rules: dns }, "BH0410"],
  ["spec.egress.0.toPorts.0", { ports: [{ protocol: "GRE" }], rules: dns }, "BH0410"],
  ["spec.egress.0.toPorts.0", { ports: [{ port: "53", endPort: 54 }], rules: dns }, "BH0410"],
  ["spec.egress.0.toPorts.0", { ports: [tcp], rules: { ...dns, ...http } }, "BH0109"],
  ["spec.egress.0.toPorts.0", { ports: [tcp], listener: envoy }, "BH0404"],
  ["spec.egress.0.toPorts.0", { ports: [tcp], listener: envoy, rules: http }, "BH0404 BH0410"],
  ["spec.egress.0.fromEndpoints", [], "BH0102"],
];

const denials = (at: string): readonly Field[] => [
  ...l4(at),
  ...["rules", "serverNames", "terminatingTLS", "originatingTLS", "listener"].map(
    (field): Field => [`${at}.toPorts.0.${field}`, {}, "BH0402"],
  ),
  [`${at}.authentication.mode`, "required", "BH0102"],
];

const DENY: readonly Field[] = [
  ...peers("spec.ingressDeny.0", "from"),
  ...peers("spec.egressDeny.0", "to"),
  ...denials("spec.ingressDeny.0"),
  ...denials("spec.egressDeny.0"),
  ["spec.egressDeny.0.toFQDNs", [{ matchName: "a" }], "BH0402"],
];

const SPEC: readonly Field[] = [
  ...selector("spec.endpointSelector"),
  ["spec.enableDefaultDeny", { ingress: false, egress: true }, null],
  ["spec.enableDefaultDeny.zebra", true, "BH0102"],
  ["spec.labels", [{ key: "a", source: "b", value: "c" }], null],
  ["spec.description", "a", null],
  ["spec.log", { value: "a" }, null],
  ["spec.zebra", 1, "BH0102"],
  ["specs", [{ endpointSelector: {}, ingress: [{}] }], null],
  ["specs", [{ ingress: [{}] }], "BH0103"],
  ["zebra", 1, "BH0102"],
];

/** The codes of all that is said; and what is read whole exactly when no error is. */
const saidOf = (document: unknown): string | null => {
  const { resources, diagnostics } = parseFiles([{ name: "x", text: JSON.stringify(document) }]);
  const codes = diagnostics.map(({ code }) => code).toSorted();
  const isSound = diagnostics.every(({ severity }) => severity !== "error");
  if (resources.length !== (isSound ? 1 : 0)) return `${resources.length} read: ${codes.join(" ")}`;
  return codes.length === 0 ? null : codes.join(" ");
};

const said = (base: unknown, path: string, value: unknown) => saidOf(withField(base, path, value));

const policy = {
  apiVersion: "cilium.io/v2",
  kind: "CiliumNetworkPolicy",
  metadata: { name: "p" },
  spec: { endpointSelector: {}, ingress: [] },
};

describe("CiliumNetworkPolicy", () => {
  test.each([...METADATA, ...SPEC, ...INGRESS, ...EGRESS, ...DENY])(
    "%s = %j",
    (path, value, codes) => {
      expect(said(policy, path, value)).toBe(codes);
    },
  );

  test.each<Field>([
    ["spec", { endpointSelector: {} }, "BH0103"],
    ["spec", { ingress: [{}] }, "BH0103"],
    ["spec", { nodeSelector: {}, ingress: [{}] }, "BH0410"],
    ["status", {}, "BH0103"],
  ])("alone %s = %j", (path, value, codes) => {
    const { apiVersion, kind, metadata } = policy;
    expect(said({ apiVersion, kind, metadata }, path, value)).toBe(codes);
  });
});

describe("CiliumClusterwideNetworkPolicy", () => {
  const clusterwide = { ...policy, kind: "CiliumClusterwideNetworkPolicy" };
  const ofNodes = { ...clusterwide, spec: { nodeSelector: {}, ingress: [{}] } };

  test.each([...METADATA.slice(1), ...SPEC])("%s = %j", (path, value, codes) => {
    expect(said(clusterwide, path, value)).toBe(codes);
  });

  test.each<Field>([
    ...selector("spec.nodeSelector"),
    ["spec.endpointSelector", {}, "BH0109"],
    ["spec.ingress.0.toPorts.0", { ports: [tcp], rules: http }, "BH0410"],
    ["spec.egress.0.toPorts.0", { ports: [tcp], rules: http }, "BH0410"],
    ["spec.egress.0.toPorts.0", { ports: [{ port: "53" }], rules: dns }, null],
  ])("of nodes, %s = %j", (path, value, codes) => {
    expect(said(ofNodes, path, value)).toBe(codes);
  });
});

describe.each(["cilium.io/v2", "cilium.io/v2alpha1"])("CiliumCIDRGroup of %s", (apiVersion) => {
  const group = {
    apiVersion,
    kind: "CiliumCIDRGroup",
    metadata: { name: "office" },
    spec: { externalCIDRs: ["10.0.0.0/8"] },
  };

  test.each<Field>([
    ["metadata.labels", { site: "a" }, null],
    ["spec.externalCIDRs", [], null],
    ["spec.externalCIDRs", ["2001:db8::/32"], null],
    ["spec.externalCIDRs", ["10.0.0.1/8"], "BH0204"],
    ["spec.externalCIDRs", ["zebra"], "BH0203"],
    ["spec.zebra", 1, "BH0102"],
    ["zebra", 1, "BH0102"],
  ])("%s = %j", (path, value, codes) => {
    expect(said(group, path, value)).toBe(codes);
  });
});

test("versions that are not read are named", () => {
  expect(saidOf({ ...policy, apiVersion: "cilium.io/v1" })).toBe("BH0106");
  expect(saidOf({ ...policy, kind: "CiliumNetworkPolcy" })).toBe("BH0101");
});
