/**
 * Every field of kubernetes-sigs/network-policy-api: `apis/v1alpha2/clusternetworkpolicy_types.go` (v0.2.0),
 * `apis/v1alpha1/adminnetworkpolicy_types.go`, `baselineadminnetworkpolicy_types.go` and `shared_types.go` (v0.1.7), with what
 * their CRDs refuse besides.
 */
import { describe, expect, test } from "vitest";
import { parseFiles } from "../src/index.ts";
import { everyField, META, type Field } from "./every-field.ts";

const under = (prefix: string, fields: readonly Field[]): readonly Field[] =>
  fields.map(([path, value, code]) => [path === "" ? prefix : `${prefix}.${path}`, value, code]);
const some = (count: number, item: unknown): unknown[] => Array.from({ length: count }, () => item);

const SELECTOR: readonly Field[] = [
  ["", {}, null],
  ["matchLabels", { a: "b" }, null],
  ["matchExpressions", [{ key: "a", operator: "In", values: ["b"] }], null],
  ["matchExpressions", [{ key: "a", operator: "Exists" }], null],
  ["matchExpressions", [{ key: "a", operator: "In", values: [] }], "BH0201"],
  ["zebra", 1, "BH0102"],
];
type LeftOut = null | "warned BH0103";
// An API server refuses what lacks a selector; what it would mean is beyond doubt, so it is read, aloud (decision 0091).
const pods = (namespaceSelector: LeftOut): readonly Field[] => [
  ["", { namespaceSelector: {}, podSelector: {} }, null],
  ["", { podSelector: {} }, namespaceSelector],
  ["", { namespaceSelector: {} }, "warned BH0103"],
  ["", { namespaceSelector: {}, podSelector: {}, zebra: 1 }, "BH0102"],
];
const NETWORKS: readonly Field[] = [
  ["", ["10.0.0.0/8", "2001:db8::/32"], null],
  // `isCIDR` takes it; so do we, with a warning of its own.
  ["", ["10.0.0"], "BH0203"],
  ["", [], "BH0103"],
  ["", some(26, "10.0.0.0/8"), "BH0105"],
];
const DOMAINS: readonly Field[] = [
  ["", ["kubernetes.io", "*.Kubernetes.io", "a_b.example."], null],
  ["", ["*"], "BH0107"],
  ["", ["a*.example"], "BH0107"],
  ["", ["a.*.example"], "BH0107"],
  ["", ["localhost"], "BH0107"],
  ["", ["-a.example"], "BH0107"],
  ["", [], "BH0103"],
  ["", some(26, "a.example"), "BH0105"],
];
const PORTS: readonly Field[] = [
  ["0.portNumber", { protocol: "TCP", port: 80 }, null],
  ["0.portNumber", { port: 80 }, null],
  ["0.portNumber", { protocol: "ICMP", port: 80 }, "BH0105"],
  ["0.portNumber", { protocol: "UDP", port: 0 }, "BH0105"],
  ["0.portNumber", { protocol: "UDP" }, "BH0103"],
  ["0.portRange", { protocol: "SCTP", start: 1, end: 65535 }, null],
  ["0.portRange", { start: 80, end: 80 }, "BH0206"],
  ["0.portRange", { start: 81, end: 80 }, "BH0206"],
  ["0.portRange", { start: 80 }, "BH0103"],
  ["0.namedPort", "http", null],
  ["0.namedPort", "not a name", "BH0205"],
  ["0", {}, "BH0103"],
  ["0", { namedPort: "http", portNumber: { port: 80 } }, "BH0109"],
  ["0.zebra", 1, "BH0102"],
  ["", [], "BH0103"],
];
const PROTOCOLS: readonly Field[] = [
  ...["tcp", "udp", "sctp"].flatMap((name): Field[] => [
    [`0.${name}.destinationPort.number`, 80, null],
    [`0.${name}.destinationPort.number`, 0, "BH0105"],
    [`0.${name}.destinationPort.number`, 65536, "BH0105"],
    [`0.${name}.destinationPort.range`, { start: 1, end: 65535 }, null],
    [`0.${name}.destinationPort.range`, { start: 80, end: 80 }, "BH0206"],
    [`0.${name}.destinationPort.range`, { end: 80 }, "BH0103"],
    [`0.${name}.destinationPort`, {}, "BH0103"],
    [`0.${name}.destinationPort`, { number: 1, range: { start: 1, end: 2 } }, "BH0109"],
    [`0.${name}`, {}, "BH0103"],
    [`0.${name}`, { destinationPort: { number: 1 }, zebra: 1 }, "BH0102"],
  ]),
  ["0.destinationNamedPort", "http", null],
  ["0", { destinationNamedPort: "http", tcp: { destinationPort: { number: 80 } } }, "BH0109"],
  ["0", {}, "BH0103"],
  ["0.zebra", 1, "BH0102"],
  ["", [], "BH0103"],
  ["", some(26, { destinationNamedPort: "http" }), "BH0105"],
];

