/**
 * Every field of antrea-io/antrea `pkg/apis/crd/v1beta1/types.go` and of its CRDs (`build/charts/antrea/crds`, 2.5), which say
 * which of them a policy in a namespace has; and what `pkg/controller/networkpolicy/validate.go` refuses.
 */
import { describe } from "vitest";
import { everyField, META, withField, type Field } from "./every-field.ts";

const under = (prefix: string, fields: readonly Field[]): readonly Field[] =>
  fields.map(([path, value, code]) => [`${prefix}.${path}`, value, code]);

const SELECTORS: readonly Field[] = [
  ["matchLabels", { app: "a" }, null],
  ["matchExpressions", [{ key: "a", operator: "In", values: ["b"] }], null],
  ["matchExpressions", [{ key: "a", operator: "NotIn", values: ["b"] }], null],
  ["matchExpressions", [{ key: "a", operator: "Exists" }], null],
  ["matchExpressions", [{ key: "a", operator: "DoesNotExist" }], null],
  ["matchExpressions", [{ key: "a", operator: "Is" }], "BH0105"],
  ["matchLabels", { ":a": "b" }, "BH0202"],
];
const selector = (name: string): readonly Field[] => [[name, {}, null], ...under(name, SELECTORS)];
const ACCOUNT: readonly Field[] = [
  ["serviceAccount", { name: "a", namespace: "b" }, null],
  ["serviceAccount", { name: "a" }, "BH0103"],
  ["serviceAccount", { namespace: "b" }, "BH0103"],
];

/** Fields of an entry that has `podSelector` already are alone in theirs: each entry is a list's only item. */
const SUBJECT: readonly Field[] = [
  ...selector("podSelector"),
  ["group", "g", null],
  ["externalEntitySelector", {}, "BH0402"],
  ["ipBlock", { cidr: "10.0.0.0/8" }, "BH0102"],
  ["zebra", 1, "BH0102"],
];
const CLUSTER_SUBJECT: readonly Field[] = [
  ...SUBJECT,
  ...selector("namespaceSelector"),
  ...ACCOUNT,
  ["service", { name: "a", namespace: "b" }, "BH0402"],
];
const PEER: readonly Field[] = [
  ...selector("podSelector"),
  ...selector("namespaceSelector"),
  ...selector("nodeSelector"),
  ["group", "g", null],
  ["ipBlock", { cidr: "10.0.0.0/8" }, null],
  ["ipBlock", { cidr: "2001:db8::/32" }, null],
  ["ipBlock", { cidr: "10.0.0.0/8", except: ["10.1.0.0/16"] }, null],
  ["ipBlock", { cidr: "10.0.0.0/8", except: ["10.0.0.0/8"] }, "BH0208"],
  ["ipBlock", { cidr: "10.0.0.0/8", except: ["11.0.0.0/16"] }, "BH0208"],
  ["ipBlock", { cidr: "10.0.0" }, "BH0203"],
  ["ipBlock", {}, "BH0103"],
  ["externalEntitySelector", {}, "BH0402"],
  ["zebra", 1, "BH0102"],
];
const CLUSTER_PEER: readonly Field[] = [
  ...PEER,
  ...ACCOUNT,
  ["namespaces", { match: "Self" }, null],
  ["namespaces", { match: "self" }, "BH0105"],
  ["namespaces", { sameLabels: ["env", "antrea.io/tier"] }, null],
  ["namespaces", { sameLabels: ["-"] }, "BH0202"],
  ["namespaces", { sameLabels: [] }, "BH0103"],
  ["namespaces", {}, "BH0103"],
  ["namespaces", { match: "Self", sameLabels: ["env"] }, "BH0109"],
];
const NOT_IN_NAMESPACED: readonly Field[] = [
  ["namespaces", { match: "Self" }, "BH0102"],
  ["serviceAccount", { name: "a", namespace: "b" }, "BH0102"],
];
const FROM: readonly Field[] = [
  ["scope", "Cluster", null],
  ["scope", "ClusterSet", "BH0402"],
  ["scope", "World", "BH0105"],
  ["fqdn", "a.example", "BH0102"],
];
const TO: readonly Field[] = [
  ["fqdn", "a.example", null],
  ["fqdn", "*a.example", null],
  ["fqdn", "a_b", "BH0107"],
  ["scope", "Cluster", "BH0102"],
];

