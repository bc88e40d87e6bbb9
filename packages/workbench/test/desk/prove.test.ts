/** Proofs over a folder: whom a selector means, what is over sets and what is one packet, and two folders side by side. */
import { expect, test } from "vitest";
import { alignDesks } from "../../src/desk/prove/align.ts";
import { blastAt, openDesk, parseStatement, prove, type Proof } from "../../src/desk/index.ts";

const NOW = 0;
const POD = (id: string, labels: string, more = ""): string => {
  const [namespace, name] = id.split("/");
  return `apiVersion: v1\nkind: Pod\nmetadata: { name: ${name}, namespace: ${namespace}, labels: { ${labels} } }\n${more}---\n`;
};
const NAMESPACE = (name: string, labels: string): string =>
  `apiVersion: v1\nkind: Namespace\nmetadata: { name: ${name}, labels: { ${labels} } }\n---\n`;
const INGRESS = (id: string, podSelector: string, ingress: string): string => {
  const [namespace, name] = id.split("/");
  return `apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: { name: ${name}, namespace: ${namespace} }\nspec: { podSelector: ${podSelector}, policyTypes: [Ingress], ingress: ${ingress} }\n---\n`;
};
const SHOP = [
  NAMESPACE("shop", "tenant: a"),
  NAMESPACE("dev", "tenant: b"),
  POD("shop/web", "app: web"),
  POD("shop/db", "app: db"),
  POD("dev/tool", "app: tool, env: dev"),
  INGRESS(
    "shop/db",
    "{ matchLabels: { app: db } }",
    "[{ from: [{ podSelector: { matchLabels: { app: web } } }], ports: [{ port: 5432 }] }]",
  ),
  INGRESS("dev/none", "{}", "[]"),
].join("");
const desk = (text: string) => openDesk([{ name: "all.yaml", text }], { now: NOW });

interface Asking {
  readonly transitive?: boolean;
  readonly allowEmpty?: boolean;
  readonly other?: string;
}

function ask(text: string, that: string, { other, ...more }: Asking = {}): Proof | string {
  const statement = parseStatement(that);
  if (statement.problem !== undefined) return statement.problem.message;
  const folder = other === undefined ? undefined : desk(other);
  const found = prove(desk(text), statement.value, folder, {
    now: NOW,
    view: "live",
    transitive: false,
    allowEmpty: false,
    ...more,
  });
  return found.problem === undefined
    ? found.value
    : [found.problem.message, found.problem.help].join(": ");
}

test("a yes says over whom, and a no shows the packet and the rules that it passes", () => {
  expect(ask(SHOP, "no path from 'env=dev' to 'app=db'")).toEqual({
    answer: "yes",
    over: [
      "from 1 workload (`env=dev`) to 1 workload (`app=db`)",
      "directly, in one connection",
      "every protocol and port, over IPv4 and IPv6",
      "not over workloads that are not in the files",
    ],
  });
  expect(ask(SHOP, "no path from app=web to app=db")).toMatchObject({
    answer: "no",
    counterexample: {
      path: [
        {
          from: "shop/web",
          to: "shop/db",
          ports: "5432/tcp",
          packet: { source: "shop/web", destination: "shop/db", port: "5432/tcp" },
          determinedBy: [
            { direction: "egress", kind: "default" },
            { direction: "ingress", policy: "NetworkPolicy/shop/db", file: "all.yaml" },
          ],
        },
      ],
    },
  });
});

test("a path may lead through workloads, hop by hop", () => {
  const found = ask(SHOP, "no path from 'env=dev' to 'app=db'", { transitive: true });
  expect(found).toMatchObject({
    answer: "no",
    counterexample: {
      path: [
        { from: "dev/tool", to: "shop/web", ports: "all" },
        { from: "shop/web", to: "shop/db", ports: "5432/tcp" },
      ],
    },
  });
  // Nobody reaches the tool, over whatever way.
  const back = ask(SHOP, "no path from app=db to env=dev", { transitive: true });
  expect(back).toMatchObject({ answer: "yes" });
});

