import { describe, expect, test } from "vitest";
import { buildPolicySet, parseFiles, type BuildOptions } from "../src/index.ts";

const build = (texts: readonly string[], options: Partial<BuildOptions> = {}) => {
  const files = texts.map((text, i) => ({ name: `${i}.yaml`, text }));
  const { resources, diagnostics } = parseFiles(files);
  const built = buildPolicySet(resources, {
    now: 0,
    strict: false,
    mode: "enforce",
    target: "desk",
    ...options,
  });
  const said = [...diagnostics, ...built.diagnostics].map(({ code }) => code);
  return { stages: built.set.stages, said };
};

const policy = (name: string, spec: string, kind = "ClusterNetworkPolicy") =>
  `apiVersion: crd.antrea.io/v1beta1\nkind: ${kind}\nmetadata: { name: ${name}, namespace: shop }\nspec: ${spec}`;
const PODS = "appliedTo: [{ podSelector: {} }]";
const NAMESPACES = ["shop", "test"].map(
  (name) => `apiVersion: v1\nkind: Namespace\nmetadata: { name: ${name} }`,
);

const used = ({ stages }: ReturnType<typeof build>) =>
  stages.filter(({ blocks }) => blocks.length > 0);

test("stages are those of the tiers that policies stand in, each where its priority puts it", () => {
  const { stages } = build([
    `apiVersion: crd.antrea.io/v1beta1\nkind: Tier\nmetadata: { name: mine }\nspec: { priority: 130 }`,
    ...["baseline", "mine", "platform", "securityops"].map((tier) =>
      policy(tier, `{ tier: ${tier}, priority: 5, ${PODS}, ingress: [{ action: Drop }] }`),
    ),
    policy(
      "node",
      "{ tier: platform, priority: 5, appliedTo: [{ nodeSelector: {} }], egress: [{ action: Drop }] }",
    ),
  ]);
  expect(stages.map(({ id, plane, onPass }) => [id, plane, onPass])).toEqual([
    ["emergency", "net", "metadata"],
    ["metadata", "net", "guardrail"],
    ["guardrail", "net", "exception"],
    ["exception", "net", "antrea/securityops"],
    ["antrea/securityops", "net", "application"],
    ["antrea/mine", "net", "application"],
    ["antrea-nodes/platform", "host", "antrea-nodes/baseline"],
    ["antrea/platform", "net", "application"],
    ["application", "net", "antrea/baseline"],
    ["antrea-nodes/baseline", "host", null],
    ["antrea/baseline", "net", "baseline"],
    ["baseline", "net", null],
  ]);
});

test("rules have one name each, for every subject and namespace that they are said of", () => {
  const built = build([
    ...NAMESPACES,
    policy(
      "a",
      `{ priority: 2.5, appliedTo: [{ podSelector: {} }, { namespaceSelector: {} }], ingress: [
        { action: Allow, name: own, enableLogging: true, from: [{ namespaces: { match: Self } }] },
        { action: Drop, name: "not a plain: name" },
        { action: Drop, ports: [{ port: 1 }] },
        { action: Drop, ports: [{ port: 2 }] }] }`,
    ),
  ]);
  const blocks = used(built).flatMap((stage) => stage.blocks);
  const ids = blocks.flatMap(({ rules }) => rules.map(({ id }) => id));
  expect(new Set(ids).size).toBe(ids.length);
  expect(new Set(blocks.map(({ id }) => id)).size).toBe(blocks.length);
  expect(ids.slice(0, 8)).toEqual(
    ["@0@shop", "@0@test", "@1@shop", "@1@test"].flatMap((part) => [
      `AntreaClusterNetworkPolicy/a#ingress/own${part}~log`,
      `AntreaClusterNetworkPolicy/a#ingress/own${part}`,
    ]),
  );
  expect(new Set(blocks.map(({ order }) => order.join(" ")))).toEqual(
    new Set(["2.5 0", "2.5 1", "2.5 2", "2.5 3"]),
  );
  expect(blocks.every(({ isolates }) => !isolates)).toBe(true);
  expect(blocks.every(({ policy: { namespace } }) => namespace === "")).toBe(true);
});

test("in whatever order files are read, the set is the same", () => {
  const texts = [
    ...NAMESPACES,
    policy("b", `{ priority: 5, ${PODS}, ingress: [{ action: Allow, from: [{ group: g }] }] }`),
    policy("a", `{ priority: 5, ${PODS}, ingress: [{ action: Drop }] }`, "NetworkPolicy"),
    "apiVersion: crd.antrea.io/v1beta1\nkind: ClusterGroup\nmetadata: { name: g }\nspec: { podSelector: {} }",
  ];
  const plain = ({ stages }: ReturnType<typeof build>) =>
    JSON.stringify(stages, (key, value: unknown) => (key === "source" ? undefined : value));
  expect(plain(build(texts.toReversed()))).toEqual(plain(build(texts)));
});

test("an audit stages everything", () => {
  const rules = used(
    build([policy("a", `{ priority: 5, ${PODS}, ingress: [{ action: Drop }] }`)], {
      mode: "audit",
    }),
  ).flatMap(({ blocks }) =>
    blocks.flatMap((block) => [block.enforce, ...block.rules.map((rule) => rule.enforce)]),
  );
  expect(rules).toEqual(["staged", "staged"]);
});

describe("in force", () => {
  test.each<[string, string, readonly string[]]>([
    [
      "what a kernel holds",
      `${PODS}, egress: [{ action: Reject, to: [{ ipBlock: { cidr: 10.0.0.0/8 } }] }]`,
      [],
    ],
    [
      "requests",
      `${PODS}, egress: [{ action: Allow, to: [{ podSelector: {} }], ports: [{ port: 80 }], l7Protocols: [{ http: {} }] }]`,
      ["BH0501"],
    ],
    [
      "names",
      `${PODS}, egress: [{ action: Allow, to: [{ fqdn: a.example }], ports: [{ port: 80 }] }]`,
      ["BH0501"],
    ],
    [
      "nodes",
      "appliedTo: [{ nodeSelector: {} }], egress: [{ action: Drop, ports: [{ port: 80 }] }]",
      ["BH0501"],
    ],
  ])("%s", (_, spec, codes) => {
    const text = policy("a", `{ priority: 5, ${spec} }`);
    expect(build([text], { target: "kernel" }).said).toEqual(codes);
    expect(build([text]).said).toEqual([]);
  });
});

test("policies of two namespaces, or that agree, are no tie", () => {
  const at = (namespace: string, action: string) =>
    `apiVersion: crd.antrea.io/v1beta1\nkind: NetworkPolicy\nmetadata: { name: ${action.toLowerCase()}, namespace: ${namespace} }\nspec: { priority: 5, ${PODS}, ingress: [{ action: ${action}, ports: [{ port: 80 }] }] }`;
  const cluster = (action: string) =>
    policy(
      action.toLowerCase(),
      `{ priority: 5, ${PODS}, ingress: [{ action: ${action}, ports: [{ port: 80 }] }] }`,
    );
  expect(build([at("shop", "Drop"), at("test", "Allow")]).said).toEqual([]);
  expect(build([at("shop", "Drop"), at("test", "Drop"), cluster("Drop")]).said).toEqual([]);
  expect(build([at("shop", "Drop"), cluster("Allow")]).said).toEqual(["BH0408"]);
  expect(build([cluster("Allow"), at("shop", "Drop")]).said).toEqual(["BH0408"]);
  expect(build([at("shop", "Drop"), at("shop", "Allow")]).said).toEqual(["BH0408"]);
});
