import type { Block, Condition, PolicySet, Rule, TextMatch } from "@bulkhead/model";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { buildPolicySet, parseFiles, exportCilium } from "../src/index.ts";
import { ciliumPolicy, OFFICE } from "./cilium-arbitrary.ts";

const build = (...texts: readonly string[]) => {
  const files = texts.map((text, i) => ({ name: `${i}.yaml`, text }));
  const { resources, diagnostics } = parseFiles(files);
  const built = buildPolicySet(resources, {
    now: 0,
    strict: false,
    mode: "enforce",
    target: "desk",
    metadataGuard: false,
  });
  const errors = [...diagnostics, ...built.diagnostics].filter((one) => one.severity === "error");
  return { set: built.set, errors };
};

/** What a rule says of each peer at each port: however it is split into rules, that is the same. */
const saying = ({ action, peers, ports, l7 = [], auth }: Rule): readonly string[] => {
  const asked = l7.length === 0 ? [null] : l7;
  const found = peers.flatMap((peer) =>
    ports.flatMap((port) => asked.map((one) => JSON.stringify([action, auth, peer, port, one]))),
  );
  return ports.some(({ kind }) => kind === "all")
    ? found.filter((text) => text.includes('{"kind":"all"}'))
    : found;
};

const meaningOf = ({ stages }: PolicySet) =>
  stages
    .flatMap(({ id, blocks }) =>
      blocks.map(({ subject, direction, isolates, rules }: Block) => [
        JSON.stringify([id, subject, direction, isolates]),
        [...new Set(rules.flatMap(saying))].toSorted(),
      ]),
    )
    .toSorted(([a], [b]) => (String(a) < String(b) ? -1 : 1));