test.each([
  ["isolated 'namespace/tenant=a' 'namespace/tenant=b'", "no"], // the tool reaches web
  ["isolated app=db env=dev", "yes"],
  ["no path from world to app=db", "yes"],
  ["no path from world to shop/web", "no"],
  ["no path from 10.0.0.0/8 to app=db", "yes"],
  ["no path from kubernetes.io/metadata.name=shop to dev/tool", "yes"],
  ["no path from 'app in (tool, nobody)' to 'app=db,!env'", "yes"],
  ["no path from shop/web to 198.51.100.7", "no"],
])("%s: %s", (that, answer) => {
  expect(ask(SHOP, that)).toMatchObject({ answer });
});

test.each([
  [
    "no path from tenant=a to world",
    "`tenant` is a label of namespaces: did you mean `namespace/tenant`?",
  ],
  ["no path from ap=web to world", "did you mean the label `app`?"],
  ["no path from app=wep to world", "did you mean `app=web`?"],
  ["no path from shop/wep to world", "did you mean `shop/web`?"],
  ["no path from namespace=shop to world", "did you mean `kubernetes.io/metadata.name`?"],
  ["no path from 'app in (' to world", "is not a selector"],
  ["no way to anywhere", "is nothing that could be proved"],
])("%s is refused: a yes about nobody proves nothing", (that, message) => {
  expect(ask(SHOP, that)).toContain(message);
});

test("of nobody everything holds, for whoever asks for that", () => {
  expect(ask(SHOP, "no path from app=wep to world", { allowEmpty: true })).toMatchObject({
    answer: "yes",
  });
});

test("nothing holds pods on the node's network back", () => {
  const node = POD("shop/agent", "app: agent", "spec: { hostNetwork: true, containers: [] }\n");
  const more = POD("dev/agent", "app: spy", "spec: { hostNetwork: true, containers: [] }\n");
  const text = `${SHOP}${node}${more}`;
  expect(ask(text, "no path from app=agent to app=db")).toMatchObject({ answer: "no" });
  expect(ask(text, "no path from app=agent to world")).toMatchObject({ answer: "no" });
  expect(ask(text, "no path from app=agent to app=spy")).toMatchObject({
    answer: "no",
    counterexample: { path: [{ from: "shop/agent", to: "dev/agent" }] },
  });
});

test("folders are compared over everybody who is in either, and all the world", () => {
  const wider = SHOP.replace("port: 5432", "port: 5432, endPort: 5433");
  expect(ask(SHOP, "implies x", { other: wider })).toMatchObject({ answer: "yes" });
  expect(ask(wider, "implies x", { other: SHOP })).toMatchObject({
    answer: "no",
    counterexample: {
      permittedBy: "this",
      path: [
        {
          packet: { port: "5433/tcp" },
          deniedBy: [{ direction: "ingress", kind: "isolation", policy: "NetworkPolicy/shop/db" }],
        },
      ],
    },
  });
  expect(ask(SHOP, "equivalent-to x", { other: wider })).toMatchObject({
    answer: "no",
    counterexample: { permittedBy: "other" },
  });
  const outside = INGRESS(
    "shop/db2",
    "{ matchLabels: { app: db } }",
    "[{ from: [{ ipBlock: { cidr: 203.0.113.0/24 } }] }]",
  );
  expect(ask(SHOP, "equivalent-to x", { other: `${SHOP}${outside}` })).toMatchObject({
    answer: "no",
    counterexample: { path: [{ from: "203.0.113.1", to: "shop/db", ports: "all" }] },
  });
  expect(ask(SHOP, "equivalent-to x", { other: SHOP })).toMatchObject({ answer: "yes" });
});

test("policies alone are compared over the workloads of the other folder", () => {
  const policies = SHOP.split("---\n")
    .filter((text) => text.includes("NetworkPolicy"))
    .join("---\n");
  const found = ask(SHOP, "equivalent-to x", { other: policies });
  expect(found).toMatchObject({ answer: "yes" });
  expect((found as Proof).over).toContain("3 workloads only in this folder, judged by both");
  expect(ask(policies, "equivalent-to x", { other: SHOP.replace("5432", "5433") })).toMatchObject({
    answer: "no",
    counterexample: { path: [{ from: "shop/web", to: "shop/db" }] },
  });
});

