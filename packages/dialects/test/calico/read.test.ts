/** Calico's selectors, tiers and objects where no flow shows what they come to (projectcalico/calico `libcalico-go`). */
import { describe, expect, test } from "vitest";
import { expressionHolds, selectionOf } from "../../src/calico/selection.ts";
import { expression } from "../../src/calico/expression.ts";
import { buildPolicySet, parseFiles } from "../../src/index.ts";
import type { Diagnostic } from "@bulkhead/model";
import { createReader } from "../../src/text/reader.ts";

const object = (kind: string, spec: unknown, metadata: object = {}, apiVersion?: string) =>
  JSON.stringify({
    apiVersion: apiVersion ?? "projectcalico.org/v3",
    kind,
    metadata: { name: "p", ...metadata },
    ...(spec === undefined ? {} : { spec }),
  });
const core = (kind: string, name: string, more: object = {}, spec?: unknown) =>
  object(kind, spec, { name, ...more }, "v1");
const build = (...texts: readonly string[]) => {
  const parsed = parseFiles(texts.map((text, at) => ({ name: `${at}`, text })));
  const options = { now: 0, strict: false, mode: "enforce", target: "desk" } as const;
  const built = buildPolicySet(parsed.resources, options);
  const blocks = built.set.stages.flatMap((one) => one.blocks);
  const said = [...parsed.diagnostics, ...built.diagnostics].map(
    ({ code, message }) => `${code} ${message}`,
  );
  return { ...built, blocks, rules: blocks.flatMap((one) => one.rules), said };
};

/** A selector as it stands in a text; or what is said of it, and of which character. */
const read = (value: string) => {
  const found: Diagnostic[] = [];
  const span = ({ start }: { readonly start: number }) => ({ file: "x", line: 1, column: start });
  const node = {
    kind: "scalar",
    value,
    text: value,
    textStart: 0,
    verbatim: true,
    start: 0,
    end: value.length,
  } as const;
  const parsed = expression.read(node, createReader(span, found, true));
  return parsed ?? found.map((one) => `${one.span.column} ${one.message}`).join();
};

