/** What a decision says beyond its verdict under ClusterNetworkPolicy, and the traps of SEMANTICS that name it. */
import { buildPolicySet, parseFiles } from "@bulkhead/dialects";
import { decide, indexInventory } from "@bulkhead/engine";
import { TCP, type FlowQuery } from "@bulkhead/model";
import { describe, expect, test } from "vitest";

const WORLD = `
apiVersion: v1
kind: Pod
metadata: { name: web, namespace: shop, labels: { app: web } }
spec: { containers: [{ name: c, ports: [{ name: http, containerPort: 8080 }] }] }
status: { podIP: 10.0.0.1 }
---
apiVersion: v1
kind: Pod
metadata: { name: db, namespace: shop, labels: { app: db } }
status: { podIP: 10.0.0.2 }
---
apiVersion: v1
kind: Pod
metadata: { name: agent, namespace: shop, labels: { app: web } }
spec: { hostNetwork: true }
status: { podIP: 192.0.2.1 }
---
apiVersion: v1
kind: Node
metadata: { name: n1 }
status: { addresses: [{ type: InternalIP, address: 192.0.2.1 }] }
`;
const [WEB, DB, NODE, OUTSIDE] = ["10.0.0.1", "10.0.0.2", "192.0.2.1", "203.0.113.7"] as const;

interface Said {
  readonly name?: string;
  readonly tier?: string;
  readonly priority?: number;
  readonly subject?: object;
  readonly ingress?: readonly unknown[];
  readonly egress?: readonly unknown[];
}
const policy = ({ name = "p", ...spec }: Said): string =>
  JSON.stringify({
    apiVersion: "policy.networking.k8s.io/v1alpha2",
    kind: "ClusterNetworkPolicy",
    metadata: { name },
    spec: { tier: "Admin", priority: 1, subject: { namespaces: {} }, ...spec },
  });

const world = (...policies: readonly Said[]) => {
  const text = [WORLD, ...policies.map(policy)].join("\n---\n");
  const { resources, diagnostics } = parseFiles([{ name: "x.yaml", text }]);
  const built = buildPolicySet(resources, {
    now: 0,
    strict: false,
    mode: "enforce",
    target: "desk",
  });
  const index = indexInventory(built.inventory);
  const ask = (source: string, destination: string, more: Partial<FlowQuery> = {}) =>
    decide(
      built.set,
      index,
      { source, destination, protocol: TCP, port: 80, ...more },
      { now: 0, view: "live" },
    );
  return {
    ask,
    verdict: (...asked: Parameters<typeof ask>) => ask(...asked).verdict,
    said: [...diagnostics, ...built.diagnostics].map(({ code }) => code),
  };
};

test("a decision names policy, rule, stage and place", () => {
  const deny = { name: "no-web", action: "Deny", from: [{ namespaces: {} }] };
  const { ask } = world({ ingress: [deny] });
  expect(ask(WEB, DB).ingress.determinedBy).toMatchObject({
    kind: "rule",
    stage: "admin",
    policy: { kind: "ClusterNetworkPolicy", namespace: "", name: "p" },
    rule: "ClusterNetworkPolicy/p#ingress/no-web",
    source: { file: "x.yaml" },
  });
});

