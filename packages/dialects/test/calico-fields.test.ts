/**
 * Every field of projectcalico/calico `api/pkg/apis/projectcalico/v3` (3.31), and what its validation refuses. Expectations are
 * those of `libcalico-go/lib/validator/v3/{validator,crd_validation}_test.go`.
 */
import { describe } from "vitest";
import { everyField, META, type Field } from "./every-field.ts";

const object = (kind: string, spec: unknown) => ({
  apiVersion: "projectcalico.org/v3",
  kind,
  metadata: { name: "p" },
  spec,
});

const under = (prefix: string, fields: readonly Field[]): readonly Field[] =>
  fields.map(([path, value, code]) => [path === "" ? prefix : `${prefix}.${path}`, value, code]);

const ENTITY: readonly Field[] = [
  ["nets", ["10.0.0.0/8", "192.168.0.0/16"], null],
  ["nets", ["2001:db8::/32"], null],
  ["nets", ["10.0.0.0/8", "2001:db8::/32"], "BH0109"],
  ["nets", [], null],
  ["nets", ["10.0.0"], "BH0203"],
  ["notNets", ["10.0.0.0/8"], null],
  ["selector", "a == 'b'", null],
  ["selector", "a = 'b'", "BH0201"],
  ["notSelector", "has(a)", null],
  ["selector", "  global()  ", "BH0109"],
  ["selector", "a == 'b' && !global()", "BH0109"],
  ["namespaceSelector", "  global()  ", null],
  ["namespaceSelector", " global() && all()", "BH0109"],
  ["namespaceSelector", "global()||all()", "BH0109"],
  ["serviceAccounts", { names: ["a"], selector: "b == 'c'" }, null],
  ["serviceAccounts", {}, null],
  ["domains", ["a.example"], "BH0402"],
  ["zebra", 1, "BH0102"],
];
const tcp = (more: object) => ({ action: "Allow", protocol: "TCP", ...more });
const RULE: readonly Field[] = [
  ["", { action: "Allow" }, null],
  ["action", "Deny", null],
  ["action", "Log", null],
  ["action", "Pass", null],
  ["action", "Drop", "BH0105"],
  ["action", "allow", "BH0105"],
  ["ipVersion", 4, null],
  ["ipVersion", 6, null],
  ["ipVersion", 0, "BH0105"],
  ["ipVersion", 5, "BH0109"],
  ["ipVersion", 7, "BH0105"],
  ...["TCP", "UDP", "ICMP", "ICMPv6", "SCTP", "UDPLite", 1, 47, 255, "255", "1"].map(
    (name): Field => ["protocol", name, null],
  ),
  ...["tcp", "tcpfoo", "footcp", "256", "0", 0, 256].map((name): Field => [
    "protocol",
    name,
    "BH0105",
  ]),
  ["notProtocol", "TCP", null],
  ["icmp", { type: 8 }, "BH0109"],
  ["notICMP", { type: 8 }, "BH0109"],
  ["", { action: "Allow", protocol: "ICMP", icmp: {} }, null],
  ["", { action: "Allow", protocol: "ICMP", icmp: { type: 8, code: 0 } }, null],
  ["", { action: "Allow", protocol: "ICMP", icmp: { type: 254, code: 255 } }, null],
  ["", { action: "Allow", protocol: "ICMP", icmp: { type: 255 } }, "BH0105"],
  ["", { action: "Allow", protocol: "ICMP", icmp: { type: 128, code: 256 } }, "BH0105"],
  ["", { action: "Allow", protocol: 58, icmp: { type: 128 } }, null],
  ["", { action: "Allow", protocol: "ICMPv6", notICMP: { type: 128 } }, null],
  ["", { action: "Allow", protocol: "ICMP", icmp: { code: 0 } }, "BH0103"],
  ["", { action: "Allow", protocol: "ICMP", ipVersion: 6 }, "BH0109"],
  ["", { action: "Allow", protocol: "ICMPv6", ipVersion: 4 }, "BH0109"],
  ["", { action: "Allow", notProtocol: "ICMP", ipVersion: 6 }, "BH0109"],
  ["", { action: "Allow", protocol: "ICMPv6", ipVersion: 6 }, null],
  ...under("source", ENTITY),
  ...under("destination", ENTITY),
  ["", tcp({ source: { nets: ["10.0.0.0/8"] }, destination: { nets: ["fd00::/8"] } }), "BH0109"],
  ["", tcp({ source: { nets: ["10.0.0.0/8"] }, destination: { notNets: ["fd00::/8"] } }), "BH0109"],
  ["", tcp({ ipVersion: 6, source: { nets: ["10.0.0.0/8"] } }), "BH0109"],
  ["", tcp({ ipVersion: 4, destination: { nets: ["fd00::/8"] } }), "BH0109"],
  ["", tcp({ destination: { ports: [80, "1:2", "http"] } }), null],
  ["", tcp({ destination: { notPorts: [80] } }), null],
  ["", { action: "Allow", protocol: 6, source: { ports: [1] } }, null],
  ["", { action: "Allow", protocol: 17, source: { notPorts: ["foo"] } }, null],
  ["", { action: "Allow", protocol: 7, source: { ports: [] } }, null],
  ["", { action: "Allow", protocol: 7, source: { ports: [1] } }, "BH0109"],
  ["", { action: "Allow", protocol: 100, source: { notPorts: [1] } }, "BH0109"],
  ["", { action: "Allow", protocol: "ICMP", destination: { notPorts: [1] } }, "BH0109"],
  ["destination", { ports: [80] }, "BH0109"],
  ["", tcp({ destination: { notPorts: [0] } }), "BH0205"],
  ["", tcp({ destination: { notPorts: ["0:100"] } }), "BH0205"],
  ["", tcp({ source: { ports: ["200:100"] } }), "BH0206"],
  ["", tcp({ destination: { ports: [65536] } }), "BH0205"],
  ["metadata", { annotations: { a: "b" } }, null],
  ["zebra", 1, "BH0102"],
];
const service = { name: "a", namespace: "b" };
const HTTP: readonly Field[] = [
  ["http", { methods: ["GET"], paths: [{ exact: "/a" }, { prefix: "/b" }] }, null],
  ["http", { methods: ["GET", "GET", "Foo"] }, "BH0108"],
  ["http", { paths: [{ exact: "/a", prefix: "/b" }] }, "BH0109"],
  ["http", { paths: [{}] }, "BH0109"],
  ...["/fo?o", "/fo o", "/f#oo", "foo", ""].map((path): Field => [
    "http",
    { paths: [{ exact: path }] },
    "BH0105",
  ]),
  ["", { action: "Deny", http: { methods: ["GET"] } }, "BH0109"],
  ["", tcp({ http: { methods: ["GET"] } }), null],
  ["", { action: "Allow", protocol: "UDP", http: { methods: ["GET"] } }, "BH0109"],
];
/** What the end of a rule may be that is not the policy's own. */
const PEER: readonly Field[] = [
  ["services", service, null],
  ["services", {}, "BH0103"],
  ["", { services: service, serviceAccounts: { names: ["c"] } }, "BH0109"],
  ["", { services: service, nets: ["10.0.0.0/8"] }, "BH0109"],
  ["", { services: service, nets: [] }, null],
  ["", { services: service, notNets: ["10.0.0.0/8"] }, "BH0109"],
  ["", { services: service, selector: "x == 'y'" }, "BH0109"],
  ["", { services: service, selector: "" }, null],
  ["", { services: service, notSelector: "x == 'y'" }, "BH0109"],
  ["", { services: service, namespaceSelector: "x == 'y'" }, "BH0109"],
];
const COMMON: readonly Field[] = [
  ...META,
  ["spec.tier", "a", null],
  ["spec.order", 10.5, null],
  ["spec.order", "10", "BH0104"],
  ["spec.selector", "all()", null],
  ["spec.selector", "", null],
  ["spec.serviceAccountSelector", "a == 'b'", null],
  ["spec.types", ["Ingress", "Egress"], null],
  ["spec.types", ["Egress"], null],
  ["spec.types", [], null],
  ["spec.types", ["Egress", "Egress"], "BH0108"],
  ["spec.selector", "global()", "BH0109"],
  ["spec.serviceAccountSelector", "global()", "BH0109"],
  ["spec.performanceHints", ["Fast"], "BH0105"],
  ["metadata.name", "default.p", null],
  ["metadata.name", "tHiNg", "BH0107"],
  ["metadata.name", "t.h.i.ng", "BH0107"],
  ["spec.types", ["Both"], "BH0105"],
  ["spec.performanceHints", ["AssumeNeededOnEveryNode"], null],
  ["spec.ingress", [], null],
  ["spec.egress", [], null],
  ["spec.zebra", 1, "BH0102"],
  ["status", {}, null],
];
const RULES: readonly Field[] = [
  ...under("spec.ingress.0", [...RULE, ...HTTP]),
  ...under("spec.egress.0", RULE),
  ["spec.egress.0.http", { methods: ["GET"] }, "BH0109"],
  ...under("spec.ingress.0.source", PEER),
  ...under("spec.egress.0.destination", PEER),
  ["spec.ingress.0.destination.services", service, "BH0109"],
  ["spec.egress.0.source.services", service, "BH0109"],
  ["spec.ingress.0", tcp({ source: { services: service, ports: [80] } }), null],
  ["spec.ingress.0", tcp({ source: { services: service, notPorts: [80] } }), null],
  ["spec.egress.0", tcp({ destination: { services: service, ports: [80] } }), "BH0109"],
  ["spec.egress.0", tcp({ destination: { services: service, notPorts: [80] } }), "BH0109"],
];
const packets = (more: object): Field => ["spec", { egress: [], ...more }, null];
const refusedPackets = (more: object, code: string): Field => ["spec", more, code];
const GLOBAL: readonly Field[] = [
  ["metadata.name", "knp.default.thing", "BH0107"],
  ["spec.namespaceSelector", "a == 'b'", null],
  ["spec.namespaceSelector", "global()", "BH0109"],
  ["spec.ingress.0.source.services", { name: "a" }, "BH0109"],
  ["spec.egress.0.destination.services", { name: "a" }, "BH0109"],
  ["spec.egress.0.destination.services", service, null],
  ["spec.doNotTrack", false, null],
  ["spec.doNotTrack", true, "BH0441"],
  ["spec.preDNAT", false, null],
  ["spec.applyOnForward", true, null],
  packets({ preDNAT: true, applyOnForward: true }),
  packets({ preDNAT: true, applyOnForward: true, types: ["Ingress"] }),
  packets({ doNotTrack: true, applyOnForward: true }),
  refusedPackets({ preDNAT: true, applyOnForward: true }, "BH0109"),
  refusedPackets({ preDNAT: true, egress: [] }, "BH0441"),
  refusedPackets({ preDNAT: true, applyOnForward: true, egress: [], types: ["Egress"] }, "BH0109"),
  refusedPackets({ preDNAT: true, doNotTrack: true, applyOnForward: true, egress: [] }, "BH0109"),
];
const STAGED: readonly Field[] = [
  ...["Set", "Learn", "Ignore"].map((action): Field => ["spec.stagedAction", action, null]),
  ["spec.stagedAction", "Remove", "BH0105"],
];

