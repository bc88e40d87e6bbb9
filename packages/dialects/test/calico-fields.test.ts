/** Every field of projectcalico/calico `api/pkg/apis/projectcalico/v3` (3.31), and what its validation refuses. */
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
  ["nets", ["10.0.0.0/8", "10.0.0.1", "2001:db8::/32"], null],
  ["nets", ["10.0.0"], "BH0203"],
  ["notNets", ["10.0.0.0/8"], null],
  ["selector", "a == 'b'", null],
  ["selector", "a = 'b'", "BH0201"],
  ["notSelector", "has(a)", null],
  ["namespaceSelector", "global()", null],
  ["serviceAccounts", { names: ["a"], selector: "b == 'c'" }, null],
  ["domains", ["a.example"], "BH0402"],
  ["zebra", 1, "BH0102"],
];
const RULE: readonly Field[] = [
  ["", { action: "Allow" }, null],
  ["action", "Deny", null],
  ["action", "Log", null],
  ["action", "Pass", null],
  ["action", "Drop", "BH0105"],
  ["ipVersion", 4, null],
  ["ipVersion", 6, null],
  ["ipVersion", 5, "BH0109"],
  ["ipVersion", 7, "BH0105"],
  ["protocol", "UDPLite", null],
  ["protocol", 47, null],
  ["protocol", "tcp", "BH0105"],
  ["protocol", 0, "BH0105"],
  ["notProtocol", "TCP", null],
  ["icmp", { type: 8 }, "BH0109"],
  ["notICMP", { type: 8 }, "BH0109"],
  ["", { action: "Allow", protocol: "ICMP", icmp: { type: 8, code: 0 } }, null],
  ["", { action: "Allow", protocol: "ICMPv6", notICMP: { type: 128 } }, null],
  ["", { action: "Allow", protocol: "ICMP", icmp: { code: 0 } }, "BH0103"],
  ["", { action: "Allow", protocol: "ICMP", ipVersion: 6 }, "BH0109"],
  ...under("source", ENTITY),
  ...under("destination", ENTITY),
  ["", { action: "Allow", protocol: "TCP", destination: { ports: [80, "1:2", "http"] } }, null],
  ["", { action: "Allow", protocol: "TCP", destination: { notPorts: [80] } }, null],
  ["destination", { ports: [80] }, "BH0109"],
  ["destination", { services: { name: "a", namespace: "b" } }, null],
  ["destination", { services: { name: "a" }, selector: "all()" }, "BH0109"],
  ["http", { methods: ["GET"], paths: [{ exact: "/a" }, { prefix: "/b" }] }, null],
  ["http", { paths: [{ exact: "/a", prefix: "/b" }] }, "BH0109"],
  ["", { action: "Deny", http: { methods: ["GET"] } }, "BH0109"],
  ["", { action: "Allow", protocol: "UDP", http: { methods: ["GET"] } }, "BH0109"],
  ["metadata", { annotations: { a: "b" } }, null],
  ["zebra", 1, "BH0102"],
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
  ["spec.types", ["Both"], "BH0105"],
  ["spec.performanceHints", ["AssumeNeededOnEveryNode"], null],
  ["spec.ingress", [], null],
  ["spec.egress", [], null],
  ["spec.zebra", 1, "BH0102"],
  ["status", {}, null],
];
const RULES: readonly Field[] = [...under("spec.ingress.0", RULE), ...under("spec.egress.0", RULE)];
const GLOBAL: readonly Field[] = [
  ["spec.namespaceSelector", "a == 'b'", null],
  ["spec.doNotTrack", false, null],
  ["spec.preDNAT", false, null],
  ["spec.applyOnForward", true, null],
];
const STAGED: readonly Field[] = ["Set", "Delete", "Learn", "Ignore"].map((action): Field => [
  "spec.stagedAction",
  action,
  null,
]);

const ruled = { ingress: [{ action: "Allow" }], egress: [{ action: "Allow" }] };

describe("NetworkPolicy", () => {
  everyField(object("NetworkPolicy", ruled), [
    ...COMMON,
    ...RULES,
    ["spec.namespaceSelector", "a == 'b'", "BH0102"],
    ["spec.stagedAction", "Set", "BH0102"],
  ]);
});

describe("GlobalNetworkPolicy", () => {
  everyField(object("GlobalNetworkPolicy", ruled), [...COMMON, ...GLOBAL]);
});

describe("StagedNetworkPolicy", () => {
  everyField(object("StagedNetworkPolicy", ruled), [...COMMON, ...STAGED]);
});

describe("StagedGlobalNetworkPolicy", () => {
  everyField(object("StagedGlobalNetworkPolicy", ruled), [...COMMON, ...GLOBAL, ...STAGED]);
});

describe.each(["NetworkSet", "GlobalNetworkSet"])("%s", (kind) => {
  everyField(object(kind, {}), [
    ...META,
    ["spec.nets", ["10.0.0.0/8"], null],
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
    ["spec.zebra", 1, "BH0102"],
  ]);
});

describe("HostEndpoint", () => {
  everyField(object("HostEndpoint", {}), [
    ...META,
    ["spec.node", "a", null],
    ["spec.interfaceName", "*", null],
    ["spec.expectedIPs", ["10.0.0.1"], null],
    ["spec.profiles", ["a"], "warned"],
    ["spec.ports", [{ name: "a", protocol: "TCP", port: 80 }], null],
    ["spec.zebra", 1, "BH0102"],
  ]);
});
