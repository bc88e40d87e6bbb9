/** What workloads of a folder are open to that is not in it. */
import { decide } from "@bulkhead/engine";
import { hasPort, SCTP, TCP, UDP } from "@bulkhead/model";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  cutWorld,
  exposureAnswer,
  exposureFormats,
  exposuresOf,
  openDesk,
  workloadName,
} from "../../src/desk/index.ts";
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

  // netpol-analyzer tells each selector as if no other rule were about whom it means. NetworkPolicies
  // add up, and `explain` for such a pod would contradict us: so here both are told.
  test("whom two selectors mean, may what both allow", () => {
    const two = `{ podSelector: { matchExpressions: [{ key: app, operator: Exists }] } }], ports: [{ port: 80 }] }, { from: [{ podSelector: { matchLabels: { app: web } } }`;
    expect(toDb(ingress(two, ", ports: [{ port: 443 }]"))).toEqual([
      "shop/[pod with {app=web}] : TCP 80,443",
      "shop/[pod with {app}] : TCP 80",
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

  test("what dialects tell by labels of their own is told in words of people, and nodes only where lists have them", () => {
    const documents = [
      pod("db"),
      "apiVersion: v1\nkind: Node\nmetadata: { name: n1, labels: { zone: a } }\n",
      `apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: db, namespace: shop }
spec:
  endpointSelector: { matchLabels: { app: db } }
  ingress:
    - { fromEntities: [cluster], toPorts: [{ ports: [{ port: "80", protocol: TCP }] }] }
    - fromEntities: [kube-apiserver, health, ingress]
      toPorts: [{ ports: [{ port: "81", protocol: TCP }] }]
    - fromNodes: [{ matchLabels: { zone: b } }]
      toPorts: [{ ports: [{ port: "82", protocol: TCP }] }]
    - fromEndpoints: [{ matchLabels: { app: till, io.kubernetes.pod.namespace: pay, io.cilium.k8s.policy.serviceaccount: till } }]
      toPorts: [{ ports: [{ port: "83", protocol: TCP }] }]
`,
    ];
    const desk = opened(documents);
    const told = (view?: ReturnType<typeof cutWorld>): readonly string[] =>
      exposureFormats
        .txt(exposuresOf(desk, 0, view))
        .split("\n")
        .filter((line) => /^shop\/db.*<=|not protected/.test(line))
        .map((line) => line.replace(/^.*<= \t/, ""));
    const people = [
      "[entity health] : TCP 80-81",
      "[entity ingress] : TCP 80-81",
      "[entity kube-apiserver] : TCP 80-81",
      "entire-cluster : TCP 80",
      "pay/[pod with {app=till} of service account till] : TCP 80,83",
    ];
    expect(told(cutWorld(desk.set))).toEqual([
      ...people,
      "Workloads not protected by network policies:",
      "shop/db[Pod] is not protected on Egress",
    ]);
    expect(told().filter((line) => line.includes("node"))).toEqual([
      "[node with {node-role.kubernetes.io/control-plane}] : TCP 80-81",
      "[node with {zone=b}] : TCP 80,82",
      ":nodes/n1[Node] is not protected on Egress",
      ":nodes/n1[Node] is not protected on Ingress",
    ]);
  });

  test("a node is nobody whom a selector of pods could mean, whatever its labels", () => {
    const node = "apiVersion: v1\nkind: Node\nmetadata: { name: n1, labels: { zone: a } }\n";
    const from = "{ namespaceSelector: {}, podSelector: { matchLabels: { zone: a } } }";
    const told = ["[all namespaces]/[pod with {zone=a}] : All Connections"];
    expect(toDb(ingress(from))).toEqual(told);
    expect(toDb(ingress(from), node)).toEqual(told);
  });

  test("who is in a mesh is told by its words, too", () => {
    const policy = `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: db, namespace: shop }
spec:
  selector: { matchLabels: { app: db } }
  rules:
    - from: [{ source: { principals: [cluster.local/ns/pay/sa/till] } }]
      to: [{ operation: { ports: ["81"] } }]
    - from: [{ source: { notNamespaces: [pay] } }]
      to: [{ operation: { ports: ["82"] } }]
`;
    const inMesh = toDb(policy).filter((line) => line.startsWith("pay") || line.includes("mesh"));
    expect(inMesh.map((line) => line.replace(/ : .*(TCP \d+).*/, " : $1"))).toEqual([
      "[all namespaces]/[all pods outside the mesh] : TCP 82",
      "pay/[all pods in the mesh of service account till] : TCP 81",
      "shop/[all pods in the mesh of service account default] : TCP 82",
    ]);
  });

  test("a policy is about those whom it selects: peers of others' rules are not told", () => {
    const ofWeb = ingress("{ podSelector: { matchLabels: { app: api } } }")
      .replace("name: db", "name: web")
      .replace("app: db", "app: web");
    const found = toDb(ingress("{ namespaceSelector: { matchLabels: { env: prod } } }"), ofWeb);
    expect(found).toEqual(["[namespace with {env=prod}]/[all pods] : All Connections"]);
    const all = toDb(ingress("{ podSelector: {} }"), ofWeb, pod("web"));
    expect(all).toEqual(["shop/[all pods] : All Connections"]);
  });

  test("rules of the other direction are not told", () => {
    const both = `${ingress("{ podSelector: {} }")}  egress: [{ to: [{ podSelector: { matchLabels: { app: api } } }] }]\n`;
    expect(toDb(both)).toEqual(["shop/[all pods] : All Connections"]);
  });

  test("where nothing is exposed one way, there is no section of it", () => {
    const found = lines(pod("db"), ingress("{ podSelector: {} }"));
    expect(found).toContain("Ingress Exposure:");
    expect(found).not.toContain("Egress Exposure:");
  });

  test("selected is protected, also where no rule is about the flow", () => {
    const some = `apiVersion: policy.networking.k8s.io/v1alpha1
kind: AdminNetworkPolicy
metadata: { name: some }
spec:
  priority: 1
  subject: { namespaces: {} }
  ingress: [{ action: Allow, from: [{ namespaces: { matchLabels: { env: prod } } }], ports: [{ portNumber: { protocol: TCP, port: 443 } }] }]
`;
    expect(lines(pod("web"), some).filter((line) => line.includes("is not protected"))).toEqual([
      "shop/web[Pod] is not protected on Egress",
    ]);
  });

  test("whom no policy protects", () => {
    expect(lines(pod("web"), pod("db"), ingress("{ podSelector: {} }")).slice(-4, -1)).toEqual([
      "Workloads not protected by network policies:",
      "shop/web[Pod] is not protected on Egress",
      "shop/web[Pod] is not protected on Ingress",
    ]);
  });
});

describe("ports by their names, of somebody who is not in the folder", () => {
  const egress = (ports: string, more = "") => `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: out, namespace: shop }
spec:
  podSelector: {}
  policyTypes: [Egress]
  egress: [{ to: [{ namespaceSelector: {} }], ports: [${ports}] }${more}]
`;
  const denied = (ports: string) => `apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: { name: p }
spec:
  tier: Admin
  priority: 1
  subject: { namespaces: {} }
  egress: [{ action: Deny, to: [{ namespaces: {} }], protocols: [${ports}] }]
`;
  const out = (...documents: readonly string[]): readonly string[] =>
    lines(pod("web"), ...documents)
      .flatMap((line) => line.split(" \t=> \t").slice(1))
      .filter((line) => !line.includes("[External]"));

  test.each([
    [egress("{ port: http }"), ["entire-cluster : TCP http"]],
    [
      egress("{ port: http }, { port: dns, protocol: UDP }, { port: api }"),
      ["entire-cluster : TCP api,http,UDP dns"],
    ],
    [egress("{ port: 80 }, { port: http }"), ["entire-cluster : TCP 80,TCP http"]],
    // Whatever number it is, it is among these.
    [egress("{ port: 1, endPort: 65535 }, { port: http }"), ["entire-cluster : TCP 1-65535"]],
    [egress("{ port: http }", ", {}"), ["entire-cluster : All Connections"]],
    [
      egress(
        "{ port: http }",
        ", { to: [{ podSelector: { matchLabels: { app: db } } }], ports: [{ port: pg }] }",
      ),
      ["entire-cluster : TCP http", "shop/[pod with {app=db}] : TCP http,pg"],
    ],
  ])("%s", (policy, expected) => expect(out(policy)).toEqual(expected));

  test("denied by name", () => {
    const [found] = out(denied("{ destinationNamedPort: http }"));
    expect(found).toBe("entire-cluster : All Connections except SCTP http,TCP http,UDP http");
  });

  test("in JSON, and in a document", () => {
    const found = exposuresOf(opened([pod("web"), egress("{ port: 80 }, { port: http }")]), 0);
    const [one] = exposureAnswer(found).exposures;
    expect(one).toMatchObject({ conn: "TCP 80,TCP http", ports: "80/tcp", named: "TCP http" });
    expect(exposureFormats.md(found)).toContain("| entire-cluster | TCP 80,TCP http |");
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