/** `validateStagedNetworkPolicy`: of a deletion nothing is said but its tier. */
const DELETED: readonly Field[] = [
  ["spec.stagedAction", "Delete", null],
  ["spec", { stagedAction: "Delete", tier: "default" }, null],
  ["spec", { stagedAction: "Delete", selector: "all()" }, "BH0441"],
  ["spec", { stagedAction: "Delete", types: ["Ingress"] }, "BH0441"],
];

const ruled = { ingress: [{ action: "Allow" }], egress: [{ action: "Allow" }] };

describe("NetworkPolicy", () => {
  everyField(object("NetworkPolicy", ruled), [
    ...COMMON,
    ...RULES,
    ["spec.namespaceSelector", "a == 'b'", "BH0102"],
    ["spec.stagedAction", "Set", "BH0102"],
    ["metadata.name", "knp.default.thing", null],
  ]);
});

describe("GlobalNetworkPolicy", () => {
  everyField(object("GlobalNetworkPolicy", ruled), [...COMMON, ...GLOBAL]);
});

describe("StagedNetworkPolicy", () => {
  everyField(object("StagedNetworkPolicy", ruled), [...COMMON, ...STAGED]);
  everyField(object("StagedNetworkPolicy", {}), DELETED);
});

describe("StagedGlobalNetworkPolicy", () => {
  everyField(object("StagedGlobalNetworkPolicy", ruled), [...COMMON, ...GLOBAL, ...STAGED]);
  everyField(object("StagedGlobalNetworkPolicy", {}), DELETED);
});