interface Kind {
  readonly kind: string;
  readonly version: string;
  readonly spec: object;
  readonly name?: string;
  readonly accept: string;
  readonly hasPass: boolean;
  readonly namespaceSelector: LeftOut;
  readonly rules: number;
  readonly peers: number;
  readonly hasDomains: boolean;
}

const KINDS: readonly Kind[] = [
  {
    kind: "ClusterNetworkPolicy",
    version: "v1alpha2",
    spec: { tier: "Admin", priority: 1 },
    accept: "Accept",
    hasPass: true,
    namespaceSelector: null,
    rules: 25,
    peers: 25,
    hasDomains: true,
  },
  {
    kind: "AdminNetworkPolicy",
    version: "v1alpha1",
    spec: { priority: 1 },
    accept: "Allow",
    hasPass: true,
    namespaceSelector: "warned BH0103",
    rules: 100,
    peers: 100,
    hasDomains: true,
  },
  {
    kind: "BaselineAdminNetworkPolicy",
    version: "v1alpha1",
    spec: {},
    name: "default",
    accept: "Allow",
    hasPass: false,
    namespaceSelector: "warned BH0103",
    rules: 100,
    peers: 100,
    hasDomains: false,
  },
];

describe.each(KINDS)("$kind", (of) => {
  const { kind, version, accept, hasPass, rules, peers } = of;
  const object = (spec: object) => ({
    apiVersion: `policy.networking.k8s.io/${version}`,
    kind,
    metadata: { name: of.name ?? "p" },
    spec: { ...of.spec, ...spec },
  });
  const everyone = { subject: { namespaces: {} } };
  const meta = META.filter(([path]) => of.name === undefined || path !== "metadata.name");
  const isCnp = kind === "ClusterNetworkPolicy";

  describe("the object", () => {
    everyField(object(everyone), [
      ...meta,
      ["apiVersion", `policy.networking.k8s.io/${version}`, null],
      ["kind", kind, null],
      ["status", { conditions: [] }, null],
      ["zebra", 1, "BH0102"],
      ["metadata.zebra", 1, "BH0102"],
      ["spec.zebra", 1, "BH0102"],
      ...(of.name === undefined
        ? ([
            ["spec.priority", 0, null],
            ["spec.priority", 1000, null],
            ["spec.priority", 1001, "BH0105"],
            ["spec.priority", -1, "BH0105"],
          ] as const)
        : ([
            ["metadata.name", "other", "BH0107"],
            ["spec.priority", 1, "BH0102"],
          ] as const)),
      ...(isCnp
        ? ([
            ["spec.tier", "Admin", null],
            ["spec.tier", "Baseline", null],
            ["spec.tier", "NetworkPolicy", "BH0105"],
          ] as const)
        : ([["spec.tier", "Admin", "BH0102"]] as const)),
    ]);
  });

  describe("its subject", () => {
    everyField(object({}), [
      ...under("spec.subject.namespaces", SELECTOR),
      ...under("spec.subject.pods", pods(of.namespaceSelector)),
      ["spec.subject", {}, "BH0103"],
      [
        "spec.subject",
        { namespaces: {}, pods: { namespaceSelector: {}, podSelector: {} } },
        "BH0109",
      ],
      ["spec.subject.zebra", 1, "BH0102"],
    ]);
  });

  describe.each([
    ["ingress", "from"],
    ["egress", "to"],
  ] as const)("its %s", (direction, ends) => {
    const path = `spec.${direction}.0`;
    const rule = { action: accept, [ends]: [{ namespaces: {} }] };
    describe("rules", () => {
      everyField(object({ ...everyone, [direction]: [rule] }), [
        [`${path}.name`, "a".repeat(100), null],
        [`${path}.name`, "a".repeat(101), "BH0107"],
        [`${path}.action`, accept, null],
        [`${path}.action`, "Deny", null],
        [`${path}.action`, "Pass", hasPass ? null : "BH0105"],
        [`${path}.action`, isCnp ? "Allow" : "Accept", "BH0105"],
        ...under(`${path}.ports`, PORTS),
        ...(isCnp ? under(`${path}.protocols`, PROTOCOLS) : []),
        [`${path}.protocols`, [{ destinationNamedPort: "a" }], isCnp ? null : "BH0102"],
        [`${path}.zebra`, 1, "BH0102"],
        [`${path}.${ends === "to" ? "from" : "to"}`, [{ namespaces: {} }], "BH0102"],
      ]);
      if (isCnp)
        everyField(
          object({ ...everyone, [direction]: [{ ...rule, ports: [{ namedPort: "a" }] }] }),
          [[`${path}.protocols`, [{ destinationNamedPort: "a" }], "BH0109"]],
        );
      everyField(object(everyone), [
        [`spec.${direction}`, [], null],
        [`spec.${direction}`, some(rules, rule), null],
        [`spec.${direction}`, some(rules + 1, rule), "BH0105"],
        [path, { action: "Deny" }, "BH0103"],
        [path, { [ends]: [{ namespaces: {} }] }, "BH0103"],
        [path, { action: "Deny", [ends]: [] }, "BH0103"],
        [path, { action: "Deny", [ends]: some(peers, { namespaces: {} }) }, null],
        [path, { action: "Deny", [ends]: some(peers + 1, { namespaces: {} }) }, "BH0105"],
      ]);
    });

    describe("peers", () => {
      const peer = `${path}.${ends}.0`;
      const onlyOut = (fields: readonly Field[]): readonly Field[] =>
        direction === "egress" ? fields : fields.map(([at, value]): Field => [at, value, "BH0102"]);
      everyField(object({ ...everyone, [direction]: [{ action: accept }] }), [
        ...under(`${peer}.namespaces`, SELECTOR),
        ...under(`${peer}.pods`, pods(of.namespaceSelector)),
        ...onlyOut(under(`${peer}.nodes`, SELECTOR)),
        ...onlyOut(under(`${peer}.networks`, NETWORKS)),
        ...(of.hasDomains || direction === "ingress"
          ? onlyOut(under(`${peer}.domainNames`, DOMAINS))
          : ([[`${peer}.domainNames`, ["a.example"], "BH0102"]] as const)),
        [peer, { namespaces: {}, pods: { namespaceSelector: {}, podSelector: {} } }, "BH0109"],
        [peer, { namespaces: {}, zebra: 1 }, "BH0109"],
        [`${peer}.namespace`, {}, "BH0102"],
        // What v0.1.0 had, and v0.1.2 no longer.
        [`${peer}.namespaces.sameLabels`, ["team"], "BH0402"],
        [`${peer}.namespaces.notSameLabels`, ["team"], "BH0402"],
      ]);
    });
  });

  test.each(["metadata", "spec"])("none without `%s`", (field) => {
    const { [field]: _, ...rest } = object(everyone) as Record<string, unknown>;
    const { diagnostics, resources } = parseFiles([{ name: "x", text: JSON.stringify(rest) }]);
    expect(diagnostics.map(({ code }) => code)).toEqual(["BH0103"]);
    expect(resources).toEqual([]);
  });

  test("versions that say otherwise are refused with the one that is read", () => {
    const text = JSON.stringify({ ...object(everyone), apiVersion: "policy.networking.k8s.io/v1" });
    const { diagnostics } = parseFiles([{ name: "x", text }]);
    expect(diagnostics.map(({ code, help }) => [code, help])).toEqual([
      ["BH0106", `did you mean \`policy.networking.k8s.io/${version}\`?`],
    ]);
  });
});

