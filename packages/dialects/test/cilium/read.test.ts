/** What Cilium's objects come to where no flow shows it: names and patterns, keys of labels, rules of one port, places. */
import { describe, expect, test } from "vitest";
import { nameExpression, patternExpression } from "../../src/cilium/names.ts";
import { parseCiliumKey } from "../../src/cilium/selector.ts";
import { buildPolicySet, parseFiles } from "../../src/index.ts";

const policy = (spec: object, kind = "CiliumNetworkPolicy") =>
  JSON.stringify({
    apiVersion: "cilium.io/v2",
    kind,
    metadata: { name: "p", ...(kind === "CiliumNetworkPolicy" ? { namespace: "shop" } : {}) },
    spec: { endpointSelector: {}, ...spec },
  });
const build = (...texts: readonly string[]) => {
  const parsed = parseFiles(texts.map((text, at) => ({ name: `${at}`, text })));
  const options = { now: 0, strict: false, mode: "enforce", target: "desk" } as const;
  const built = buildPolicySet(parsed.resources, options);
  const said = [...parsed.diagnostics, ...built.diagnostics];
  const blocks = built.set.stages
    .filter(({ id }) => id !== "metadata")
    .flatMap((one) => one.blocks);
  return {
    said: said.map(({ code, message }) => `${code} ${message}`),
    places: said.map(({ span, code }) => `${span.line}:${span.column} ${code}`),
    blocks,
    rules: blocks.flatMap(({ rules }) => rules),
  };
};
const codes = (...texts: readonly string[]) => build(...texts).said.map((one) => one.slice(0, 6));

describe("names (`pkg/fqdn/matchpattern`)", () => {
  const holds = (expression: string, name: string) => new RegExp(`^(?:${expression})$`).test(name);
  test.each([
    ["*", "a", true],
    ["*", "a.b", true],
    ["**", "a.b", true],
    ["*.b", "a.b", true],
    ["*.b", "x.a.b", false],
    ["*.b", ".b", true],
    ["**.b", "a.b", true],
    ["**.b", "x.a.b", true],
    ["**.b", "b", false],
    ["***.b", "x.a.b", true],
    ["a*.b", "a.b", true],
    ["a*.b", "ax.b", true],
    ["a*.b", "a.x.b", false],
    ["a**.b", "a.x.b", false],
    ["a.**.b", "a.x.b", true],
    ["a.**.b", "a.x.y.b", false],
    ["A.b.", "a.b", true],
    ["a.b", "axb", false],
  ])("the pattern `%s` holds `%s`: %s", (pattern, name, expected) => {
    expect(holds(patternExpression(pattern), name)).toBe(expected);
  });

  test("a name is itself, whatever its case, and a last dot says nothing", () => {
    expect(nameExpression("A.b.")).toBe("a[.]b");
    expect(nameExpression("a.b.c")).toBe("a[.]b[.]c");
  });

  test.each([
    [{ matchName: "a.b" }, []],
    [{ matchName: "." }, ["BH0107"]],
    [{ matchName: "*.b" }, ["BH0107"]],
    [{ matchName: "" }, ["BH0107"]],
    [{ matchName: "a".repeat(255) }, []],
    [{ matchName: "a".repeat(256) }, ["BH0107"]],
    [{ matchPattern: "*.b" }, []],
    [{ matchPattern: "." }, ["BH0107"]],
    [{ matchPattern: "a+b" }, ["BH0107"]],
  ])("of a rule: %j", (names, expected) => {
    const dns = {
      toPorts: [
        { ports: [{ port: "53", protocol: "UDP" }], rules: { dns: [{ matchPattern: "*" }] } },
      ],
    };
    expect(codes(policy({ egress: [{ toFQDNs: [names] }, dns] }))).toEqual(expected);
  });
});