/** Of networking.k8s.io/v1 NetworkPolicySpec, with one more. */
describe("StagedKubernetesNetworkPolicy", () => {
  const base = object("StagedKubernetesNetworkPolicy", { ingress: [{}], egress: [{}] });
  everyField(base, [
    ...META,
    ["metadata.name", "a.b.c", null],
    ...STAGED,
    ["spec.stagedAction", "Delete", "BH0441 BH0441"],
    ["spec.podSelector", { matchLabels: { a: "b" } }, null],
    ["spec.podSelector", { matchLabels: { "foo=": "b" } }, "BH0202"],
    ["spec.policyTypes", ["Ingress", "Egress"], null],
    ["spec.policyTypes", ["Both"], "BH0105"],
    ["spec.ingress.0.from", [{ podSelector: {}, namespaceSelector: {} }], null],
    ["spec.ingress.0.from", [{ ipBlock: { cidr: "10.0.0.0/8", except: ["10.1.0.0/16"] } }], null],
    ["spec.ingress.0.ports", [{ protocol: "SCTP", port: 80, endPort: 81 }], null],
    ["spec.egress.0.to", [{ ipBlock: { cidr: "garbage" } }], "BH0203"],
    ["spec.egress.0.ports", [{ endPort: 81 }], "BH0206"],
    ["spec.selector", "all()", "BH0102"],
    ["spec.tier", "default", "BH0102"],
    ["status", {}, null],
  ]);
  everyField(object("StagedKubernetesNetworkPolicy", {}), [
    ["spec.stagedAction", "Delete", null],
    ["spec", { stagedAction: "Delete", podSelector: {}, ingress: [] }, null],
    ["spec", { stagedAction: "Delete", podSelector: { matchLabels: { a: "b" } } }, "BH0441"],
  ]);
});

