/** What workloads of a folder are open to that is not in it. */
import { decide } from "@bulkhead/engine";
import { hasPort, SCTP, TCP, UDP } from "@bulkhead/model";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { exposureFormats, exposuresOf, openDesk, workloadName } from "../../src/desk/index.ts";
import { folder } from "./manifests.ts";

const pod = (name: string, more = ""): string =>
  `apiVersion: v1\nkind: Pod\nmetadata: { name: ${name}, namespace: shop, labels: { app: ${name} } }\n${more}`;
const ingress = (from: string, ports = ""): string => `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: db, namespace: shop }
spec:
  podSelector: { matchLabels: { app: db } }
  policyTypes: [Ingress, Egress]
  ingress: [{ from: [${from}]${ports} }]
`;
const opened = (documents: readonly string[]) =>
  openDesk(
    documents.map((text, at) => ({ name: `${at}.yaml`, text })),
    { now: 0 },
  );
const lines = (...documents: readonly string[]): readonly string[] =>
  exposureFormats.txt(exposuresOf(opened(documents), 0)).split("\n");
/** What stands after `<=` for the pod that is the policy's. */
const toDb = (...documents: readonly string[]): readonly string[] =>
  lines(pod("db"), ...documents).flatMap((line) => {
    const [name, peer] = line.split(" \t<= \t");
    return name?.trim() === "shop/db[Pod]" && peer !== undefined ? [peer] : [];
  });

describe("who is not in the folder", () => {
  test.each([
    ["{ namespaceSelector: {} }", ["entire-cluster : All Connections"]],
    ["{ podSelector: {} }", ["shop/[all pods] : All Connections"]],
    [
      "{ podSelector: { matchLabels: { app: web } } }",
      ["shop/[pod with {app=web}] : All Connections"],
    ],
    [
      "{ namespaceSelector: { matchLabels: { env: prod } } }",
      ["[namespace with {env=prod}]/[all pods] : All Connections"],
    ],
    [
      "{ namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: ops } }, podSelector: { matchLabels: { app: web } } }",
      ["ops/[pod with {app=web}] : All Connections"],
    ],
    [
      "{ namespaceSelector: {}, podSelector: { matchExpressions: [{ key: app, operator: Exists }, { key: app, operator: NotIn, values: [a, b] }] } }",
      // Also db itself has such labels; but others may have them, too.
      ["[all namespaces]/[pod with {app,app notin (a,b)}] : All Connections"],
    ],
    [
      "{ namespaceSelector: { matchExpressions: [{ key: env, operator: NotIn, values: [dev] }] }, podSelector: { matchLabels: { app: web } } }",
      ["[namespace with {env!=dev}]/[pod with {app=web}] : All Connections"],
    ],
    // Nobody can be both.
    [
      "{ podSelector: { matchLabels: { app: web }, matchExpressions: [{ key: app, operator: DoesNotExist }] } }",
      [],
    ],
  ])("%s", (from, expected) => {
    expect(toDb(ingress(from))).toEqual(expected);
  });

  test("whom a selector finds in the folder stands for all like them", () => {
    const from = "{ podSelector: { matchLabels: { app: web } } }";
    expect(toDb(ingress(from), pod("web"))).toEqual([]);
  });

  test("what the entire cluster may is not told again, more than that is", () => {
    const two = `{ namespaceSelector: {} }], ports: [{ port: 80 }] }, { from: [{ podSelector: { matchLabels: { app: web } } }`;
    expect(toDb(ingress(two, ", ports: [{ port: 80 }, { port: 443 }]"))).toEqual([
      "entire-cluster : TCP 80",
      "shop/[pod with {app=web}] : TCP 80,443",
    ]);
  });

  test("what is owed to a selector that leaves some out is not the entire cluster's", () => {
    const from =
      "{ namespaceSelector: {}, podSelector: { matchExpressions: [{ key: tier, operator: NotIn, values: [low] }] } }";
    const other = pod("db").replace("app: db", "app: db, tier: low");
    const found = lines(other, ingress(from)).filter((line) => line.includes("<="));
    expect(found.map((line) => line.split("\t").at(-1))).toEqual([
      "[all namespaces]/[pod with {tier!=low}] : All Connections",
    ]);
  });

  test("a denial leaves some out of the entire cluster", () => {
    const denied = `apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: p, namespace: shop }
spec:
  tier: guardrail
  subject: app=db
  ingress: [{ action: deny, from: [{ selector: app=bad, namespace: "*" }] }]
`;
    expect(toDb(denied)).toContain("entire-cluster : All Connections");
    expect(toDb(denied)).toContain("[all namespaces]/[pod with {app=bad}] : No Connections");
  });

  test("only their own side is judged: what somebody unknown may send, nobody knows", () => {
    const closed = `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: closed, namespace: shop }
spec: { podSelector: { matchLabels: { app: web } }, policyTypes: [Egress] }
`;
    const from = "{ podSelector: { matchLabels: { app: web } } }";
    expect(toDb(ingress(from), closed)).toEqual(["shop/[pod with {app=web}] : All Connections"]);
  });

  test("whom no policy protects", () => {
    expect(lines(pod("web"), pod("db"), ingress("{ podSelector: {} }")).slice(-4, -1)).toEqual([
      "Workloads not protected by network policies:",
      "shop/web[Pod] is not protected on Egress",
      "shop/web[Pod] is not protected on Ingress",
    ]);
  });
});

test("whatever a stranger's labels, where rules only allow it may what the entire cluster may", () => {
  const labels = fc.dictionary(fc.constantFrom("app", "tier", "env"), fc.constantFrom("a", "web"));
  fc.assert(
    fc.property(folder, labels, labels, (documents, ofPod, ofNamespace) => {
      const allowing = documents.filter((text) => !/action: (?:deny|Deny|Pass)/.test(text));
      const found = exposuresOf(opened(allowing), 0).exposures;
      const desk = opened([
        ...allowing,
        JSON.stringify({
          apiVersion: "v1",
          kind: "Namespace",
          metadata: { name: "else", labels: ofNamespace },
        }),
        JSON.stringify({
          apiVersion: "v1",
          kind: "Pod",
          metadata: { name: "stranger", namespace: "else", labels: ofPod },
        }),
      ]);
      const [there = ""] = desk.addressesOf("else/stranger");
      for (const one of desk.workloads.values()) {
        const here = desk.addressesOf(one.id).find((address) => !address.includes(":"));
        if (here === undefined || one.name === "stranger") continue;
        const everybody = found.filter(
          ({ workload, peer }) => workload === workloadName(one) && peer === "entire-cluster",
        );
        for (const { direction, ports } of everybody) {
          for (const [protocol, port] of [
            [TCP, 80],
            [UDP, 53],
            [SCTP, 7050],
          ] as const) {
            if (!hasPort(ports, protocol, port)) continue;
            const [source, destination] = direction === "egress" ? [here, there] : [there, here];
            const query = { source, destination, protocol, port };
            const decided = decide(desk.set, desk.index, query, { now: 0, view: "live" });
            expect(decided[direction].verdict).toBe("allow");
          }
        }
      }
    }),
    { numRuns: 30 },
  );
});
