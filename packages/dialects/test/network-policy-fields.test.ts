import { expect, test } from "vitest";
import { parseFiles } from "../src/index.ts";

/**
 * networking.k8s.io/v1 NetworkPolicy, every field of its API documentation, with one value; and what reading it must
 * say. `null` = mapped or ignored without a word.
 */
const FIELDS: readonly (readonly [path: string, value: unknown, code: string | null])[] = [
  ["apiVersion", "networking.k8s.io/v1", null],
  ["kind", "NetworkPolicy", null],
  ["metadata.name", "p", null],
  ["metadata.generateName", "p-", null],
  ["metadata.namespace", "shop", null],
  ["metadata.selfLink", "/x", null],
  ["metadata.uid", "1", null],
  ["metadata.resourceVersion", "1", null],
  ["metadata.generation", 1, null],
  ["metadata.creationTimestamp", null, null],
  ["metadata.deletionTimestamp", "2030-01-01T00:00:00Z", null],
  ["metadata.deletionGracePeriodSeconds", 1, null],
  ["metadata.labels", { a: "b" }, null],
  ["metadata.annotations", { a: "b" }, null],
  [
    "metadata.ownerReferences",
    [
      {
        apiVersion: "v1",
        kind: "A",
        name: "b",
        uid: "1",
        controller: true,
        blockOwnerDeletion: true,
      },
    ],
    null,
  ],
  ["metadata.finalizers", ["a"], null],
  ["metadata.managedFields", [{ manager: "a" }], null],
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

const at = (path: string, value: unknown): unknown =>
  path
    .split(".")
    .toReversed()
    .reduce<unknown>((inner, key) => (key === "0" ? [inner] : { [key]: inner }), value);

const merged = (a: unknown, b: unknown): unknown => {
  if (
    typeof a !== "object" ||
    typeof b !== "object" ||
    a === null ||
    b === null ||
    Array.isArray(a)
  )
    return b;
  const out: Record<string, unknown> = { ...a };
  for (const [key, value] of Object.entries(b))
    out[key] = key in out ? merged(out[key], value) : value;
  return out;
};

test.each(FIELDS)("field %s = %j", (path, value, code) => {
  const base = {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: { name: "p" },
    spec: { podSelector: {}, policyTypes: ["Ingress", "Egress"] },
  };
  const text = JSON.stringify(merged(base, at(path, value)));
  const { resources, diagnostics } = parseFiles([{ name: "x", text }]);
  const errors = diagnostics.filter(({ severity }) => severity === "error").map((one) => one.code);
  expect(errors).toEqual(code === null ? [] : [code]);
  expect(resources).toHaveLength(code === null ? 1 : 0);
});
