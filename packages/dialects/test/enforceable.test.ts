import { describe, expect, test } from "vitest";
import type {
  Block,
  Cidr,
  Diagnostic,
  NamespaceScope,
  Peer,
  Plane,
  Rule,
  Selector,
  Stage,
} from "@bulkhead/model";
import { createContext } from "../src/build/context.ts";
import { refuseBeyondKernel, refuseParting } from "../src/build/enforceable.ts";
import { buildPolicySet, parseFiles } from "../src/index.ts";

const source = { file: "x.yaml", line: 3, column: 5 };
const plain: Rule = {
  id: "r",
  source,
  action: "allow",
  peers: [{ kind: "any" }],
  ports: [{ kind: "all" }],
  enforce: "on",
};

const said = (
  rule: Partial<Rule> | null,
  plane: Plane = "net",
  subject: Block["subject"] = { kind: "all-workloads" },
): readonly string[] => {
  const diagnostics: Diagnostic[] = [];
  const block: Block = {
    id: "b",
    source,
    subject,
    direction: "ingress",
    order: [0],
    isolates: true,
    enforce: "on",
    rules: rule === null ? [] : [{ ...plain, ...rule }],
    policy: { kind: "Policy", namespace: "shop", name: "b" },
  };
  const stage: Stage = {
    id: "s",
    plane,
    mode: "denyOverrides",
    endIfApplied: "deny",
    onPass: null,
    blocks: [block],
  };
  const options = { now: 0, strict: false, mode: "enforce" } as const;
  refuseBeyondKernel([stage], createContext(options, new Map(), diagnostics));
  return diagnostics.map(({ code, span, message }) => `${code} ${span.line}: ${message}`);
};

const having = (key: string): Selector => ({ requirements: [{ key, operator: "Exists" }] });
const ALL: NamespaceScope = { kind: "all" };
const chosen = (namespaces: NamespaceScope, key?: string) =>
  ({
    kind: "workloads",
    namespaces,
    selector: key === undefined ? { requirements: [] } : having(key),
  }) as const;

describe("a set for the kernel", () => {
  test("may hold rules on addresses and ports", () => {
    expect(said({})).toEqual([]);
    expect(said({ action: "deny" })).toEqual([]);
    expect(said({ auth: "disabled" })).toEqual([]);
  });

  test.each<[Partial<Rule>, string]>([
    [{ l7: [{ kind: "http", conditions: [] }] }, "looks into requests"],
    [{ peers: [{ kind: "domain", pattern: "a.b", regex: "a\\.b" }] }, "names its peers by domain"],
    [{ auth: "required" }, "asks its ends to prove who they are"],
    [{ action: "custom" }, "asks a judge outside"],
  ])("may not hold %j", (rule, why) => {
    expect(said(rule)).toEqual([`BH0501 3: this rule ${why}, which cannot be enforced here`]);
  });

  test.each<[string, Block["subject"]]>([
    ["is a node's", chosen({ kind: "named", name: ":nodes" })],
    ["selects by `service-account`, which only a cluster tells", chosen(ALL, ":service-account")],
    [
      "selects by `pcns.team`, which only a cluster tells",
      chosen({ kind: "selected", selector: having(":pcns.team") }),
    ],
  ])("may not hold a policy that %s", (why, subject) => {
    const refusal = `BH0501 3: this policy ${why}, which cannot be enforced here`;
    expect(said({}, "net", subject)).toEqual([refusal]);
    expect(said(null, "net", subject)).toEqual([refusal]);
  });

  test("may hold allows of nodes, and no denials: what runs has no such labels", () => {
    const peers = [chosen({ kind: "named", name: ":nodes" })];
    expect(said({ peers })).toEqual([]);
    expect(said({ peers, action: "deny" })).toEqual([
      "BH0501 3: this rule denies nodes, which cannot be enforced here",
    ]);
    const host = { kind: "entity", entity: "host" } as const;
    const world = { kind: "entity", entity: "world" } as const;
    expect(said({ peers: [...peers, host], action: "deny" })).toHaveLength(1);
    expect(said({ peers: [...peers, world], action: "deny" })).toHaveLength(1);
    const prefix = (cidr: Cidr): Peer => ({
      kind: "cidr",
      cidr,
      except: [],
      matchesWorkloads: true,
    });
    const [v4, v6] = [prefix("0.0.0.0/0"), prefix("::/0")];
    expect(said({ peers: [...peers, host, v4], action: "deny" })).toHaveLength(1);
    expect(said({ peers: [...peers, host, v4, v6], action: "deny" })).toEqual([]);
    expect(said({ peers: [...peers, host, world], action: "deny" })).toEqual([]);
    expect(said({ peers: [plain.peers[0]!, chosen(ALL, ":mesh")] })).toEqual([
      "BH0501 3: this rule selects by `mesh`, which only a cluster tells, which cannot be enforced here",
    ]);
  });

  test("may not hold a plane that denies by having no rules", () => {
    expect(said(null)).toEqual([]);
    expect(said(null, "mesh")).toEqual([
      "BH0501 3: this policy is a mesh's, which cannot be enforced here",
    ]);
  });

  test("may not hold a mesh's rules", () => {
    expect(said({}, "mesh")).toEqual([
      "BH0501 3: this rule is a mesh's, which cannot be enforced here",
    ]);
  });
});

