/**
 * Verbs that read files do nothing else: they run where a process may read the folder and the program and no other file, may
 * start no other, has no user's number, and is told that this is Windows or macOS.
 */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Called } from "./call.ts";
import { folder, pod, type Folder } from "./offline-folder.ts";

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, "..", "..", "..");
const POLICY = `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: web, namespace: shop }
spec: { podSelector: {}, policyTypes: [Ingress], ingress: [{ from: [{ podSelector: {} }], ports: [{ port: 80 }] }] }
---
apiVersion: bulkhead.dev/v1
kind: PolicyTest
metadata: { name: web, namespace: shop }
spec: { tests: [{ from: web, to: db, port: 81/tcp, expect: deny }] }
`;

let dir: Folder;
beforeAll(async () => {
  dir = await folder({ "shop.yaml": `${pod("shop", "web")}${pod("shop", "db")}${POLICY}` });
});
afterAll(async () => dir.remove());

const FINE = 0;
const DENIED = 1;
const calls: readonly (readonly [code: number, ...words: string[]])[] = [
  [FINE, "list", "DIR"],
  [FINE, "list", "DIR", "-o", "svg"],
  [FINE, "diff", "DIR", "DIR"],
  [FINE, "exposure", "DIR"],
  [DENIED, "decide", "DIR", "--from", "shop/web", "--to", "shop/db", "--port", "81/tcp"],
  [DENIED, "explain", "DIR", "shop/web", "shop/db:81"],
  [FINE, "prove", "DIR", "--that", "equivalent-to DIR"],
  [FINE, "blast", "DIR", "shop/web"],
  [FINE, "lint", "DIR"],
  [FINE, "test", "DIR"],
  [FINE, "check", "DIR", "-o", "sarif"],
];

test.each(["win32", "darwin"])("on %s", async (platform) => {
  const words = calls.map(([, ...each]) => each.map((one) => one.replace("DIR", dir.dir)));
  const { stdout } = await run(process.execPath, [
    "--permission",
    `--allow-fs-read=${ROOT}`,
    `--allow-fs-read=${dir.dir}`,
    "--disable-warning=ExperimentalWarning",
    join(import.meta.dirname, "anywhere.ts"),
    platform,
    JSON.stringify(words),
  ]);
  const said = (JSON.parse(stdout) as readonly Called[]).map(({ code, stderr }) => [code, stderr]);
  expect(said).toEqual(calls.map(([code]) => [code, ""]));
});

test("what a process may not read it does not read", async () => {
  const args = ["--permission", `--allow-fs-read=${ROOT}`, "--disable-warning=ExperimentalWarning"];
  const words = JSON.stringify([["list", dir.dir]]);
  const child = [join(import.meta.dirname, "anywhere.ts"), "linux", words];
  const { stdout } = await run(process.execPath, [...args, ...child]);
  expect((JSON.parse(stdout) as readonly Called[]).map(({ code }) => code)).toEqual([2]);
});