describe("selectors", () => {
  const a = { kind: "in", key: "a", values: ["b"] };
  const has = { kind: "has", key: "c" };
  test.each<[string, unknown]>([
    ["", { kind: "all", isEmpty: true }],
    [" \t", { kind: "all" }],
    ["all()", { kind: "all" }],
    ["global()", { kind: "global" }],
    ["a\t==\t'b'", a],
    ['a=="b"', a],
    ["a != 'b'", { kind: "not", of: a }],
    ["a in {'b'}", a],
    ["a in {'b',}", a],
    ["a in {}", { kind: "in", key: "a", values: [] }],
    ["a in {'b', \"c\"}", { kind: "in", key: "a", values: ["b", "c"] }],
    ["a not in {'b'}", { kind: "not", of: a }],
    ["a notin {'b'}", { kind: "not", of: a }],
    ["a contains 'b'", { kind: "contains", key: "a", text: "b" }],
    ["a starts with 'b'", { kind: "starts", key: "a", text: "b" }],
    ["a startswith 'b'", { kind: "starts", key: "a", text: "b" }],
    ["a ends with 'b'", { kind: "ends", key: "a", text: "b" }],
    ["a endswith 'b'", { kind: "ends", key: "a", text: "b" }],
    ["has(c)", has],
    ["!has(c)", { kind: "not", of: has }],
    ["!!has(c)", has],
    ["has == 'b'", { kind: "in", key: "has", values: ["b"] }],
    ["a == 'b' && has(c)", { kind: "and", of: [a, has] }],
    [
      "a == 'b' || has(c) && all()",
      { kind: "or", of: [a, { kind: "and", of: [has, { kind: "all" }] }] },
    ],
    [
      "(a == 'b' || has(c)) && all()",
      { kind: "and", of: [{ kind: "or", of: [a, has] }, { kind: "all" }] },
    ],
    ["a == 'b' && has(c) && all()", { kind: "and", of: [a, has, { kind: "all" }] }],
    ["a == 'b", "5 a quote that is never closed"],
    ["a = 'b'", "2 `=` means nothing here"],
    ["a == 'b'\n", "8 a line break means nothing here"],
    ["a", "1 expected `word`, found `the end`"],
    ["a == b", "5 expected a quoted text, found `b`"],
    ["a == 'b' has(c)", "9 expected `&&` or `||`, found `has`"],
    ["(a == 'b'", "9 expected `)`, found `the end`"],
    ["a is 'b'", "2 unknown comparison `is`"],
    ["a starts 'b'", "9 expected `word`, found `b`"],
    ["a starts by 'b'", "9 expected `with`, found `by`"],
    ["a not on {'b'}", "6 expected `in`, found `on`"],
    ["any()", "0 unknown function `any()`"],
    ["has()", "4 expected `word`, found `)`"],
    ["has (c)", "4 expected `word`, found `(`"],
    ["a in {'b' 'c'}", "10 expected `}`, found `c`"],
    ["a in 'b'", "5 expected `{`, found `b`"],
  ])("%j", (text, expected) => {
    expect(read(text)).toEqual(expected);
  });

  test("of as many characters as the CRDs permit, and of one more", () => {
    const of = (length: number) => `a == '${"b".repeat(length - 7)}'`;
    expect(read(of(1024))).toMatchObject({ kind: "in" });
    expect(read(of(1025))).toBe("0 a selector of 1025 characters, where 1024 are the most");
  });

  const chosen = (text: string) => {
    const parsed = read(text);
    if (typeof parsed === "string") throw new Error(parsed);
    const all = selectionOf(
      parsed,
      () => ["pre-x", "x-post", "mid"],
      (key) => `:${key}`,
    );
    return all?.map((one) =>
      one.map((it) =>
        [it.key, it.operator, ...("values" in it ? (it.values ?? []) : [])].join(" "),
      ),
    );
  };
  test.each<[string, readonly (readonly string[])[]]>([
    ["all()", [[]]],
    ["!all()", []],
    ["global()", [[":projectcalico.org/namespace DoesNotExist"]]],
    ["!global()", [[":projectcalico.org/namespace Exists"]]],
    ["has(a)", [[":a Exists"]]],
    ["!has(a)", [[":a DoesNotExist"]]],
    ["a in {'b', 'c'}", [[":a In b c"]]],
    ["a not in {'b'}", [[":a NotIn b"]]],
    ["a starts with 'pre'", [[":a In pre-x"]]],
    ["a ends with 'post'", [[":a In x-post"]]],
    ["a contains 'x'", [[":a In pre-x x-post"]]],
    ["!(a contains 'x')", [[":a NotIn pre-x x-post"]]],
    ["has(a) && has(b)", [[":a Exists", ":b Exists"]]],
    ["has(a) || has(b)", [[":a Exists"], [":b Exists"]]],
    ["!(has(a) && has(b))", [[":a DoesNotExist"], [":b DoesNotExist"]]],
    ["!(has(a) || has(b))", [[":a DoesNotExist", ":b DoesNotExist"]]],
    [
      "(has(a) || has(b)) && has(c)",
      [
        [":a Exists", ":c Exists"],
        [":b Exists", ":c Exists"],
      ],
    ],
  ])("%s chooses", (text, expected) => {
    expect(chosen(text)).toEqual(expected);
  });

  test("of 256 combinations, and of more", () => {
    const either = (count: number, key: string) =>
      `(${Array.from({ length: count }, (_, at) => `has(${key}${at})`).join("||")})`;
    expect(chosen(`${either(16, "a")}&&${either(16, "b")}`)).toHaveLength(256);
    expect(chosen(`${either(16, "a")}&&${either(17, "b")}`)).toBeUndefined();
    expect(chosen(`has(z)||${either(16, "a")}&&${either(16, "b")}`)).toBeUndefined();
  });

  test.each([
    ["all()", true],
    ["global()", true],
    ["!global()", false],
    ["a == 'bcd'", true],
    ["a != 'bcd'", false],
    ["z != 'bcd'", true],
    ["a in {'x', 'bcd'}", true],
    ["z in {'bcd'}", false],
    ["has(a)", true],
    ["has(z)", false],
    ["has(toString)", false],
    ["a contains 'c'", true],
    ["a contains 'x'", false],
    ["z contains ''", false],
    ["a starts with 'b'", true],
    ["a starts with 'c'", false],
    ["a ends with 'd'", true],
    ["a ends with 'c'", false],
    ["has(a) && has(z)", false],
    ["has(a) || has(z)", true],
  ])("%s holds of a=bcd: %s", (text, expected) => {
    const parsed = read(text);
    if (typeof parsed === "string") throw new Error(parsed);
    expect(expressionHolds(parsed, { a: "bcd" })).toBe(expected);
  });
});

