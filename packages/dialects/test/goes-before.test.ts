/** An allow in another dialect's tier is asked before our own denials, and that is told by name, offline and before it is put in force. */
import { expect, test } from "vitest";
import { buildPolicySet, parseFiles } from "../src/index.ts";

const policy = (name: string, spec: string) => `---
apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: ${name}, namespace: shop }
spec: ${spec}
`;
const antrea = (rule: string, more = "") => `---
apiVersion: crd.antrea.io/v1beta1
kind: ClusterNetworkPolicy
metadata: { name: ops }
spec:
  priority: 5
  tier: platform
  appliedTo: [{ podSelector: { matchLabels: { app: db } } }]
  ${more}
  ingress: [${rule}]
`;
const ALLOW =
  "{ action: Allow, from: [{ ipBlock: { cidr: 10.0.0.0/8 } }], ports: [{ protocol: TCP, port: 23 }] }";

const SHUT = policy("db", '{ subject: "app=db", ingress: [] }');

const told = (text: string, target: "desk" | "kernel" = "kernel") => {
  const { resources, diagnostics } = parseFiles([{ name: "a.yaml", text }]);
  expect(diagnostics.filter(({ severity }) => severity === "error")).toEqual([]);
  return buildPolicySet(resources, { now: 0, strict: false, mode: "enforce", target })
    .diagnostics.filter(({ code }) => code === "BH0414")
    .map(({ message }) => message);
};

test.each(["desk", "kernel"] as const)("Antrea's, at a %s", (target) => {
  expect(told(antrea(ALLOW) + SHUT, target)).toEqual([
    "`AntreaClusterNetworkPolicy/ops` allows in `antrea/platform`, before `Policy/shop/db` would deny the same",
  ]);
});

test("Calico's", () => {
  const calico = `---
apiVersion: projectcalico.org/v3
kind: Tier
metadata: { name: security }
spec: { order: 100 }
---
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: { name: security.ops }
spec:
  tier: security
  selector: app == 'db'
  ingress: [{ action: Allow, protocol: TCP, destination: { ports: [23] } }]
`;
  expect(told(calico + SHUT)).toEqual([
    "`GlobalNetworkPolicy.projectcalico.org/security.ops` allows in `calico/security`, before `Policy/shop/db` would deny the same",
  ]);
});

test.each([
  [
    "nothing is denied",
    policy(
      "db",
      '{ tier: guardrail, subject: "app=db", ingress: [{ action: deny, from: [any], ports: [23/tcp] }] }',
    ),
  ],
  ["others are denied", policy("web", '{ subject: "app=web", ingress: [] }')],
  ["the other direction is", policy("db", '{ subject: "app=db", egress: [] }')],
])("says nothing where %s", (_, ours) => {
  expect(told(antrea(ALLOW) + ours)).toEqual([]);
});

test("a pass and a denial leave ours in force", () => {
  for (const action of ["Pass", "Drop", "Reject"]) {
    expect(told(antrea(ALLOW.replace("Allow", action)) + SHUT)).toEqual([]);
  }
});

test("several are named, and more are counted", () => {
  const ours = ["a", "b", "c", "d", "e"].map((name) =>
    policy(name, '{ subject: "app=db", ingress: [] }'),
  );
  expect(told(antrea(ALLOW) + ours.join(""))[0]).toContain(
    "before `Policy/shop/a`, `Policy/shop/b`, `Policy/shop/c` and 2 more would deny",
  );
});

test.each<[string, string, string, boolean]>([
  [
    "the same labels, excluded",
    "app=db",
    "{ matchExpressions: [{ key: app, operator: NotIn, values: [db] }] }",
    false,
  ],
  ["labels that leave some", "app=db", "{ matchLabels: { tier: gold } }", true],
  ["anybody", "app=db", "{}", true],
])("for whom both are: %s", (_, ours, theirs, expected) => {
  const text = antrea(ALLOW).replace("{ matchLabels: { app: db } }", theirs);
  const own = policy("db", `{ subject: "${ours}", ingress: [] }`);
  expect(told(text + own)).toHaveLength(expected ? 1 : 0);
});

test("two policies of one namespace each meet where it is the same", () => {
  const namespaced = (namespace: string) =>
    antrea(ALLOW)
      .replace("ClusterNetworkPolicy", "NetworkPolicy")
      .replace("{ name: ops }", `{ name: ops, namespace: ${namespace} }`);
  expect(told(namespaced("shop") + SHUT)).toHaveLength(1);
  expect(told(namespaced("bank") + SHUT)).toEqual([]);
});

test("a namespace by its labels may be any", () => {
  const labelled = antrea(ALLOW).replace(
    "[{ podSelector",
    "[{ namespaceSelector: { matchLabels: { team: a } }, podSelector",
  );
  expect(told(labelled + SHUT)).toHaveLength(1);
});
