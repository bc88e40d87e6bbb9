/** `prove` and `blast` as they are typed: quoting, exit codes, formats. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { blastAnswerSchema, proveAnswerSchema } from "../src/question-schemas.ts";
import { call } from "./call.ts";
import { folder, pod, type Folder } from "./offline-folder.ts";

const DB = (port: number): string => `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: db, namespace: shop }
spec:
  podSelector: { matchLabels: { app: db } }
  ingress:
    - from: [{ podSelector: { matchLabels: { app: web } } }]
      ports: [{ port: ${port} }]
`;
const PODS = `${pod("shop", "web")}${pod("shop", "db")}${pod("dev", "tool")}`;
let here: Folder;
let there: Folder;
beforeAll(async () => {
  here = await folder({ "pods.yaml": PODS, "db.yaml": DB(5432) });
  there = await folder({ "db.yaml": DB(5433) });
});
afterAll(() => Promise.all([here.remove(), there.remove()]));

test("a yes is 0, and says over whom; a no is 1, and shows the rules with their places", async () => {
  const yes = await call(["prove", here.dir, "--that", "no path from 'app=tool' to 'app=db'"]);
  expect(yes.stdout).toMatch(
    /^yes {2}no path from 'app=tool' to 'app=db'\n {2}over from 1 workload/,
  );
  expect(yes.code).toBe(0);
  const no = await call([
    "prove",
    here.dir,
    "--transitive",
    "--that",
    "no path from app=tool to app=db",
  ]);
  expect(no.stdout.split("\n").slice(0, 7)).toEqual([
    "no   no path from app=tool to app=db",
    "  dev/tool → shop/web 80/tcp  (of all)",
    "    may leave  yes  no policy applies",
    "    may arrive yes  no policy applies",
    "  shop/web → shop/db 5432/tcp",
    "    may leave  yes  no policy applies",
    expect.stringMatching(/ may arrive yes {2}NetworkPolicy\/shop\/db#ingress.*db\.yaml:7\)$/),
  ]);
  expect(no.code).toBe(1);
});

test("a statement that the shell took apart is put together again", async () => {
  const args = ["prove", here.dir, "--that", "no", "path", "from", "app in (tool)", "to", "app=db"];
  const { stdout, code } = await call(args);
  expect(stdout).toContain("yes  no path from 'app in (tool)' to app=db");
  expect(code).toBe(0);
});

test("of two folders every line says whose it is", async () => {
  const { stdout } = await call(["prove", here.dir, "--that", `implies ${here.dir}/pods.yaml`]);
  expect(stdout).toMatch(/^yes/);
  const no = await call(["prove", `${here.dir}/pods.yaml`, "--that", `implies ${here.dir}`]);
  const lines = no.stdout.split("\n").filter((line) => line.includes(" may "));
  expect(lines.map((line) => line.trim().split(/:? +/).slice(0, 4))).toEqual([
    [`${here.dir}/pods.yaml`, "may", "leave", "yes"],
    [`${here.dir}/pods.yaml`, "may", "arrive", "yes"],
    [here.dir, "may", "arrive", "no"],
  ]);
});

test("several statements, with another folder among them, are answered in their order", async () => {
  const other = `equivalent-to ${there.dir}`;
  const args = [
    "prove",
    here.dir,
    "--that",
    "no path from app=tool to app=db",
    "--that",
    other,
    "-o",
    "json",
  ];
  const { stdout, code } = await call(args);
  proveAnswerSchema.parse(JSON.parse(stdout));
  expect(JSON.parse(stdout).proofs).toMatchObject([
    { answer: "yes" },
    {
      that: other,
      answer: "no",
      counterexample: { permittedBy: "this", path: [{ packet: { port: "5432/tcp" } }] },
    },
  ]);
  expect(code).toBe(1);
});

test.each([
  [[], "`prove` needs `--that`"],
  [["--that", "nonsense"], "nothing that could be proved"],
  [["--that", "no path from app=tol to world"], "did you mean `app=tool`?"],
  [["--that", "implies /nowhere/at/all"], "no such file or folder"],
])("%j: %s", async (args, message) => {
  const { stderr, code } = await call(["prove", here.dir, ...args]);
  expect(stderr).toContain(message);
  expect(code).toBe(2);
});

test("a blast radius is a number, a table, and a graph", async () => {
  const table = await call(["blast", here.dir, "tool"]);
  expect(table.stdout).toContain("dev/tool reaches 2 of 2 other workloads.");
  expect(table.stdout).toMatch(/\n +2 +shop\/db +shop\/web +5432\/tcp\n/);
  const near = await call(["blast", here.dir, "dev/tool", "--hops", "1", "-o", "json"]);
  expect(blastAnswerSchema.parse(JSON.parse(near.stdout))).toMatchObject({
    hops: 1,
    reachable: 1,
    others: 2,
  });
  const dot = await call(["blast", here.dir, "dev/tool", "-o", "dot"]);
  expect(dot.stdout).toMatch(/^digraph blast \{\n/);
  expect(dot.stdout).toContain('"shop/web" -> "shop/db" [label="5432/tcp", weight=1];');
  const unknown = await call(["blast", here.dir, "tol"]);
  expect(unknown.stderr).toContain("did you mean `tool`?");
  expect(unknown.code).toBe(2);
});