const built = (text: string, target: "kernel" | "desk" = "kernel"): readonly string[] => {
  const { resources } = parseFiles([{ name: "x.yaml", text }]);
  const { diagnostics } = buildPolicySet(resources, {
    now: 0,
    strict: false,
    mode: "enforce",
    target,
  });
  return diagnostics
    .filter(({ severity }) => severity === "error")
    .map(({ code, message }) => `${code} ${message}`);
};
const calico = (rest: string): string => `
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: { name: deny }
spec: ${rest}
---
`;
const KUBERNETES = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: open, namespace: shop }
spec: { podSelector: {}, ingress: [{ from: [{ podSelector: {} }] }] }
---
`;
const NATIVE = `
apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: shut, namespace: shop }
spec:
  subject: app=db
  ingress: []
---
`;

test("what a set for the kernel may hold of Calico", () => {
  expect(
    built(calico(`{ ingress: [{ action: Deny, source: { notSelector: app == 'a' } }] }`)),
  ).toEqual([]);
});

describe("what would be skipped in silence where it is put in force is refused", () => {
  test.each([
    ["{ selector: projectcalico.org/namespace == 'prod' }", /projectcalico\.org\/namespace/],
    ["{ namespaceSelector: team == 'red' }", /pcns\.team/],
    ["{ ingress: [{ action: Deny, source: { serviceAccounts: { names: [a] } } }] }", /account/],
    ["{ ingress: [{ action: Deny, source: { selector: app starts with 'e' } }] }", /parts of/],
    [
      "{ egress: [{ action: Deny, destination: { services: { name: a, namespace: b } } }] }",
      /a Service that/,
    ],
  ])("Calico's %s", (spec, why) => {
    expect(built(calico(spec))).toEqual([expect.stringMatching(why)]);
    expect(built(calico(spec), "desk")).toEqual([]);
  });

  test.each([
    [
      "{ endpointSelector: {}, egressDeny: [{ toServices: [{ k8sService: { serviceName: a } }] }] }",
    ],
    ["{ endpointSelector: {}, ingressDeny: [{ fromCIDRSet: [{ cidrGroupRef: a }] }] }"],
    ["{ endpointSelector: {}, ingressDeny: [{ fromEntities: [kube-apiserver] }] }"],
    ["{ nodeSelector: {}, ingress: [], enableDefaultDeny: { ingress: true } }"],
  ])("Cilium's %s", (spec) => {
    const text = `{ apiVersion: cilium.io/v2, kind: CiliumClusterwideNetworkPolicy, metadata: { name: a }, spec: ${spec} }`;
    expect(built(text)).toHaveLength(1);
    expect(built(text, "desk")).toEqual([]);
  });

  test.each([
    ["egress: [{ action: Drop, toServices: [{ name: a, namespace: b }] }]", 2],
    ["ingress: [{ action: Drop, from: [{ group: a }] }]", 1],
    ["ingress: [{ action: Drop, from: [{ namespaces: { match: Self } }] }]", 1],
    ["ingress: [{ action: Drop, from: [{ serviceAccount: { name: a, namespace: b } }] }]", 1],
  ])("Antrea's %s", (rules, count) => {
    const text = `{ apiVersion: crd.antrea.io/v1beta1, kind: ClusterNetworkPolicy, metadata: { name: a }, spec: { priority: 5, appliedTo: [{ podSelector: {} }], ${rules} } }`;
    expect(built(text)).toHaveLength(count);
    expect(built(text, "desk")).toEqual([]);
  });

  test("a Calico policy that takes Kubernetes' own away from those they are judged with", () => {
    expect(built(`${calico("{}")}${KUBERNETES}`)).toEqual([]);
    expect(built(`${KUBERNETES}${NATIVE}`)).toEqual([]);
    expect(built(`${calico("{}")}${KUBERNETES}${NATIVE}`)).toEqual([
      "BH0501 `NetworkPolicy/shop/open` and `Policy/shop/shut` would no longer be judged together, which cannot be enforced here",
    ]);
    expect(built(`${calico("{}")}${KUBERNETES}${NATIVE}`, "desk")).toEqual([]);
  });

  test("a place for others' policies that would not isolate them", () => {
    const block: Block = {
      id: "b",
      source,
      subject: { kind: "all-workloads" },
      direction: "ingress",
      order: [0],
      isolates: true,
      enforce: "on",
      rules: [],
      policy: { kind: "NetworkPolicy", namespace: "shop", name: "open" },
    };
    const diagnostics: Diagnostic[] = [];
    refuseParting(
      [{ stage: "application", block }],
      [{ stage: "other", block }],
      [
        { id: "application", endIfApplied: "deny" },
        { id: "other", endIfApplied: "pass" },
      ],
      createContext({ now: 0, strict: false, mode: "enforce" }, new Map(), diagnostics),
    );
    expect(diagnostics.map(({ code, message }) => `${code} ${message}`)).toEqual([
      "BH0501 `NetworkPolicy/shop/open` would no longer isolate in `other`, which cannot be enforced here",
    ]);
  });
});
