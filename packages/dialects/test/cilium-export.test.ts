import type { Block, PolicySet, Rule } from "@bulkhead/model";
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