const policy = (spec: object, metadata: object = {}) =>
  object("GlobalNetworkPolicy", { types: ["Ingress"], selector: "all()", ...spec }, metadata);
const from = (source: object, more: object = {}) =>
  policy({ ingress: [{ action: "Allow", source, ...more }] });

describe("whom rules mean", () => {
  const NETS = object("GlobalNetworkSet", { nets: ["192.0.2.0/24"] }, { labels: { a: "b" } });

  test("a set of networks, unless accounts are asked for, which no set has", () => {
    const cidrs = (...texts: readonly string[]) =>
      build(NETS, ...texts).rules.flatMap(({ peers }) =>
        peers.flatMap((peer) => (peer.kind === "cidr" ? [peer.cidr] : [])),
      );
    expect(cidrs(from({ selector: "a == 'b'" }))).toEqual(["192.0.2.0/24"]);
    expect(cidrs(from({ selector: "a == 'c'" }))).toEqual([]);
    const accounts = { selector: "a == 'b'", serviceAccounts: { names: ["a"] } };
    expect(cidrs(from(accounts))).toEqual([]);
  });

  test("ports of a Service are those of its pods", () => {
    const spec = {
      selector: { app: "a" },
      ports: [
        { port: 80, targetPort: 8080, name: "a" },
        { port: 53, targetPort: "dns", protocol: "UDP", name: "b" },
      ],
    };
    const egress = [
      { action: "Allow", destination: { services: { name: "s", namespace: "shop" } } },
    ];
    const { rules, said } = build(
      core("Service", "s", { namespace: "shop" }, spec),
      policy({ types: ["Egress"], egress }),
    );
    expect(said).toEqual([]);
    expect(rules[0]?.ports).toEqual([
      { kind: "range", protocol: 6, first: 8080, last: 8080 },
      { kind: "named", protocol: 17, name: "dns" },
    ]);
  });

  test("accounts have labels of their own: nobody else's of that name", () => {
    const labelled = (label: string) => ({ namespace: "shop", labels: { of: label } });
    const { inventory } = build(
      core("ServiceAccount", "a", labelled("account")),
      core("Pod", "a", labelled("pod"), { serviceAccountName: "a", containers: [] }),
      core("Service", "a", labelled("service"), {}),
      policy({ ingress: [] }),
    );
    expect(inventory.workloads[0]?.labels).toMatchObject({ of: "pod", ":pcsa.of": "account" });
  });

  test("a prefix of paths ends where a segment does, however many slashes it ends with", () => {
    const paths = (prefix: string) => {
      const http = { paths: [{ prefix }] };
      const [rule] = build(from({}, { http })).rules;
      return rule?.l7?.[0]?.conditions.find((one) => one.attribute === "path")?.anyOf;
    };
    const below = { kind: "prefix", value: "/a/" };
    expect(paths("/a")).toEqual([{ kind: "exact", value: "/a" }, below]);
    expect(paths("/a//")).toEqual([{ kind: "exact", value: "/a" }, below]);
    expect(paths("/")).toEqual([{ kind: "prefix", value: "/" }]);
  });
});

test("tiers of one order stand in the order of their names", () => {
  const names = ["c", "a", "b"];
  const { set } = build(
    ...names.map((name) => object("Tier", { order: 5 }, { name })),
    ...names.map((tier) => policy({ tier, ingress: [] }, { name: `${tier}.p` })),
  );
  const stages = set.stages.map(({ id }) => id).filter((id) => id.startsWith("calico/"));
  expect(stages).toEqual(["calico/a", "calico/b", "calico/c", "calico/default"]);
});