test("an address that a pod has in one folder and another pod in the other is neither's", () => {
  const at = (id: string, labels: string) => POD(id, labels, "status: { podIP: 10.0.0.1 }\n");
  const policy = INGRESS("shop/db", "{ matchLabels: { app: db } }", "[]");
  const [one, other] = [at("shop/db", "app: db"), at("shop/web", "app: web")];
  const aligned = alignDesks(desk(`${one}${policy}`), desk(`${other}${policy}`));
  expect(aligned.one.index.contested).toEqual([]);
  expect(ask(`${one}${policy}`, "equivalent-to x", { other: `${other}${policy}` })).toMatchObject({
    answer: "yes",
  });
  // The web server is in the one folder only; there, and in the other, it may call nobody but the database's stand-in.
  expect(ask(`${one}${policy}`, "equivalent-to x", { other })).toMatchObject({
    answer: "no",
    counterexample: { permittedBy: "other", path: [{ to: "shop/db" }] },
  });
});

test("a path that only a name opens is one, and the name is told", () => {
  const named = `apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: web, namespace: shop }
spec:
  endpointSelector: { matchLabels: { app: web } }
  egress: [{ toFQDNs: [{ matchPattern: "*.example.com" }] }]
---
`;
  expect(ask(`${SHOP}${named}`, "no path from app=web to world")).toMatchObject({
    answer: "no",
    counterexample: { path: [{ from: "shop/web", packet: { names: ["a.example.com"] } }] },
  });
  expect(ask(`${SHOP}${named}`, "no path from app=web to app=db")).toMatchObject({ answer: "yes" });
});

test("a path that some requests may take is one, and what it asks is told", () => {
  const asking = (path: string) => `apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: tool, namespace: dev }
spec:
  endpointSelector: { matchLabels: { app: tool } }
  ingress:
    - fromEndpoints: [{ matchLabels: { "k8s:io.kubernetes.pod.namespace": shop } }]
      toPorts: [{ ports: [{ port: "80", protocol: TCP }], rules: { http: [{ method: GET, path: ${path} }] } }]
---
`;
  const [narrow, wide] = ["/orders/.*", "/.*"].map((path) => `${SHOP}${asking(path)}`);
  expect(ask(narrow!, "no path from app=web to app=tool")).toMatchObject({
    answer: "no",
    counterexample: { path: [{ ports: "80/tcp", obligations: [{ kind: "only" }] }] },
  });
  expect(ask(narrow!, "implies x", { other: wide! })).toMatchObject({ answer: "yes" });
  expect(ask(wide!, "implies x", { other: narrow! })).toMatchObject({
    answer: "no",
    counterexample: { path: [{ to: "dev/tool", packet: { request: { kind: "http" } } }] },
  });
});

test("an intruder's ways are counted hop by hop, the outside among them", () => {
  const blast = (hops: number) => blastAt(desk(SHOP), "tool", { now: NOW, view: "live", hops });
  expect(blast(1)).toMatchObject({
    value: {
      workload: "dev/tool",
      reachable: 1,
      others: 2,
      reached: [{ end: "shop/web", hop: 1, via: "dev/tool", ports: "all" }],
      outside: [{ prefixes: ["0.0.0.0/0"], hop: 1, ports: "all" }, { prefixes: ["::/0"] }],
    },
  });
  expect(blast(Infinity)).toMatchObject({
    value: {
      hops: null,
      reachable: 2,
      reached: [
        { end: "shop/web" },
        { end: "shop/db", hop: 2, via: "shop/web", ports: "5432/tcp" },
      ],
    },
  });
  expect(blastAt(desk(SHOP), "world", { now: NOW, view: "live", hops: 1 }).problem?.code).toBe(
    "unknown-end",
  );
});