const PORT: readonly Field[] = [
  ["protocol", "TCP", null],
  ["protocol", "UDP", null],
  ["protocol", "SCTP", null],
  ["protocol", "ICMP", "BH0105"],
  ["port", 80, null],
  ["port", "http", null],
  ["port", 0, "BH0105"],
  ["port", "80", "BH0205"],
  ["endPort", 90, "BH0206"],
  ["sourcePort", 1024, "BH0402"],
  ["sourceEndPort", 2048, "BH0402"],
];
const PORTS: readonly Field[] = [
  ["ports.0", {}, null],
  ["ports.0", { port: 80, endPort: 90 }, null],
  ["ports.0", { port: 80, endPort: 79 }, "BH0206"],
  ["ports.0", { port: "http", endPort: 90 }, "BH0206"],
  ...under("ports.0", PORT),
];

const RULE: readonly Field[] = [
  ["action", "Allow", null],
  ["action", "Drop", null],
  ["action", "Reject", null],
  ["action", "Pass", null],
  ["action", "Deny", "BH0105"],
  ["action", null, "BH0103"],
  ["name", "a rule", null],
  ["enableLogging", true, null],
  ["enableLogging", "yes", "BH0104"],
  ["logLabel", "a-label", null],
  ["logLabel", "a label", "BH0107"],
  ["ports", [], null],
  ["protocols", [], null],
  ["protocols.0.icmp", {}, null],
  ["protocols.0.icmp.icmpType", 8, null],
  ["protocols.0.icmp.icmpCode", 0, null],
  ["protocols.0.icmp.icmpType", 256, "BH0105"],
  ["protocols.0.igmp", {}, null],
  ["protocols.0.igmp.igmpType", 17, "BH0402"],
  ["protocols.0.igmp.groupAddress", "224.0.0.1", "BH0402"],
  ["protocols.0", {}, "BH0103"],
  ["protocols.0", { icmp: {}, igmp: {} }, "BH0109"],
  ["l7Protocols", [], null],
  ["l7Protocols.0.http", {}, null],
  ["l7Protocols.0.http.host", "*.a.example", null],
  ["l7Protocols.0.http.host", "*", "BH0105"],
  ["l7Protocols.0.http.path", "/a/*", null],
  ["l7Protocols.0.http.path", "/a/*/b", "warned"],
  ["l7Protocols.0.http.method", "GET", null],
  ["l7Protocols.0.http.method", "get", "BH0105"],
  ["l7Protocols.0.tls", {}, null],
  ["l7Protocols.0.tls.sni", "*.a.example", null],
  ["l7Protocols.0", {}, "BH0103"],
  ["l7Protocols.0", { http: {}, tls: {} }, "BH0109"],
  ["trafficClassification", "x", "BH0102"],
  ["zebra", 1, "BH0102"],
];
const INGRESS: readonly Field[] = [
  ...RULE,
  ["from", [], null],
  ["from.0", {}, "BH0103"],
  ["to", [], "BH0102"],
  ["toServices", [], "BH0102"],
];
const EGRESS: readonly Field[] = [
  ...RULE,
  ["to", [], null],
  ["to.0", {}, "BH0103"],
  ["from", [], "BH0102"],
  ["toServices", [{ name: "a", namespace: "b" }], null],
  ["toServices", [{ name: "a", namespace: "b", scope: "Cluster" }], null],
  ["toServices", [{ name: "a", namespace: "b", scope: "ClusterSet" }], "BH0402"],
  ["toServices", [{ namespace: "b" }], "BH0103"],
];

const SPEC: readonly Field[] = [
  ["tier", "securityops", null],
  ["tier", "Platform", null],
  ["priority", 1, null],
  ["priority", 9.5, null],
  ["priority", 10000, null],
  ["priority", 0.5, "BH0105"],
  ["priority", 10001, "BH0105"],
  ["priority", "5", "BH0104"],
  ["priority", null, "BH0103"],
  ["appliedTo", [], "BH0103"],
  ["ingress", [], null],
  ["egress", [], null],
  ["policyTypes", [], "BH0102"],
];
const WHOLE: readonly Field[] = [
  ["apiVersion", "crd.antrea.io/v1alpha1", null],
  ["apiVersion", "crd.antrea.io/v1", "BH0106"],
  ...META,
  ["status", { phase: "Realized", conditions: [] }, null],
  ["zebra", 1, "BH0102"],
];