test("rules of one name are told apart", () => {
  const rule = (port: number) => ({
    name: "same",
    action: "Accept",
    from: [{ namespaces: {} }],
    protocols: [{ tcp: { destinationPort: { number: port } } }],
  });
  const { ask } = world({ ingress: [rule(80), rule(81)] });
  const names = [80, 81].map((port) => {
    const { determinedBy } = ask(WEB, DB, { port }).ingress;
    return determinedBy.kind === "rule" ? determinedBy.rule : determinedBy.kind;
  });
  expect(names[0]).toBe("ClusterNetworkPolicy/p#ingress/same");
  expect(names[1]).toMatch(/^ClusterNetworkPolicy\/p#ingress\/r-/);
});

describe("equal priorities", () => {
  const of = (name: string, action: string, priority: number): Said => ({
    name,
    priority,
    ingress: [{ action, from: [{ namespaces: {} }] }],
  });
  test("that disagree make the decision ambiguous, and the stricter one counts", () => {
    const { ask, said } = world(of("a", "Accept", 5), of("b", "Deny", 5));
    expect(ask(WEB, DB)).toMatchObject({ verdict: "drop", ingress: { ambiguous: true } });
    expect(said).toEqual(["BH0408"]);
  });
  test("that agree do not", () => {
    const { ask } = world(of("a", "Deny", 5), of("b", "Deny", 5));
    expect(ask(WEB, DB)).toMatchObject({ verdict: "drop", ingress: { ambiguous: false } });
  });
  const selecting = (namespaces: object): Said => ({
    subject: { namespaces },
    ingress: [{ action: "Deny", from: [{ namespaces: {} }] }],
  });
  const expression = (operator: string, ...values: readonly string[]) => ({
    matchExpressions: [{ key: "team", operator, ...(values.length === 0 ? {} : { values }) }],
  });
  test.each([
    [{ matchLabels: { team: "a" } }, { matchLabels: { team: "b" } }, []],
    [{ matchLabels: { team: "a" } }, { matchLabels: { env: "b" } }, ["BH0408"]],
    [expression("In", "a", "b"), expression("In", "b", "c"), ["BH0408"]],
    [expression("In", "a", "b"), expression("NotIn", "a", "b", "c"), []],
    [expression("NotIn", "a"), expression("In", "a", "b"), ["BH0408"]],
    [expression("DoesNotExist"), expression("Exists"), []],
    [expression("Exists"), {}, ["BH0408"]],
  ])("of who cannot be for the same pod are nothing to warn about: %j and %j", (a, b, codes) => {
    const said = (one: object, other: object) =>
      world({ name: "a", ...selecting(one) }, { name: "b", ...selecting(other) }).said;
    expect(said(a, b)).toEqual(codes);
    expect(said(b, a)).toEqual(codes);
  });
  test("an earlier one leaves nothing to disagree about", () => {
    const { ask } = world(of("a", "Accept", 5), of("b", "Deny", 5), of("c", "Accept", 4));
    expect(ask(WEB, DB)).toMatchObject({ verdict: "allow", ingress: { ambiguous: false } });
  });
});

const egress = (action: string, to: readonly unknown[], more: object = {}): Said => ({
  egress: [{ action, to, ...more }],
});

test("trap 4: a name is the destination's own port, and nobody's who has none", () => {
  const { verdict } = world(
    egress("Deny", [{ namespaces: {} }], { protocols: [{ destinationNamedPort: "http" }] }),
  );
  expect([
    verdict(DB, WEB, { port: 8080 }),
    verdict(DB, WEB, { port: 80 }),
    verdict(WEB, DB, { port: 8080 }),
  ]).toEqual(["drop", "allow", "allow"]);
});

test("trap 5: networks hold pods and nodes, unlike an ipBlock", () => {
  const { verdict } = world(egress("Deny", [{ networks: ["0.0.0.0/0"] }]));
  expect([verdict(WEB, DB), verdict(WEB, NODE), verdict(WEB, OUTSIDE)]).toEqual([
    "drop",
    "drop",
    "drop",
  ]);
});

test("trap 6: pods on the host's network are their node", () => {
  const pods = world(egress("Deny", [{ pods: { podSelector: { matchLabels: { app: "web" } } } }]));
  expect([pods.verdict(DB, NODE), pods.verdict(DB, WEB)]).toEqual(["allow", "drop"]);
  const nodes = world(egress("Deny", [{ nodes: {} }]));
  expect([nodes.verdict(DB, NODE), nodes.verdict(DB, WEB)]).toEqual(["drop", "allow"]);
});

describe("trap 7: a peer that nobody knows fails closed", () => {
  const unknown = [{ namespaces: {} }, { serviceEntries: {} }];
  test("in an Accept nothing matches", () => {
    const closed = world(egress("Accept", unknown), {
      name: "q",
      priority: 2,
      egress: [{ action: "Deny", to: [{ namespaces: {} }] }],
    });
    expect([closed.verdict(WEB, DB), closed.verdict(WEB, OUTSIDE)]).toEqual(["drop", "allow"]);
    expect(closed.said).toEqual(["BH0407"]);
  });
  test.each(["Deny", "Pass"])("a %s denies everything, at every port", (action) => {
    const ports = { protocols: [{ tcp: { destinationPort: { number: 25 } } }] };
    const { verdict } = world(egress(action, unknown, ports));
    expect([verdict(WEB, DB), verdict(WEB, OUTSIDE), verdict(WEB, NODE)]).toEqual([
      "drop",
      "drop",
      "drop",
    ]);
  });
});

test("trap 8: a star is whole labels, one or more", () => {
  const { verdict } = world(egress("Accept", [{ domainNames: ["*.a.example"] }]), {
    name: "q",
    priority: 2,
    egress: [{ action: "Deny", to: [{ networks: ["0.0.0.0/0"] }] }],
  });
  const of = (name: string) => verdict(WEB, OUTSIDE, { names: [name] });
  expect(
    ["b.a.example", "c.b.a.example", "a.example", "ba.example", "b.axexample"].map(of),
  ).toEqual(["allow", "allow", "drop", "drop", "drop"]);
  expect(verdict(WEB, OUTSIDE)).toBe("drop");
});

test("trap 14: a pod reaches its own address", () => {
  const { verdict } = world({ ingress: [{ action: "Deny", from: [{ namespaces: {} }] }] });
  expect([verdict(WEB, WEB), verdict(DB, WEB)]).toEqual(["allow", "drop"]);
});

test("what only a desk can judge is refused for the kernel", () => {
  const text = `${WORLD}\n---\n${policy(egress("Accept", [{ domainNames: ["a.example"] }]))}`;
  const { resources } = parseFiles([{ name: "x.yaml", text }]);
  const { diagnostics } = buildPolicySet(resources, { now: 0, strict: false, mode: "enforce" });
  expect(diagnostics.map(({ code }) => code)).toEqual(["BH0501"]);
});
