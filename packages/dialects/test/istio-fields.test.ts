/** Every field of istio/api `security/v1/authorization_policy.proto` and `peer_authentication.proto` (1.29). */
import { describe } from "vitest";
import { everyField, META, type Field } from "./every-field.ts";

const patterns = ["a", "a*", "*a", "*"];
const LISTS: readonly Field[] = [
  ...["principals", "requestPrincipals", "namespaces", "trustDomains"].map((name): Field => [
    name,
    patterns,
    null,
  ]),
  ...["notPrincipals", "notRequestPrincipals", "notNamespaces", "notTrustDomains"].map(
    (name): Field => [name, patterns, null],
  ),
  ...["serviceAccounts", "notServiceAccounts"].flatMap((name): Field[] => [
    [name, ["a", "b/a"], null],
    [name, ["a*"], "BH0107"],
    [name, ["c/b/a"], "BH0107"],
    [name, ["b/"], "BH0107"],
    [name, Array.from({ length: 17 }, (_, i) => `a${i}`), "BH0421"],
  ]),
  ["ipBlocks", ["10.0.0.1", "10.0.0.0/8", "2001:db8::/32"], null],
  ["notIpBlocks", ["10.0.0.1"], null],
  ["remoteIpBlocks", ["10.0.0.0/8"], null],
  ["notRemoteIpBlocks", ["10.0.0.0/8"], null],
  ["ipBlocks", ["10.0.0"], "BH0203"],
  ["principals", [""], "BH0105"],
  ["principals", ["a*b"], "warned"],
  ["zebra", 1, "BH0102"],
];
const GATEWAYS = "gateway.networking.k8s.io";
const OPERATION: readonly Field[] = [
  ["hosts", ["*.example"], null],
  ["hosts", ["a.*.example"], "warned"],
  ["hosts", [""], "BH0105"],
  ["notHosts", ["*.example"], null],
  ["ports", ["80"], null],
  ["notPorts", ["80"], null],
  ["methods", ["GET"], null],
  ["notMethods", ["GET"], null],
  ["paths", ["/a*", "/{*}/b", "/{**}"], null],
  ["notPaths", ["/a*"], null],
  ["ports", ["http"], "BH0205"],
  ["ports", ["0"], null],
  ["ports", ["65536"], "BH0205"],
  ["paths", ["/{a}"], "BH0105"],
  ["paths", ["/{*}/é"], "BH0105"],
  ["paths", ["/{**}/{*}"], "BH0105"],
  ["paths", ["/a*/{*}"], "BH0105"],
  ["zebra", 1, "BH0102"],
];
const KEYS = [
  "request.headers[X-A]",
  "source.ip",
  "remote.ip",
  "source.namespace",
  "source.principal",
  "source.serviceAccount",
  "request.auth.principal",
  "request.auth.audiences",
  "request.auth.presenter",
  "request.auth.claims[iss]",
  "request.auth.claims[a][b]",
  "destination.ip",
  "destination.port",
  "connection.sni",
];
const valuesOf = (key: string): readonly string[] =>
  key.endsWith(".ip") ? ["10.0.0.0/8"] : key === "destination.port" ? ["80"] : ["a"];

const under = (prefix: string, fields: readonly Field[]): readonly Field[] =>
  fields.map(([path, value, code]) => [`${prefix}.${path}`, value, code]);

const object = (kind: string, spec: unknown) => ({
  apiVersion: "security.istio.io/v1",
  kind,
  metadata: { name: "p", namespace: "shop" },
  spec,
});