const object = (kind: string, spec: unknown) => ({
  apiVersion: "crd.antrea.io/v1beta1",
  kind,
  metadata: { name: "p", namespace: "shop" },
  spec,
});

describe.each([
  {
    kind: "NetworkPolicy",
    subject: SUBJECT,
    ruleSubject: SUBJECT,
    peer: [...PEER, ...NOT_IN_NAMESPACED],
  },
  {
    kind: "ClusterNetworkPolicy",
    subject: [...CLUSTER_SUBJECT, ...selector("nodeSelector")],
    ruleSubject: [...CLUSTER_SUBJECT, ["nodeSelector", {}, "BH0102"] satisfies Field],
    peer: CLUSTER_PEER,
  },
])("$kind", ({ kind, subject, ruleSubject, peer }) => {
  const bare = object(kind, { priority: 5 });
  const whole = withField(bare, "spec.appliedTo.0.podSelector", {});
  const inRules = (section: string) => withField(bare, `spec.${section}.0`, { action: "Allow" });
  everyField(whole, [...WHOLE, ...under("spec", SPEC)]);
  everyField(bare, under("spec.appliedTo.0", subject));
  everyField(
    withField(whole, "spec.ingress.0", { action: "Allow" }),
    under("spec.ingress.0", INGRESS),
  );
  everyField(
    withField(whole, "spec.egress.0", { action: "Allow" }),
    under("spec.egress.0", EGRESS),
  );
  everyField(inRules("ingress"), under("spec.ingress.0.appliedTo.0", ruleSubject));
  everyField(inRules("egress"), under("spec.egress.0.appliedTo.0", ruleSubject));
  const ruled = withField(whole, "spec.ingress.0", { action: "Allow" });
  everyField(ruled, under("spec.ingress.0", PORTS));
  everyField(ruled, under("spec.ingress.0.from.0", [...peer, ...FROM].filter(isAlone)));
  const sent = withField(whole, "spec.egress.0", { action: "Allow" });
  everyField(sent, under("spec.egress.0.to.0", [...peer, ...TO].filter(isAlone)));
  const scoped = withField(ruled, "spec.ingress.0.from.0.podSelector", {});
  everyField(scoped, under("spec.ingress.0.from.0", FROM));
});

/** A scope is none of its own. */
function isAlone([path]: Field): boolean {
  return path !== "scope";
}

describe("Tier", () => {
  everyField(object("Tier", { priority: 10 }), [
    ["apiVersion", "crd.antrea.io/v1alpha1", null],
    ...META,
    ["spec.priority", 0, null],
    ["spec.priority", 256, "BH0105"],
    ["spec.priority", 1.5, "BH0105"],
    ["spec.priority", null, "BH0103"],
    ["spec.description", "text", null],
    ["spec.zebra", 1, "BH0102"],
  ]);
});

describe.each(["ClusterGroup", "Group"])("%s", (kind) => {
  everyField(object(kind, { podSelector: {} }), [
    ["apiVersion", "crd.antrea.io/v1alpha3", null],
    ["apiVersion", "crd.antrea.io/v1alpha2", "BH0106"],
    ...META,
    ["status", { conditions: [] }, null],
    ["spec.namespaceSelector", {}, null],
    ["spec.ipBlocks", [], "BH0109"],
  ]);
  everyField(
    object(kind, {}),
    under("spec", [
      ...selector("podSelector"),
      ...selector("namespaceSelector"),
      ["externalEntitySelector", {}, "BH0402"],
      ["ipBlocks", [{ cidr: "10.0.0.0/8", except: ["10.1.0.0/16"] }], null],
      ["ipBlocks", [{ cidr: "10.0.0.0/8" }, { cidr: "224.0.0.0/8" }], "BH0430"],
      ["serviceReference", { name: "a", namespace: "b" }, null],
      ["childGroups", ["a"], null],
    ]),
  );
  everyField(object(kind, {}), [
    ["spec", {}, "BH0103"],
    ["spec", { podSelector: {}, ipBlock: { cidr: "10.0.0.0/8" } }, "BH0102"],
    ["spec", { namespaceSelector: {}, childGroups: [] }, "BH0109"],
    ["spec", { serviceReference: { name: "a", namespace: "b" }, childGroups: [] }, "BH0109"],
  ]);
});