/** `libcalico-go/lib/backend/k8s/resources/resources.go`. */
describe("as they are stored", () => {
  const stored = (kind: string, spec: unknown) => ({
    ...object(kind, spec),
    apiVersion: "crd.projectcalico.org/v1",
  });
  const annotation = (text: string): Field => [
    "metadata.annotations",
    { "projectcalico.org/metadata": text },
    null,
  ];
  const KINDS: readonly (readonly [string, unknown])[] = [
    ["NetworkPolicy", {}],
    ["GlobalNetworkPolicy", {}],
    ["StagedNetworkPolicy", {}],
    ["StagedGlobalNetworkPolicy", {}],
    ["StagedKubernetesNetworkPolicy", {}],
    ["NetworkSet", {}],
    ["GlobalNetworkSet", {}],
    ["Tier", {}],
    ["HostEndpoint", { node: "a", interfaceName: "*" }],
  ];
  describe.each(KINDS)("%s", (kind, spec) => {
    everyField(stored(kind, spec), [
      ["apiVersion", "crd.projectcalico.org/v3", "BH0106"],
      ["apiVersion", "projectcalico.org/v1", "BH0106"],
      annotation('{"name":"p","labels":{"a":"b"},"creationTimestamp":null}'),
      ["metadata.annotations", { "projectcalico.org/metadata": "{" }, "BH0441"],
      ["metadata.annotations", { "projectcalico.org/metadata": "7" }, "BH0441"],
    ]);
  });
  describe.each(["NetworkSet", "GlobalNetworkSet"])("%s", (kind) => {
    const text = '{"labels":{"projectcalico.org/namespace":"a"}}';
    everyField(stored(kind, {}), [
      ["metadata.annotations", { "projectcalico.org/metadata": text }, "BH0202"],
    ]);
  });
});

