/** Questions to a folder: who is meant by a name, which port by a text, and what a bad question is told. */
import { expect, test } from "vitest";
import { createAsker, openDesk, type DecideAnswer } from "../../src/desk/index.ts";

const NOW = 0;
const FILES = `apiVersion: v1
kind: Namespace
metadata: { name: shop }
---
apiVersion: v1
kind: Pod
metadata:
  name: web-6d4-x
  namespace: shop
  labels: { app: web, pod-template-hash: 6d4 }
  ownerReferences: [{ apiVersion: apps/v1, kind: ReplicaSet, name: web-6d4, uid: u, controller: true }]
spec: { containers: [{ name: a, image: a }] }
status: { podIP: 10.0.0.5 }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: db, namespace: shop }
spec:
  selector: { matchLabels: { app: db } }
  template:
    metadata: { labels: { app: db } }
    spec:
      containers:
        - { name: a, image: a, ports: [{ name: pg, containerPort: 5432 }, { name: dns, containerPort: 53, protocol: UDP }, { name: dns, containerPort: 53 }] }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: db, namespace: test }
spec: { selector: {}, template: { metadata: { labels: { app: db } }, spec: { containers: [{ name: a, image: a }] } } }
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: db, namespace: shop }
spec:
  podSelector: { matchLabels: { app: db } }
  ingress:
    - from: [{ podSelector: { matchLabels: { app: web } } }]
      ports: [{ port: pg }, { port: dns, protocol: UDP }]
`;
const asker = (text = FILES) =>
  createAsker(openDesk([{ name: "shop.yaml", text }], { now: NOW }), { now: NOW, view: "live" });
const shop = asker();
const ask = (from: string, to: string, port: string): DecideAnswer => {
  const found = shop.ask({ from, to, port });
  if (found.problem !== undefined) throw new Error(found.problem.message);
  return found.value;
};
const line = (question: unknown, number = 1): Record<string, unknown> =>
  JSON.parse(
    shop.askLine(typeof question === "string" ? question : JSON.stringify(question), number),
  );

test.each([
  "shop/web-6d4-x",
  "web-6d4-x",
  "shop/web-6d4", // its ReplicaSet
  "shop/web", // whose Deployment is told by its name
  "web",
  "shop/web[Deployment]",
  "10.0.0.5",
  "::ffff:10.0.0.5",
])("the pod may be called %s", (from) => {
  expect(ask(from, "shop/db", "5432/tcp")).toMatchObject({
    decision: "allow",
    from: "shop/web-6d4-x",
    to: "shop/db",
  });
});

test("one pod stands for all of its controller's, unless policies tell them apart", () => {
  const set = (asked: string) => `apiVersion: apps/v1
kind: StatefulSet
metadata: { name: db, namespace: shop }
spec: { replicas: 2, template: { metadata: { labels: { app: db } } } }
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: p, namespace: shop }
spec: { podSelector: { matchLabels: { ${asked} } }, policyTypes: [Ingress] }
`;
  const question = (to: string) => ({ from: "world", to, port: "5432/tcp" });
  const apart = asker(set("statefulset.kubernetes.io/pod-name: db-1"));
  expect(apart.ask(question("shop/db"))).toEqual({
    problem: {
      code: "ambiguous-end",
      message: "policies tell the pods of `shop/db` apart",
      help: "ask for one of them: `shop/db-0`, `shop/db-1`",
    },
  });
  expect(apart.ask(question("db"))).toHaveProperty("problem.code", "ambiguous-end");
  expect(apart.ask(question("shop/db-0"))).toHaveProperty("value.decision", "allow");
  expect(apart.ask(question("shop/db-1"))).toHaveProperty("value.decision", "deny");
  // Both have it: whoever is asked, the answer is the same.
  const alike = asker(set("app: db").replace("replicas: 2", "replicas: 1"));
  expect(alike.ask(question("db"))).toHaveProperty("value.decision", "deny");
});

