/** `decide` over a folder: one connection with its exit code, and a stream of questions that does not wait. */
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { decideAnswerSchema, decideQuerySchema } from "../src/question-schemas.ts";
import { call } from "./call.ts";

const POLICIES = `apiVersion: v1
kind: Pod
metadata: { name: web, namespace: shop, labels: { app: web } }
---
apiVersion: v1
kind: Pod
metadata: { name: db, namespace: shop, labels: { app: db } }
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: db, namespace: shop }
spec:
  podSelector: { matchLabels: { app: db } }
  ingress:
    - from: [{ podSelector: { matchLabels: { app: web } } }]
      ports: [{ port: 5432 }]
`;
let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "bulkhead-decide-"));
  await writeFile(join(dir, "shop.yaml"), POLICIES);
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const question = (more: object) => JSON.stringify({ from: "web", to: "db", port: 5432, ...more });

test("an allow is 0, a deny 1, and both say why and where", async () => {
  const allowed = await call(["decide", dir, "--from", "web", "--to", "shop/db", "--port", "5432"]);
  expect(allowed.stdout).toContain("allow  shop/web → shop/db 5432/tcp");
  expect(allowed.stdout).toMatch(
    /may arrive yes {2}NetworkPolicy\/shop\/db#ingress\/.*shop\.yaml:15\)/,
  );
  expect(allowed.code).toBe(0);
  const denied = await call(["decide", dir, "--from", "db", "--to", "db", "--port", "5432"]);
  const other = await call(["decide", dir, "--from", "world", "--to", "db", "--port", "5432"]);
  expect(denied.code).toBe(0); // to itself
  expect(other.stdout).toMatch(
    /deny .*\n {2}may arrive no .*which allows nothing else .*shop\.yaml:9\)/,
  );
  expect(other.stdout).toContain(`next: bulkhead explain ${dir} world shop/db 5432/tcp`);
  expect(other.code).toBe(1);
});

test("policies come from standard input, too", async () => {
  const args = ["decide", "-", "--from", "web", "--to", "db", "--port", "1", "-o", "json"];
  const answer = await call(args, { stdin: POLICIES });
  expect(JSON.parse(answer.stdout)).toMatchObject({ decision: "deny", from: "shop/web" });
});

test("questions are answered in their order, a bad one with an error in its place", async () => {
  const lines = [
    "\uFEFF" + question({ id: 1 }),
    "",
    question({ id: 2, port: 1 }),
    "{",
    question({ id: 3 }),
  ];
  const answer = await call(["decide", dir, "--queries", "-"], { stdin: lines.join("\r\n") });
  const got = answer.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(got).toMatchObject([
    { id: 1, decision: "allow", egress: "allow", ingress: "allow" },
    { id: 2, decision: "deny", determinedBy: [{ policy: "NetworkPolicy/shop/db", line: 9 }] },
    { error: { code: "bad-query" }, line: 4 },
    { id: 3, decision: "allow" },
  ]);
  expect(answer.code).toBe(2);
  for (const one of got) if (!("error" in one)) decideAnswerSchema.parse(one);
  for (const at of [0, 2, 4]) decideQuerySchema.parse(JSON.parse(lines[at]!.replace("\uFEFF", "")));
  const good = await call(["decide", dir, "--queries", "-"], {
    stdin: `${question({ port: 1 })}\n`,
  });
  expect(good.code).toBe(0);
});

test.each([
  [["--queries", "-", "--from", "web"], "do not go together"],
  [["--from", "web", "--to", "db"], "needs `--port`"],
  [["--to", "db", "--port", "1"], "needs `--from`"],
  [["--from", "wob", "--to", "db", "--port", "1"], "no workload is called `wob`"],
  [["--from", "web", "--to", "db", "--port", "1", "--header", "a: b"], "goes with `--http`"],
  [
    ["--from", "web", "--to", "db", "--port", "1", "--sni", "a", "--dns", "b"],
    "two different requests",
  ],
  [["--queries", "/nowhere/at/all"], "no such file"],
])("%j: %s", async (args, message) => {
  const { code, stderr } = await call(["decide", dir, ...args]);
  expect(stderr).toContain(message);
  expect(code).toBe(2);
});

test("the answer to a question does not wait for the next, and a closed pipe ends it", async () => {
  const command = join(import.meta.dirname, "../src/main.ts");
  const child = spawn(process.execPath, [command, "decide", dir, "--queries", "-"]);
  child.stdin.on("error", () => undefined); // it may have gone before the last question
  child.stdin.write(`${question({})}\n`);
  const [first] = await once(child.stdout, "data");
  expect(String(first)).toContain('"decision":"allow"');
  const ended = once(child, "exit");
  child.stdout.destroy();
  const more = `${question({})}\n`.repeat(1000);
  const feed = setInterval(() => child.stdin.write(more), 1);
  const [code] = await ended;
  clearInterval(feed);
  expect(code).toBe(0);
});