describe("as the datastore holds them", () => {
  const stored = (annotation: string | undefined, name = "default.p", labels?: object) =>
    build(
      object(
        "GlobalNetworkPolicy",
        { selector: "all()", types: ["Ingress"] },
        {
          name,
          ...(labels === undefined ? {} : { labels }),
          ...(annotation === undefined
            ? {}
            : { annotations: { "projectcalico.org/metadata": annotation } }),
        },
        "crd.projectcalico.org/v1",
      ),
    );
  test.each([
    [undefined, "default.q", "q"],
    [undefined, "ossg.q", "ossg.q"],
    ['{"name":"mine"}', "default.q", "mine"],
    ['{"name":""}', "default.q", "q"],
    ['{"name":7}', "default.q", "q"],
    ['{"labels":{"a":7}}', "default.q", "q"],
  ])("%s of %s is called %s", (annotation, name, expected) => {
    const { said, blocks } = stored(annotation, name);
    expect(said).toEqual([]);
    expect(blocks.map((one) => one.policy.name)).toEqual([expected]);
  });

  test("labels that are not all texts are none", () => {
    const labels = (annotation: object) => {
      const metadata = {
        annotations: { "projectcalico.org/metadata": JSON.stringify(annotation) },
      };
      const text = object("GlobalNetworkSet", { nets: [] }, metadata, "crd.projectcalico.org/v1");
      const { resources } = parseFiles([{ name: "x", text }]);
      return resources.flatMap((one) => {
        const { metadata } = one.object as { readonly metadata: { readonly labels?: object } };
        return [metadata.labels];
      })[0];
    };
    expect(labels({ labels: { a: "b" } })).toEqual({ a: "b" });
    expect(labels({ labels: { a: "b", c: 7 } })).toBe(undefined);
    expect(labels({ labels: "a" })).toBe(undefined);
    expect(labels({ labels: null })).toBe(undefined);
    expect(labels({})).toBe(undefined);
  });

  test.each(["{", "7", "null"])("an annotation that holds no metadata: %s", (annotation) => {
    expect(stored(annotation).said).toEqual([
      "BH0441 annotation `projectcalico.org/metadata` does not hold metadata",
    ]);
  });
});

test("a rule is called after what it says, wherever it stands", () => {
  const rule = (port: number) => ({
    action: "Allow",
    protocol: "TCP",
    destination: { ports: [port] },
  });
  const namesOf = (...ports: readonly number[]) =>
    build(policy({ ingress: ports.map(rule) })).rules.map(({ id }) => id);
  const [a, b] = namesOf(80, 81);
  expect(a).not.toBe(b);
  expect(namesOf(81, 80)).toEqual([b, a]);
  expect(new Set(namesOf(80, 80)).size).toBe(2);
});

test("every port of a protocol is the protocol", () => {
  const { rules } = build(policy({ ingress: [{ action: "Allow", protocol: "TCP" }] }));
  expect(rules[0]?.ports).toEqual([{ kind: "protocol", protocol: 6 }]);
  const but = { protocol: "TCP", destination: { notPorts: [80] } };
  expect(build(policy({ ingress: [{ action: "Allow", ...but }] })).rules[0]?.ports).toEqual([
    { kind: "range", protocol: 6, first: 0, last: 79 },
    { kind: "range", protocol: 6, first: 81, last: 65535 },
  ]);
});

test("Kubernetes' own policies stand in the order of the names that Calico gives them", () => {
  const kubernetes = object(
    "NetworkPolicy",
    { podSelector: {}, ingress: [{}] },
    { name: "z", namespace: "shop" },
    "networking.k8s.io/v1",
  );
  const between = ["a", "z"].map((name) =>
    policy({ order: 1000, ingress: [{ action: "Deny" }] }, { name }),
  );
  const { set } = build(kubernetes, ...between);
  const blocks = set.stages.find(({ id }) => id === "calico/default")?.blocks ?? [];
  const sorted = blocks.toSorted((one, other) => {
    const at = one.order.findIndex((rank, place) => rank !== other.order[place]);
    return at < 0 ? 0 : one.order[at]! - other.order[at]!;
  });
  expect(sorted.map((one) => one.policy.kind + one.policy.name)).toEqual([
    "GlobalNetworkPolicy.projectcalico.orga",
    "NetworkPolicyz",
    "GlobalNetworkPolicy.projectcalico.orgz",
  ]);
});