test("what determined a decision is told with its place", () => {
  expect(ask("web", "shop/db", "pg").determinedBy).toEqual([
    { direction: "egress", kind: "default" },
    {
      direction: "ingress",
      kind: "rule",
      policy: "NetworkPolicy/shop/db",
      rule: expect.stringMatching(/^NetworkPolicy\/shop\/db#ingress\//),
      stage: "application",
      file: "shop.yaml",
      line: 37,
    },
  ]);
  expect(ask("world", "shop/db", "pg")).toMatchObject({
    decision: "deny",
    egress: "allow",
    ingress: "deny",
    determinedBy: [{ direction: "ingress", kind: "isolation", file: "shop.yaml", line: 31 }],
  });
});

test.each([
  ["5432", "allow"],
  ["5433/tcp", "deny"],
  ["5432/udp", "deny"],
  ["pg/tcp", "allow"],
  ["dns/udp", "allow"],
  ["icmp", "deny"],
  ["icmp/8/0", "deny"],
])("port %s: %s", (port, decision) => {
  expect(ask("web", "shop/db", port).decision).toBe(decision);
});

test.each([
  [
    "an unknown end",
    { from: "shop/wev", to: "shop/db", port: 1 },
    "unknown-end",
    "did you mean `shop/web`?",
  ],
  ["a name in two namespaces", { from: "web", to: "db", port: 1 }, "ambiguous-end", undefined],
  ["a prefix", { from: "10.0.0.0/8", to: "shop/db", port: 1 }, "unknown-end", undefined],
  ["no common family", { from: "10.0.0.5", to: "fd00::1", port: 1 }, "no-common-family", undefined],
  [
    "a port out of range",
    { from: "web", to: "shop/db", port: 70000 },
    "bad-port",
    expect.any(String),
  ],
  ["a range of ports", { from: "web", to: "shop/db", port: "1-2" }, "bad-port", expect.any(String)],
  ["no port", { from: "web", to: "shop/db", protocol: "TCP" }, "bad-port", expect.any(String)],
  [
    "a name that is none",
    { from: "web", to: "shop/db", port: "http" },
    "bad-port",
    "it has `pg`, `dns`",
  ],
  [
    "a name of two protocols",
    { from: "web", to: "shop/db", port: "dns" },
    "bad-port",
    "say `dns/tcp`",
  ],
  [
    "a name at an address",
    { from: "web", to: "1.2.3.4", port: "pg" },
    "bad-port",
    expect.any(String),
  ],
  [
    "an unknown protocol",
    { from: "web", to: "shop/db", port: 1, protocol: "TCQ" },
    "bad-port",
    expect.any(String),
  ],
  [
    "a slip of a field",
    { from: "web", to: "shop/db", ports: 1 },
    "bad-query",
    "did you mean `port`?",
  ],
  ["no source", { to: "shop/db", port: 1 }, "bad-query", expect.any(String)],
  ["a list", [], "bad-query", undefined],
  [
    "two requests",
    { from: "web", to: "shop/db", port: 1, sni: "a", dns: "a" },
    "bad-request",
    undefined,
  ],
  [
    "no path",
    { from: "web", to: "shop/db", port: 1, http: "GET" },
    "bad-request",
    expect.any(String),
  ],
])("%s is told in its place", (_what, question, code, help) => {
  const { error, line: number } = line(question, 7);
  expect(error).toEqual({
    code,
    message: expect.any(String),
    ...(help === undefined ? {} : { help }),
  });
  expect(number).toBe(7);
});

test("a line that is no JSON is told in its place", () => {
  expect(line("{", 3)).toMatchObject({ error: { code: "bad-query" }, line: 3 });
});

test("an answer carries the question's own mark, and other tools' fields disturb nobody", () => {
  const question = {
    id: { n: 1 },
    from: "web",
    to: "shop/db",
    port: 5432,
    name: "the shop",
    sport: 1,
  };
  expect(line(question)).toMatchObject({ id: { n: 1 }, decision: "allow" });
});

test.each([
  [{ protocol: "TCP", port: 5432 }, "5432/tcp"],
  [{ protocol: 17, port: 53 }, "53/udp"],
  [{ protocol: "ICMP", type: 8 }, "icmp/echo-request"],
  [{ protocol: "icmp", type: 3, code: 4 }, "icmp/3/4"],
  [{ protocol: "ICMP", port: "8/0" }, "icmp/echo-request"],
  [{ protocol: "icmp" }, "icmp/echo-request"],
  [{ protocol: "gre" }, "gre"],
  [{ port: "pg", protocol: "TCP" }, "5432/tcp"],
])("%j is %s", (port, text) => {
  expect(line({ from: "web", to: "shop/db", ...port })).toMatchObject({ port: text });
});

test("where a policy speaks of all IPv4 and not of IPv6, the answer is IPv4's, and says so", () => {
  const all = (cidr: string) => `apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: p, namespace: shop }
spec: { tier: emergency, subject: app=db, ingress: [{ action: deny, from: [{ cidr: ${cidr} }] }] }
`;
  const answer = (cidr: string) =>
    asker(`${FILES.replace("status: { podIP: 10.0.0.5 }", "")}---\n${all(cidr)}`).ask({
      from: "web",
      to: "shop/db",
      port: "5432",
    });
  expect(answer("0.0.0.0/0")).toMatchObject({ value: { decision: "deny", elsewhere: "allow" } });
  expect(answer("::/0")).toMatchObject({ value: { decision: "allow", elsewhere: "deny" } });
});