describe("printing for Cilium", () => {
  test("what is read, printed and read again means the same", () => {
    let printed = 0;
    fc.assert(
      fc.property(ciliumPolicy, (one) => {
        const first = build(JSON.stringify(one), JSON.stringify(OFFICE));
        fc.pre(first.errors.length === 0);
        const { text, diagnostics } = exportCilium(first.set);
        expect(diagnostics).toEqual([]);
        const second = build(text);
        expect(second.errors).toEqual([]);
        expect(meaningOf(second.set)).toEqual(meaningOf(first.set));
        expect(exportCilium(second.set).text).toBe(text);
        printed += 1;
      }),
      { numRuns: 400 },
    );
    expect(printed).toBeGreaterThan(300);
  });

  test("a NetworkPolicy, and a native Policy of tier application", () => {
    const { set } = build(`
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: db, namespace: shop }
spec:
  podSelector: { matchLabels: { app: db } }
  ingress:
    - from:
        - { namespaceSelector: { matchLabels: { team: red } }, podSelector: { matchLabels: { app: web } } }
        - { ipBlock: { cidr: 10.0.0.0/8, except: [10.1.0.0/16] } }
      ports: [{ port: 5432 }]
---
apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: db, namespace: shop }
spec:
  subject: app=db
  egress: []
  ingress: [{ from: ["app in (a,b),!old", { selector: "", namespace: "*" }], action: deny, ports: [icmp/8/0-255, gre] }]
`);
    const { text, diagnostics } = exportCilium(set);
    expect(diagnostics).toEqual([]);
    expect(text).toBe(`apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata:
  name: db
  namespace: shop
spec:
  endpointSelector:
    matchLabels:
      app: db
  ingress:
    - fromEndpoints:
        - matchLabels:
            k8s:io.cilium.k8s.namespace.labels.team: red
            app: web
      toPorts:
        - ports:
            - port: "5432"
              protocol: TCP
    - fromCIDRSet:
        - cidr: 10.0.0.0/8
          except:
            - 10.1.0.0/16
      toPorts:
        - ports:
            - port: "5432"
              protocol: TCP
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata:
  name: db-policy
  namespace: shop
spec:
  endpointSelector:
    matchLabels:
      app: db
  egress:
    - {}
  ingressDeny:
    - fromEndpoints:
        - matchExpressions:
            - key: app
              operator: In
              values:
                - a
                - b
            - key: old
              operator: DoesNotExist
        - matchExpressions:
            - key: k8s:io.kubernetes.pod.namespace
              operator: Exists
      toPorts:
        - ports:
            - port: "0"
              protocol: GRE
    - fromEndpoints:
        - matchExpressions:
            - key: app
              operator: In
              values:
                - a
                - b
            - key: old
              operator: DoesNotExist
        - matchExpressions:
            - key: k8s:io.kubernetes.pod.namespace
              operator: Exists
      icmps:
        - fields:
            - family: IPv4
              type: 8
`);
    expect(meaningOf(build(text).set)).toEqual(meaningOf(set));
  });

  const native = (rule: string, more = "") => `
apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: db, namespace: shop }
spec: { subject: app=db, ${more}ingress: [${rule}] }`;

  test.each([
    ["{ from: [app=a], action: reject }", "", "this rule says `reject`"],
    ["{ from: [{ cidr: 10.0.0.0/8 }] }", "", "this prefix holds pods and nodes"],
    ["{ from: [app=a], ports: [icmp/3/4] }", "", "this rule tells apart codes of ICMP"],
    ["{ from: [app=a] }", "expires: 2031-01-01T00:00:00Z, ", "this policy ends by itself"],
    ["{ from: [app=a] }", "tier: guardrail, ", "this rule stands in stage `guardrail`"],
    ["{ from: [app=a] }", "mode: audit, ", "this policy only audits"],
  ])("refuses %s %s", (rule, more, reason) => {
    const { set, errors } = build(native(rule, more));
    expect(errors).toEqual([]);
    const { diagnostics } = exportCilium(set);
    expect(diagnostics.map(({ code, message }) => `${code} ${message}`)).toEqual([
      `BH0502 ${reason}, which Cilium cannot say`,
    ]);
  });

  test("leaves out what it was told to, and no more", () => {
    const allow = build(native("{ from: [app=a], ports: [icmp/3/4] }, { from: [app=b] }")).set;
    const under = exportCilium(allow, { approximation: "under" });
    expect(under.diagnostics.map(({ severity, help }) => `${severity} ${help}`)).toEqual([
      "warning less is permitted than was meant",
    ]);
    expect(under.text).toContain("app: b");
    expect(under.text).not.toContain("app: a");
    expect(exportCilium(allow, { approximation: "over" }).diagnostics[0]?.severity).toBe("error");
    const deny = build(native("{ from: [app=a], action: deny, ports: [icmp/3/4] }")).set;
    expect(exportCilium(deny, { approximation: "over" }).diagnostics[0]?.help).toBe(
      "more is permitted than was meant",
    );
    expect(exportCilium(deny, { approximation: "over" }).text).toContain("ingress:\n    - {}");
    expect(exportCilium(deny, { approximation: "under" }).diagnostics[0]?.severity).toBe("error");
  });
});