describe("what single fields cannot know", () => {
  const codes = (rule: object, kind = "ClusterNetworkPolicy", version = "v1alpha2") => {
    const spec = { tier: "Admin", priority: 1, subject: { namespaces: {} }, egress: [rule] };
    const { tier: _, ...rest } = spec;
    const text = JSON.stringify({
      apiVersion: `policy.networking.k8s.io/${version}`,
      kind,
      metadata: { name: "p" },
      spec: kind === "ClusterNetworkPolicy" ? spec : rest,
    });
    const { diagnostics, resources } = parseFiles([{ name: "x", text }]);
    // A rule that is refused takes its policy along: without it, the policy would say something else.
    expect(resources).toHaveLength(
      diagnostics.some(({ severity }) => severity === "error") ? 0 : 1,
    );
    return diagnostics.map(({ code }) => code);
  };

  test.each([{ nodes: {} }, { networks: ["10.0.0.0/8"] }, { domainNames: ["a.example"] }])(
    "trap 4: no port goes by its name at %j",
    (peer) => {
      const to = [{ namespaces: {} }, peer];
      expect(codes({ action: "Accept", to, protocols: [{ destinationNamedPort: "a" }] })).toEqual([
        "BH0109",
      ]);
      expect(
        codes({ action: "Accept", to, protocols: [{ tcp: { destinationPort: { number: 1 } } }] }),
      ).toEqual([]);
      const ports = [{ portNumber: { port: 1 } }, { namedPort: "a" }];
      expect(codes({ action: "Allow", to, ports }, "AdminNetworkPolicy", "v1alpha1")).toEqual([
        "BH0109",
      ]);
    },
  );

  test.each(["Deny", "Pass"])("trap 7: domain names cannot be said of a %s", (action) => {
    expect(codes({ action, to: [{ namespaces: {} }, { domainNames: ["a.example"] }] })).toEqual([
      "BH0307",
    ]);
  });

  test("both at once are both told", () => {
    const to = [{ domainNames: ["a.example"] }];
    expect(codes({ action: "Deny", to, protocols: [{ destinationNamedPort: "a" }] })).toEqual([
      "BH0109",
      "BH0307",
    ]);
  });

  test("a prefix with host bits is read without them, and that is said", () => {
    expect(codes({ action: "Deny", to: [{ networks: ["10.0.0.1/8"] }] })).toEqual(["BH0204"]);
  });
});
