import { everyField, META, type Field } from "./every-field.ts";

/**
 * networking.k8s.io/v1 NetworkPolicy, every field of its API documentation, with one value; and what reading it must
 * say. `null` = mapped or ignored without a word.
 */
const FIELDS: readonly Field[] = [
  ["apiVersion", "networking.k8s.io/v1", null],
  ["kind", "NetworkPolicy", null],
  ...META,
  ["spec.podSelector.matchLabels", { a: "b" }, null],
  ["spec.podSelector.matchExpressions", [{ key: "a", operator: "In", values: ["b"] }], null],
  ["spec.policyTypes", ["Ingress", "Egress"], null],
  ["spec.ingress", [], null],
  ["spec.ingress.0.from.0.podSelector", {}, null],
  ["spec.ingress.0.from.0.namespaceSelector", {}, null],
  ["spec.ingress.0.from.0.ipBlock", { cidr: "10.0.0.0/8", except: ["10.1.0.0/16"] }, null],
  ["spec.ingress.0.ports.0.protocol", "UDP", null],
  ["spec.ingress.0.ports.0.port", 80, null],
  ["spec.ingress.0.ports.0.port", "http", null],
  ["spec.ingress.0.ports.0", { port: 80, endPort: 90 }, null],
  ["spec.egress", [], null],
  ["spec.egress.0.to.0.podSelector", {}, null],
  ["spec.egress.0.to.0.namespaceSelector", {}, null],
  ["spec.egress.0.to.0.ipBlock", { cidr: "10.0.0.0/8", except: ["10.1.0.0/16"] }, null],
  ["spec.egress.0.ports.0.protocol", "SCTP", null],
  ["spec.egress.0.ports.0.port", 80, null],
  ["spec.egress.0.ports.0", { port: 80, endPort: 90 }, null],
  ["status", {}, null],
  ["status.conditions", [], null],
  // What is no field of it, at every level.
  ["zebra", 1, "BH0102"],
  ["metadata.zebra", 1, "BH0102"],
  ["spec.zebra", 1, "BH0102"],
  ["spec.podSelector.zebra", 1, "BH0102"],
  ["spec.ingress.0.zebra", 1, "BH0102"],
  ["spec.ingress.0.to", [], "BH0102"],
  ["spec.egress.0.from", [], "BH0102"],
  ["spec.ingress.0.from.0.zebra", 1, "BH0102"],
  ["spec.ingress.0.ports.0.zebra", 1, "BH0102"],
];

everyField(
  {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: { name: "p" },
    spec: { podSelector: {}, policyTypes: ["Ingress", "Egress"] },
  },
  FIELDS,
);