/** Rules that no text of ours reads, but other dialects bring. */
describe("what other dialects ask of requests", () => {
  const web: Block["subject"] = {
    kind: "workloads",
    namespaces: { kind: "named", name: "shop" },
    selector: { requirements: [] },
  };
  const source = { file: "x", line: 1, column: 1 };
  const exportRule = (rule: Partial<Rule>) => {
    const whole: Rule = {
      id: "r",
      source,
      action: "allow",
      peers: [{ kind: "any" }],
      ports: [{ kind: "range", protocol: 6, first: 80, last: 80 }],
      enforce: "on",
      ...rule,
    };
    const block: Block = {
      id: "b",
      source,
      subject: web,
      direction: "ingress",
      order: [0],
      isolates: true,
      enforce: "on",
      rules: [whole],
      policy: { kind: "Policy", namespace: "shop", name: "web" },
    };
    const { set } = build("");
    const stages = set.stages.map((stage) =>
      stage.id === "application" ? { ...stage, blocks: [block] } : stage,
    );
    const { objects, diagnostics } = exportCilium({ ...set, stages });
    return { objects, said: diagnostics.map(({ message }) => message) };
  };
  const http = (...conditions: readonly Condition[]): Partial<Rule> => ({
    l7: [{ kind: "http", conditions }],
  });
  const is = (attribute: Condition["attribute"], ...anyOf: readonly TextMatch[]): Condition => ({
    attribute,
    anyOf,
    noneOf: [],
  });
  const exact = (value: string, ignoreCase?: true): TextMatch => ({
    kind: "exact",
    value,
    ...(ignoreCase && { ignoreCase }),
  });

  test.each<[string, Condition, object]>([
    ["an exact method", is("method", exact("GET")), { method: "GET" }],
    ["several", is("method", exact("GET"), exact("PUT")), { method: "(?:GET)|(?:PUT)" }],
    ["a host in any case", is("host", exact("a.b", true)), { host: "(?i)a\\.b" }],
    ["a prefix", is("target", { kind: "prefix", value: "/a+" }), { path: "/a\\+.*" }],
    ["a suffix", is("target", { kind: "suffix", value: "/z" }), { path: ".*/z" }],
    ["any but the empty one", is("host", { kind: "present" }), { host: ".+" }],
    ["a path without its query", is("path", exact("/a")), { path: "(?:/a)(?:[?].*)?" }],
    ["a header", is("header:x-a", exact("b")), { headers: ["x-a: b"] }],
  ])("says %s", (_name, condition, printed) => {
    const { objects, said } = exportRule(http(condition));
    expect(said).toEqual([]);
    expect(objects).toMatchObject([
      { spec: { ingress: [{ toPorts: [{ rules: { http: [printed] } }] }] } },
    ]);
  });

  test.each<[string, Partial<Rule>]>([
    [
      "this rule excludes requests",
      http({ attribute: "method", anyOf: [], noneOf: [exact("GET")] }),
    ],
    [
      "this rule excludes requests",
      http(is("host", exact("a")), { attribute: "method", anyOf: [], noneOf: [exact("GET")] }),
    ],
    [
      "this rule looks into requests at every port",
      { ...http(), ports: [{ kind: "range", protocol: 6, first: 0, last: 80 }] },
    ],
    ["this rule asks for `remote-ip`", http(is("remote-ip", exact("10.0.0.1")))],
    [
      "this rule looks for an address in requests",
      http(is("host", { kind: "cidr", value: "10.0.0.0/8" })),
    ],
    ["this rule asks twice for `host`", http(is("host", exact("a")), is("host", exact("b")))],
    ["this rule asks more of `x-a` than one value", http(is("header:x-a", exact("b"), exact("c")))],
    ["this rule asks more of `x-a` than one value", http(is("header:x-a", exact("b", true)))],
    ["this rule holds requests of every kind", { l7: [{ kind: "any", conditions: [] }] }],
    ["this rule asks for more than the name", { l7: [{ kind: "tls", conditions: [] }] }],
    [
      "this rule asks for names by expressions",
      { l7: [{ kind: "tls", conditions: [is("sni", { kind: "regex", value: "a|b" })] }] },
    ],
    ["this rule looks into requests at every port", { ...http(), ports: [{ kind: "all" }] }],
    [
      "this rule looks into requests of another protocol than TCP",
      { ...http(), ports: [{ kind: "range", protocol: 17, first: 80, last: 80 }] },
    ],
    [
      "this rule has two parsers at one port",
      { l7: [...(http().l7 ?? []), { kind: "dns", conditions: [is("dns", exact("a"))] }] },
    ],
    ["this rule drops the requests that it does not hold", { ...http(), l7Mode: "terminal" }],
    ["this rule holds what is no request", { ...http(), onOpaque: "widen" }],
    ["this denial looks into requests", { ...http(), action: "deny" }],
    ["this denial asks its ends to prove who they are", { action: "deny", auth: "required" }],
    ["this rule ends by itself", { expiresAt: 1 }],
    ["this rule only audits", { enforce: "staged" }],
    ["this rule says `custom`", { action: "custom" }],
    [
      "this rule names where connections come from",
      { peers: [{ kind: "domain", pattern: "a.b", regex: "a[.]b" }] },
    ],
    ["protocol `ospf`", { ports: [{ kind: "protocol", protocol: 89 }] }],
    ["this rule names a port of ICMP", { ports: [{ kind: "named", protocol: 1, name: "a" }] }],
    [
      "this asks for `:mesh`",
      {
        peers: [
          {
            kind: "workloads",
            namespaces: { kind: "all" },
            selector: {
              requirements: [
                { key: ":mesh", operator: "Exists" },
                { key: "a", operator: "Exists" },
              ],
            },
          },
        ],
      },
    ],
  ])("refuses: %s", (what, rule) => {
    expect(exportRule(rule).said).toEqual([`${what}, which Cilium cannot say`]);
  });
});
