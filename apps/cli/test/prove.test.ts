/** `prove` and `blast` as they are typed: quoting, exit codes, formats. */
import { parseIp, rangeToCidrs, type Cidr, type IpRange } from "@bulkhead/model";
import { afterAll, beforeAll, expect, test } from "vitest";
import { blastAnswerSchema, proveAnswerSchema } from "../src/question-schemas.ts";
import { folded } from "../src/views/prefixes.ts";
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

test.each<[readonly Cidr[], string]>([
  [["10.0.0.0/8", "192.0.2.0/24"], "10.0.0.0/8, 192.0.2.0/24"],
  [
    [
      ...rangeToCidrs(cidr("0.0.0.0", "223.255.255.255")),
      ...rangeToCidrs(cidr("240.0.0.0", "255.255.255.254")),
    ],
    "0.0.0.0/0 but 224.0.0.0/4, 255.255.255.255/32",
  ],
  [rangeToCidrs(cidr("::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")), "::/0 but ff00::/8"],
  [
    rangeToCidrs(cidr("10.0.0.1", "10.0.0.30")).toReversed(),
    "8 prefixes, 10.0.0.16/29, 10.0.0.8/29, 10.0.0.24/30, 10.0.0.4/30 the largest",
  ],
])("prefixes %j are told in a line", (prefixes, line) => {
  expect(folded(prefixes)).toBe(line);
});

function cidr(first: string, last: string): IpRange {
  const [from, to] = [parseIp(first)!, parseIp(last)!];
  return { family: from.family, first: from.value, last: to.value };
}

test("what of the outside is reached stays readable, and all of it can be had", async () => {
  const policy = `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: out, namespace: dev }
spec:
  podSelector: {}
  policyTypes: [Egress]
  egress:
    - to: [{ ipBlock: { cidr: 0.0.0.0/0, except: [10.1.2.0/24] } }]
      ports: [{ port: 443 }]
${Array.from({ length: 9 }, (_, at) => `    - { to: [{ ipBlock: { cidr: 192.0.2.${at}/32 } }], ports: [{ port: ${at + 1} }] }`).join("\n")}
`;
  const stdin = `${policy}---
apiVersion: v1
kind: Pod
metadata: { name: tool, namespace: dev, labels: { app: tool } }
`;
  const short = await call(["blast", "-", "tool"], { stdin });
  const rows = short.stdout.split("\n").filter((line) => line.includes("dev/tool  "));
  expect(rows).toHaveLength(6);
  expect(short.stdout).toMatch(
    / 0\.0\.0\.0\/0 but 10\.1\.2\.0\/24, 192\.0\.2\.0\/29, 192\.0\.2\.8\/32 /,
  );
  expect(short.stdout).toContain("and 4 more rows of addresses outside: `--all` tells them\n");
  const whole = await call(["blast", "-", "tool", "--all"], { stdin });
  expect(whole.stdout).not.toContain("more rows");
  expect(whole.stdout).toContain("192.0.2.8/32");
  expect(whole.stdout).not.toContain(" but ");
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