describe("keys of labels (`pkg/labels`)", () => {
  test.each([
    ["app", "any", "app"],
    ["k8s:app", "k8s", "app"],
    ["any:a:b", "any", "a:b"],
    [":app", "", "app"],
    ["reserved:host", "reserved", "host"],
    ["reserved.host", "reserved", "host"],
    ["$host", "reserved", "host"],
    ["reservedhost", "any", "reservedhost"],
  ])("%s", (key, from, name) => {
    expect(parseCiliumKey(key)).toEqual({ from, name });
  });

  const selecting = (matchLabels: object, matchExpressions: readonly object[] = []) =>
    codes(policy({ ingress: [{ fromEndpoints: [{ matchLabels, matchExpressions }] }] }));
  test.each([
    [{ "reserved:host": "" }, []],
    [{ "reserved:all": "" }, ["BH0403"]],
    [{ "reserved:nobody": "" }, ["BH0202"]],
    [{ ":app": "a" }, ["BH0202"]],
    [{ "x:": "a" }, ["BH0202"]],
    [{ "x:y": "a" }, []],
    [{ "k8s:-": "a" }, ["BH0202"]],
    [{ "io.cilium.k8s.namespace.labels.-": "a" }, ["BH0202"]],
    [{ "io.cilium.k8s.namespace.labels.a.b/c": "a" }, []],
    [{ "reserved:host": "", app: "a" }, ["BH0402"]],
  ])("%j in a selector", (labels, expected) => {
    expect(selecting(labels)).toEqual(expected);
  });

  test("a reserved label is asked for, and nothing else is said of it", () => {
    const one = (operator: string, values?: readonly string[]) => ({
      key: "reserved:host",
      operator,
      ...(values === undefined ? {} : { values }),
    });
    expect(selecting({}, [one("Exists")])).toEqual([]);
    expect(selecting({}, [one("In", [""])])).toEqual([]);
    expect(selecting({}, [one("NotIn", [""])])).toEqual(["BH0402"]);
    expect(selecting({}, [one("DoesNotExist")])).toEqual(["BH0402"]);
    expect(selecting({}, [one("Exists"), one("DoesNotExist")])).toEqual(["BH0402"]);
  });
});

describe("rules of ports", () => {
  const http = (port: string, rule: object = {}) => ({
    ports: [{ port, protocol: "TCP" }],
    rules: { http: [rule] },
  });
  test("what asks stands by itself, and what does not beside it", () => {
    const both = [{ toPorts: [http("80"), { ports: [{ port: "81", protocol: "TCP" }] }] }];
    const shown = (ingress: readonly object[]) =>
      build(policy({ ingress })).rules.map(({ ports, l7 }) => [ports, l7?.length ?? 0]);
    const at = (port: number) => [{ kind: "range", protocol: 6, first: port, last: port }];
    expect(shown(both)).toEqual([
      [at(81), 0],
      [at(80), 1],
    ]);
    expect(shown([{ toPorts: [http("80")] }])).toEqual([[at(80), 1]]);
  });

  test("a header without a value, and one that is empty, is there whatever it says", () => {
    const asked = (rule: object) =>
      build(policy({ ingress: [{ toPorts: [http("80", rule)] }] })).rules[0]?.l7?.[0]?.conditions;
    const there = { attribute: "header:x-a", anyOf: [{ kind: "prefix", value: "" }], noneOf: [] };
    const said = { ...there, anyOf: [{ kind: "exact", value: "b" }] };
    expect(asked({ headerMatches: [{ name: "X-A" }] })).toEqual([there]);
    expect(asked({ headerMatches: [{ name: "X-A", value: "" }] })).toEqual([there]);
    expect(asked({ headerMatches: [{ name: "X-A", value: "b" }] })).toEqual([said]);
    expect(asked({ headerMatches: [{ name: "X-A", value: "b", mismatch: "LOG" }] })).toEqual([]);
    expect(asked({ headers: ["X-A"] })).toEqual([there]);
    expect(asked({ headers: ["X-A b"] })).toEqual([said]);
    expect(asked({ headers: ["X-A: b"] })).toEqual([said]);
    expect(asked({ path: "", method: "", host: "" })).toEqual([]);
    const all = { path: "/a", method: "GET", host: "b" };
    expect(asked(all)?.map(({ attribute }) => attribute)).toEqual(["method", "target", "host"]);
  });

  test("two parsers of one port, whoever says so, are told of, and of two ports not", () => {
    const dns = (port: string) => ({
      ports: [{ port, protocol: "TCP" }],
      rules: { dns: [{ matchPattern: "*" }] },
    });
    const egress = (one: string, other: string) =>
      codes(policy({ egress: [{ toPorts: [http(one)] }, { toPorts: [dns(other)] }] }));
    expect(egress("53", "53")).toEqual(["BH0410"]);
    expect(egress("80", "53")).toEqual([]);
  });
});