describe("protocols and ports", () => {
  const said = (rule: object) => build(policy({ ingress: [{ action: "Allow", ...rule }] })).said;
  const UNKNOWN = "one of TCP, UDP, SCTP, ICMP, ICMPv6, UDPLite, or a number from 1 to 255";

  test.each(["6x", "1e1", "0x6", "x6", "1000", "0", "256", "-6", "toString", "tcp6"])(
    "%s is no protocol",
    (protocol) => {
      expect(said({ protocol })).toEqual([`BH0105 unknown protocol \`${protocol}\``]);
      const text = policy({ ingress: [{ action: "Allow", protocol }] });
      const [first] = parseFiles([{ name: "x", text }]).diagnostics;
      expect(first?.help).toBe(UNKNOWN);
    },
  );

  test.each<[string | number, number]>([
    ["TCP", 6],
    ["UDP", 17],
    ["SCTP", 132],
    ["ICMP", 1],
    ["ICMPv6", 58],
    ["UDPLite", 136],
    [1, 1],
    [255, 255],
    ["6", 6],
  ])("%s is %i", (protocol, number) => {
    const { rules } = build(policy({ ingress: [{ action: "Allow", protocol }] }));
    expect(rules[0]?.ports).toEqual([{ kind: "protocol", protocol: number }]);
  });

  test.each<[string | number, readonly string[]]>([
    ["80:90", []],
    [80, []],
    ["80:80", []],
    ["1:65535", []],
    ["http", []],
    ["0", ["BH0205 `0` is not a port"]],
    ["0:5", ["BH0205 `0:5` is not a port"]],
    ["65536", ["BH0205 `65536` is not a port"]],
    ["1:65536", ["BH0205 `1:65536` is not a port"]],
    ["90:80", ["BH0206 range `90:80` ends before it begins"]],
    ["80:90:100", ["BH0205 `80:90:100` is not a port"]],
    ["80-90", ["BH0205 `80-90` is not a port"]],
    ["80:", ["BH0205 `80:` is not a port"]],
    [":80", ["BH0205 `:80` is not a port"]],
    ["1e1 ", ["BH0205 `1e1 ` is not a port"]],
  ])("a port %s", (port, expected) => {
    expect(said({ protocol: "TCP", destination: { ports: [port] } })).toEqual(expected);
  });
});

test("staged policies of Kubernetes stand by their namespaces where their names are one", () => {
  const staged = ["b", "a", undefined].map((namespace) =>
    object(
      "StagedKubernetesNetworkPolicy",
      { podSelector: {}, policyTypes: ["Ingress"] },
      { name: "p", ...(namespace === undefined ? {} : { namespace }) },
    ),
  );
  const { blocks } = build(...staged);
  const sorted = blocks.toSorted((one, other) => {
    const at = one.order.findIndex((rank, place) => rank !== other.order[place]);
    return at < 0 ? 0 : one.order[at]! - other.order[at]!;
  });
  expect(sorted.map((one) => one.policy.namespace)).toEqual(["a", "b", "default"]);
});

describe("what a rule says of several things at once", () => {
  const of = (rule: object) => build(policy({ ingress: [{ action: "Allow", ...rule }] }));
  const BEYOND = /^BH0402 names of ports where something is excluded/;

  test.each([
    [{ notPorts: ["http"] }, true],
    [{ ports: ["http"], notPorts: [80] }, true],
    [{ ports: [80], notPorts: ["http"] }, true],
    [{ ports: ["http"] }, false],
    [{ ports: ["http", 80] }, false],
  ])(
    "names of ports stand for themselves only where nothing is excluded: %j",
    (destination, isBeyond) => {
      const { said } = of({ protocol: "TCP", destination });
      expect(said.map((one) => BEYOND.test(one))).toEqual(isBeyond ? [true] : []);
    },
  );

  test("a family leaves what is of the other, and stands for everything of its own", () => {
    const cidrs = (rule: object) =>
      of(rule).rules[0]?.peers.map((peer) => (peer.kind === "cidr" ? peer.cidr : peer.kind));
    expect(cidrs({ ipVersion: 4 })).toEqual(["0.0.0.0/0"]);
    expect(cidrs({ ipVersion: 6 })).toEqual(["::/0"]);
    expect(cidrs({ ipVersion: 4, source: { nets: ["10.0.0.0/8"] } })).toEqual(["10.0.0.0/8"]);
    expect(cidrs({ ipVersion: 6, source: { nets: ["fd00::/8"] } })).toEqual(["fd00::/8"]);
    expect(of({ ipVersion: 5 }).said).toEqual([expect.stringMatching(/ `ipVersion` is 4 or 6$/)]);
  });
});
