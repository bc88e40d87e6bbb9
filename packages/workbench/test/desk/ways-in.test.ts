/** Ingresses and routes in a list: what a controller that nobody knows is led to, as far as policies let it. */
import { expect, test } from "vitest";
import {
  connectivityOf,
  cutWorld,
  openDesk,
  pairFormats,
  pairsOf,
  type HostNetworkReading,
} from "../../src/desk/index.ts";

const FILES = `apiVersion: apps/v1
kind: Deployment
metadata: { name: web, namespace: shop }
spec: { template: { metadata: { labels: { app: web } }, spec: { containers: [{ ports: [{ name: http, containerPort: 8080 }] }] } } }
---
apiVersion: v1
kind: Service
metadata: { name: web, namespace: shop }
spec: { selector: { app: web }, ports: [{ port: 80, targetPort: http }, { name: side, port: 81 }] }
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: front, namespace: shop }
spec: { rules: [{ http: { paths: [{ backend: { service: { name: web, port: { number: 80 } } } }, { backend: { service: { name: web, port: { name: side } } } }] } }] }
`;
const policy = (from: string): string => `---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: web, namespace: shop }
spec: { podSelector: { matchLabels: { app: web } }, ingress: [{ from: [${from}], ports: [{ port: http }] }] }
`;
const asked = (text: string, hostNetwork: HostNetworkReading = "pod") => {
  const desk = openDesk([{ name: "a.yaml", text }], { now: 0, hostNetwork });
  const connectivity = connectivityOf(desk, 0);
  const lines = [...pairFormats.txt(pairsOf(connectivity, cutWorld(desk.set)))];
  return { led: lines.filter((line) => line.includes("{")), lines, connectivity };
};

test("every port that is led to, where no policy says otherwise", () => {
  const { led, lines } = asked(FILES);
  expect(led).toEqual(["{ingress-controller} => shop/web[Deployment] : TCP 81,8080\n"]);
  expect(lines.at(-1)).toBe(led[0]);
});

test("only what policies let anybody reach", () => {
  const { led, connectivity } = asked(`${FILES}${policy("{ namespaceSelector: {} }")}`);
  expect(led).toEqual(["{ingress-controller} => shop/web[Deployment] : TCP 8080\n"]);
  expect(connectivity.barred).toEqual([
    { by: "Ingress/shop/front", workload: "shop/web[Deployment]" },
  ]);
});

test("a controller that policies name by its labels is not known to be there", () => {
  const { led, connectivity } = asked(
    `${FILES}${policy("{ namespaceSelector: { matchLabels: { name: ingress-nginx } } }")}`,
  );
  expect(led).toEqual([]);
  expect(connectivity.barred).toHaveLength(2);
});

test("nothing keeps anybody from a pod on the node's network", () => {
  const onNode = FILES.replace("spec: { containers", "spec: { hostNetwork: true, containers");
  const { led } = asked(
    `${onNode}${policy("{ podSelector: { matchLabels: { app: db } } }")}`,
    "node",
  );
  expect(led).toEqual(["{ingress-controller} => shop/web[Deployment] : TCP 81,8080\n"]);
});

test("who leads in is nobody's peer, and nodes are no workloads of a list", () => {
  const node = "---\napiVersion: v1\nkind: Node\nmetadata: { name: n1 }\n";
  const { lines, connectivity } = asked(`${FILES}${node}`);
  expect(lines.filter((line) => line.includes("~") || line.includes(":nodes"))).toEqual([]);
  expect([...pairsOf(connectivity)].some(({ source }) => source === ":nodes/n1[Node]")).toBe(true);
});