describe.each(["NetworkSet", "GlobalNetworkSet"])("%s", (kind) => {
  everyField(object(kind, {}), [
    ...META,
    ["spec.nets", ["10.0.0.0/8", "10.0.0.1", "dead:beef::", "dead:beef::/96"], null],
    ["spec.nets", ["garbage"], "BH0203"],
    ["metadata.labels", { "projectcalico.org/namespace": "foo" }, "BH0202"],
    ["metadata.name", "test$set", "BH0107"],
    ["spec.allowedEgressDomains", ["a.example"], "BH0402"],
    ["spec.zebra", 1, "BH0102"],
  ]);
});

describe("Tier", () => {
  everyField(object("Tier", {}), [
    ...META,
    ["spec.order", 1.5, null],
    ["spec.defaultAction", "Pass", null],
    ["spec.defaultAction", "Deny", null],
    ["spec.defaultAction", "Allow", "BH0105"],
    ["metadata.name", "a.b", "BH0107"],
    ["metadata.name", "a".repeat(63), null],
    ["metadata.name", "a".repeat(64), "BH0107"],
    ["spec.zebra", 1, "BH0102"],
  ]);
  const own = (name: string, order: number, action: string): readonly Field[] => [
    ["metadata.name", name, null],
    ["", { metadata: { name }, spec: { order, defaultAction: action } }, null],
    ["", { metadata: { name }, spec: { order: 100 } }, "BH0441"],
    [
      "",
      { metadata: { name }, spec: { order, defaultAction: action === "Pass" ? "Deny" : "Pass" } },
      "BH0441",
    ],
  ];
  everyField(object("Tier", {}), [
    ...own("default", 1_000_000, "Deny"),
    ...own("kube-admin", 1_000, "Pass"),
    ...own("adminnetworkpolicy", 1_000, "Pass"),
    ...own("kube-baseline", 10_000_000, "Pass"),
    ...own("baselineadminnetworkpolicy", 10_000_000, "Pass"),
  ]);
});

describe("HostEndpoint", () => {
  everyField(object("HostEndpoint", { node: "a", interfaceName: "*" }), [
    ...META,
    ["spec.node", "b", null],
    ["spec.interfaceName", "eth0", null],
    ["spec.expectedIPs", ["10.0.0.1", "fd00::1"], null],
    ["spec.expectedIPs", ["10.0.0.0/8"], "BH0209"],
    ["spec.profiles", ["a"], "warned"],
    ["spec.ports", [{ name: "a", protocol: "TCP", port: 80 }], null],
    ["spec.ports", [{ protocol: "TCP", port: 80 }], "BH0103"],
    ["spec.ports", [{ name: "a", port: 80 }], "BH0103"],
    ["spec.ports", [{ name: "a", protocol: 123, port: 80 }], "BH0441"],
    ["spec.ports", [{ name: "a", protocol: "TCP" }], "BH0103"],
    ["spec.zebra", 1, "BH0102"],
  ]);
  everyField({ ...object("HostEndpoint", {}), spec: undefined }, [
    ["spec", { node: "a", expectedIPs: ["10.0.0.1"] }, null],
    ["spec", { node: "a" }, "BH0103"],
    ["spec", { node: "a", interfaceName: "", expectedIPs: [] }, "BH0103"],
    ["spec", { interfaceName: "eth0" }, "BH0103"],
  ]);
});