test("what excludes what is told where the second of them stands", () => {
  const text = `apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: p, namespace: shop }
spec:
  endpointSelector: {}
  ingress:
    - fromEndpoints: [{}]
      fromCIDR: [10.0.0.0/8]
    - toPorts: [{ ports: [{ port: "80" }] }]
      icmps: [{ fields: [{ type: 8 }] }]
`;
  expect(build(text).places).toEqual(["8:7 BH0109", "10:7 BH0109"]);
});

describe("places", () => {
  const scopeOf = (matchLabels: object, matchExpressions: readonly object[] = []) => {
    const rule = { fromEndpoints: [{ matchLabels, matchExpressions }] };
    const [peer] = build(policy({ ingress: [rule] }, "CiliumClusterwideNetworkPolicy")).rules[0]!
      .peers;
    return peer?.kind === "workloads" ? peer.namespaces : peer;
  };
  const NAME = "k8s:io.kubernetes.pod.namespace";
  const key = "kubernetes.io/metadata.name";
  test("one namespace, several, none, all", () => {
    expect(scopeOf({ [NAME]: "a" })).toEqual({ kind: "named", name: "a" });
    const several = { key: NAME, operator: "In", values: ["a", "b"] };
    expect(scopeOf({}, [several])).toEqual({
      kind: "selected",
      selector: { requirements: [{ key, operator: "In", values: ["a", "b"] }] },
    });
    expect(scopeOf({ [NAME]: "" })).toEqual({
      kind: "selected",
      selector: { requirements: [{ key, operator: "In", values: [""] }] },
    });
    expect(scopeOf({}, [{ key: NAME, operator: "Exists" }])).toEqual({ kind: "all" });
    expect(scopeOf({})).toEqual({ kind: "all" });
    expect(scopeOf({}, [{ key: NAME, operator: "NotIn", values: ["a"] }])).toEqual({
      kind: "selected",
      selector: { requirements: [{ key, operator: "NotIn", values: ["a"] }] },
    });
  });

  test("a policy's subject is in its own namespace, and told when it says another", () => {
    const of = (matchLabels: object, matchExpressions: readonly object[] = []) =>
      build(policy({ endpointSelector: { matchLabels, matchExpressions }, ingress: [] }));
    const own = { [NAME]: "shop" };
    const codesOf = (found: ReturnType<typeof of>) => found.said.map((one) => one.slice(0, 6));
    const usual = codesOf(of({}));
    expect(codesOf(of(own))).toEqual(usual);
    for (const [operator, values] of [
      ["In", ["other"]],
      ["In", ["shop", "other"]],
      ["NotIn", ["other"]],
      ["Exists", undefined],
    ] as const) {
      const found = of({}, [{ key: NAME, operator, ...(values === undefined ? {} : { values }) }]);
      expect(codesOf(found)).not.toEqual(usual);
      for (const { subject } of found.blocks)
        expect(subject).toMatchObject({ namespaces: { kind: "named", name: "shop" } });
    }
  });
});

test("a policy that says nothing is told of, and one with any rule in any section is not", () => {
  const rule = { fromEntities: ["world"] };
  const to = { toEntities: ["world"] };
  const idle = (spec: object) => codes(policy(spec)).includes("BH0308");
  expect(idle({ ingress: [], egressDeny: [] })).toBe(true);
  expect(idle({ ingress: [rule] })).toBe(false);
  expect(idle({ ingressDeny: [rule] })).toBe(false);
  expect(idle({ egress: [to] })).toBe(false);
  expect(idle({ egressDeny: [to] })).toBe(false);
  expect(idle({ egress: [to], egressDeny: [to] })).toBe(false);
  expect(idle({ ingress: [rule], ingressDeny: [rule] })).toBe(false);
});

test("where policy is always enforced, the configuration isolates everybody, by its own name", () => {
  const config = JSON.stringify({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "cilium-config", namespace: "kube-system" },
    data: { "enable-policy": "always" },
  });
  const found = build(config).blocks;
  expect(
    found.map(({ id, direction, isolates, policy: of }) => [id, direction, isolates, of]),
  ).toEqual(
    ["egress", "ingress"].map((direction) => [
      `ConfigMap/cilium-config#${direction}`,
      direction,
      true,
      // As it is called where its mode is kept: audited, it must isolate nobody.
      { kind: "ConfigMap", namespace: "kube-system", name: "cilium-config" },
    ]),
  );
});