describe("AuthorizationPolicy", () => {
  everyField(object("AuthorizationPolicy", {}), [
    ["apiVersion", "security.istio.io/v1", null],
    ["apiVersion", "security.istio.io/v1beta1", null],
    ["apiVersion", "security.istio.io/v2", "BH0106"],
    ...META,
    ["spec.selector", {}, null],
    ["spec.selector.matchLabels", { app: "a" }, null],
    ["spec.selector.matchExpressions", [], "BH0102"],
    ["spec.targetRef", { group: GATEWAYS, kind: "Gateway", name: "a" }, null],
    ["spec.targetRef", { group: "g", kind: "Gateway", name: "a" }, "BH0105"],
    ["spec.targetRef", { group: GATEWAYS, kind: "Gateway", name: "" }, "BH0103"],
    ["spec.targetRefs", [{ group: GATEWAYS, kind: "GatewayClass", name: "a" }], null],
    ["spec.targetRefs", [{ kind: "Service", name: "a", namespace: "b" }], "BH0421"],
    ["spec.targetRefs", [{ kind: "Pod", name: "a" }], "BH0105"],
    ["spec", { selector: {}, targetRefs: [] }, "BH0109"],
    ["spec.rules", [], null],
    ["spec.rules.0", {}, null],
    ["spec.rules.0.from", [], "BH0421"],
    ["spec.rules.0.from.0.source", {}, "BH0421"],
    ["spec.rules.0.to", [], "BH0421"],
    ["spec.rules.0.to.0.operation", {}, "BH0421"],
    ...under("spec.rules.0.from.0.source", LISTS),
    ...under("spec.rules.0.to.0.operation", OPERATION),
    ...KEYS.flatMap((key): Field[] => [
      ["spec.rules.0.when.0", { key, values: valuesOf(key) }, null],
      ["spec.rules.0.when.0", { key, notValues: valuesOf(key) }, null],
    ]),
    ["spec.rules.0.when.0", { key: "source.ip", values: ["a"] }, "BH0203"],
    ["spec.rules.0.when.0", { key: "destination.port", values: ["http"] }, "BH0205"],
    ["spec.rules.0.when.0", { key: "source.namespace" }, "BH0103"],
    ["spec.rules.0.when.0", { values: ["a"] }, "BH0103"],
    ["spec.rules.0.when.0", { key: "source.zebra", values: ["a"] }, "BH0105"],
    [
      "spec.rules.0.when.0",
      { key: "experimental.envoy.filters.network.a[b]", values: ["a"] },
      "BH0402",
    ],
    ["spec.action", "ALLOW", null],
    ["spec", { action: "DENY", rules: [{}] }, null],
    ["spec.action", "AUDIT", null],
    ["spec", { action: "CUSTOM", provider: { name: "a" }, rules: [{}] }, null],
    ["spec", { action: "CUSTOM", provider: { name: "" }, rules: [{}] }, "BH0103"],
    ["spec.action", "CUSTOM", "BH0103"],
    ["spec.provider", { name: "a" }, "BH0109"],
    ["spec.action", "allow", "BH0105"],
    ["spec.zebra", 1, "BH0102"],
    ["status", { conditions: [] }, null],
  ]);
});

describe("PeerAuthentication", () => {
  everyField(object("PeerAuthentication", {}), [
    ...META,
    ["spec.selector.matchLabels", { app: "a" }, null],
    ...["UNSET", "DISABLE", "PERMISSIVE", "STRICT"].map((mode): Field => [
      "spec.mtls.mode",
      mode,
      null,
    ]),
    ["spec.mtls.mode", "strict", "BH0105"],
    [
      "spec",
      { selector: { matchLabels: { a: "b" } }, portLevelMtls: { 80: { mode: "STRICT" } } },
      null,
    ],
    ["spec.portLevelMtls", { 80: { mode: "STRICT" } }, "BH0421"],
    ["spec", { selector: { matchLabels: { a: "b" } }, portLevelMtls: {} }, "BH0421"],
    ["spec.selector.matchLabels", { a: "*" }, "BH0202"],
    ["spec.selector.matchLabels", { "*": "a" }, "BH0202"],
    [
      "spec",
      { selector: { matchLabels: { a: "b" } }, portLevelMtls: { http: { mode: "STRICT" } } },
      "BH0202",
    ],
    ["spec.portLevelTls", {}, "BH0402"],
    ["spec.zebra", 1, "BH0102"],
    ["status", {}, null],
  ]);
});
