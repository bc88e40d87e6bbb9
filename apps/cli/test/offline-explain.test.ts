/** `explain` and `test` over a folder: every rule that bears on a connection, the least change, and expectations. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { testAnswerSchema } from "../src/question-schemas.ts";
import { call } from "./call.ts";
import { folder, pod, type Folder } from "./offline-folder.ts";

const DB = `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: db, namespace: shop }
spec:
  podSelector: { matchLabels: { app: db } }
  ingress:
    - from: [{ podSelector: { matchLabels: { app: backup } } }]
    - from: [{ podSelector: { matchLabels: { app: web } } }]
      ports: [{ port: 5432 }]
`;
let files: Folder;
beforeAll(async () => {
  files = await folder({ "pods.yaml": `${pod("shop", "web")}${pod("shop", "db")}`, "db.yaml": DB });
});
afterAll(() => files.remove());

test("a deny shows every rule with its place, the nearest one, and a change that is applied with kubectl", async () => {
  const { stdout, code } = await call(["explain", files.dir, "shop/web", "shop/db:5433/tcp"]);
  const place = (line: number) => `(${files.dir}/db.yaml:${line})`;
  expect(code).toBe(1);
  expect(stdout).toContain(
    "drop  shop/web → shop/db 5433/tcp\n  may leave  yes  no policy applies\n",
  );
  const rules = stdout.split("\n").filter((line) => line.includes("#ingress/"));
  expect(rules).toEqual([
    expect.stringMatching(
      /· ingress application .*: peer: shop\/web has app=web, wanted `app=backup` .*:7\)$/,
    ),
    expect.stringMatching(/· ingress application .*: port: 5433\/tcp is not 5432\/tcp .*:8\)$/),
    expect.stringContaining(`${place(8)}, but port: 5433/tcp is not 5432/tcp`),
  ]);
  expect(rules[2]).toMatch(/^ {2}nearest {4}NetworkPolicy\/shop\/db#ingress/);
  const change = await call(["explain", files.dir, "shop/web", "shop/db:5433", "--change"]);
  expect(change.stdout).toMatch(/^apiVersion: networking\.k8s\.io\/v1\nkind: NetworkPolicy\n/);
  await files.write("change.yaml", change.stdout);
  const after = await call(["explain", files.dir, "shop/web", "shop/db:5433", "-o", "json"]);
  await files.write("change.yaml", "");
  expect(JSON.parse(after.stdout)).toMatchObject({ verdict: "allow", view: "live" });
  expect(after.code).toBe(0);
});

test("a change that isolates somebody besides says whom it cuts off", async () => {
  const replica = (name: string) =>
    pod("shop", name, `app: web, statefulset.kubernetes.io/pod-name: ${name}`);
  const one = `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: one, namespace: shop }
spec: { podSelector: { matchLabels: { statefulset.kubernetes.io/pod-name: web-1 } }, policyTypes: [Egress] }
`;
  const torn = await folder({
    "all.yaml": `${replica("web-1")}${replica("web-2")}${pod("shop", "db")}${one}`,
  });
  const asked = ["explain", torn.dir, "shop/web-1", "shop/db:5432"];
  const { stdout } = await call(asked);
  const { stdout: change, stderr } = await call([...asked, "--change"]);
  await torn.remove();
  const cuts = [
    "It isolates whom nothing isolated, and cuts 4 connections permitted now:",
    "  shop/web-2[Pod] → 0.0.0.0-255.255.255.255[External] all",
    "  shop/web-2[Pod] → ::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff[External] all",
    "  shop/web-2[Pod] → shop/db[Pod] all except 5432/tcp",
    "  shop/web-2[Pod] → shop/web-1[Pod] all",
  ].join("\n");
  expect(stdout).toContain(cuts);
  expect(stderr).toContain(cuts);
  expect(change).not.toContain("isolates");
  const alone = await call(["explain", files.dir, "shop/web", "shop/db:5433/tcp"]);
  expect(alone.stdout).not.toContain("isolates whom");
});

test("what would let every request through is no remedy for one that is denied", async () => {
  const l7 = `apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: db, namespace: shop }
spec:
  endpointSelector: { matchLabels: { app: db } }
  ingress: [{ fromEndpoints: [{ matchLabels: { app: web } }], toPorts: [{ ports: [{ port: "80", protocol: TCP }], rules: { http: [{ method: GET }] } }] }]
`;
  const one = await folder({ "all.yaml": `${pod("shop", "web")}${pod("shop", "db")}${l7}` });
  const asked = (port: string) =>
    call(["explain", one.dir, "shop/web", `shop/db:${port}`, "--http", "DELETE /x"]);
  const [looked, shut] = [await asked("80"), await asked("81")];
  await one.remove();
  expect([looked.code, shut.code]).toEqual([1, 1]);
  expect(looked.stdout).toContain("In the way: the connection is allowed, and this request is not");
  expect(looked.stdout).not.toContain("kind: NetworkPolicy");
  expect(shut.stdout).toContain("kind: NetworkPolicy");
});

test("a policy of the whole cluster is told without a namespace", async () => {
  const policy = `apiVersion: policy.networking.k8s.io/v1beta1
kind: ClusterNetworkPolicy
metadata: { name: guard }
spec:
  tier: Admin
  priority: 1
  subject: { namespaces: {} }
  ingress: [{ name: no-ssh, action: Deny, from: [{ namespaces: {} }], protocols: [{ tcp: { destinationPort: { number: 22 } } }] }]
`;
  const { stdout } = await call(["explain", "-", "web", "db:22"], {
    stdin: `${pod("shop", "web")}${pod("shop", "db")}${policy}`,
  });
  expect(stdout).toContain("may arrive no   ClusterNetworkPolicy guard, admin: ");
});

test("stand-ins for addresses that no file gives are not told", async () => {
  const { stdout } = await call(["explain", files.dir, "web", "db", "22/tcp", "-o", "json"]);
  expect(JSON.parse(stdout).paths[0]).toMatchObject({
    source: { name: "shop/web", address: "shop/web" },
    destination: { name: "shop/db", address: "shop/db" },
  });
  expect(stdout).not.toMatch(/240\.0\.0|100::/);
});

test("policies come from standard input, and what is not there is the live system's affair", async () => {
  const piped = await call(["explain", "-", "web", "db:5432"], {
    stdin: `${pod("shop", "web")}${pod("shop", "db")}${DB}`,
  });
  expect(piped.stdout).toContain("allow  shop/web → shop/db 5432/tcp");
  const live = await call(["explain", "web", "db", "5432"], { state: "/nowhere" });
  expect(live.stderr).toContain("/nowhere");
  expect(live.code).toBe(3);
});

test.each([
  [["web", "wob:80"], "no workload is called `wob`"],
  [["web", "db", "http"], "`shop/db` has no port named `http`"],
])("%j: %s", async (words, message) => {
  const { stderr, code } = await call(["explain", files.dir, ...words]);
  expect(stderr).toContain(message);
  expect(code).toBe(2);
});

test.each([
  [["web", "db"], "the port at `db` is missing"],
  [["web"], "needs a source and a destination"],
])("a folder and %j: the daemon is not asked", async (words, message) => {
  const { stderr, code } = await call(["explain", `${files.dir}/`, ...words], {
    state: "/nowhere",
  });
  expect(stderr).toContain(message);
  expect(code).toBe(2);
});

test.each(["nosuchdir/", "nosuchdir"])("a folder that is not there: %s", async (dir) => {
  const { stderr, code } = await call(["explain", dir, "web", "db:5432"], { state: "/nowhere" });
  expect(stderr).toContain(`\`${dir}\`: no such file or folder`);
  expect(code).toBe(2);
});

const TESTS = `apiVersion: bulkhead.dev/v1
kind: PolicyTest
metadata: { name: shop, namespace: shop }
spec:
  tests:
    - { from: web, to: db, port: 5432/tcp, expect: allow }
    - { name: "<ssh> & co", from: web, to: db, port: 22/tcp, expect: allow }
    - { from: wob, to: db, port: 22/tcp, expect: deny }
`;

test("expectations are told with their places, and 1 is returned where one fails", async () => {
  await files.write("tests.yaml", TESTS);
  const { stdout, code } = await call(["test", files.dir]);
  const report = await call(["test", files.dir, "-o", "junit"]);
  const json = await call(["test", files.dir, "-o", "json"]);
  await files.write("tests.yaml", TESTS.split("\n").slice(0, 6).join("\n"));
  const good = await call(["test", files.dir]);
  await files.write("tests.yaml", "");
  expect(stdout.split("\n")).toEqual([
    `✓ PolicyTest/shop/shop: web → db (${files.dir}/tests.yaml:6)`,
    `✗ <ssh> & co (${files.dir}/tests.yaml:7)`,
    "    shop/web → shop/db 22/tcp: `drop`, expected `allow`",
    `✗ PolicyTest/shop/shop: wob → db (${files.dir}/tests.yaml:8)`,
    "    no workload is called `shop/wob`; did you mean `shop/web`?",
    "",
    "3 tests: 1 passed, 2 failed",
    "",
  ]);
  expect(code).toBe(1);
  expect(report.stdout).toContain('<testsuites name="bulkhead" tests="3" failures="2" errors="0">');
  expect(report.stdout).toContain('name="&lt;ssh&gt; &amp; co"');
  expect(report.stdout).toContain('<failure message="shop/web → shop/db 22/tcp: `drop`');
  expect(testAnswerSchema.parse(JSON.parse(json.stdout))).toMatchObject({
    passed: 1,
    failed: 2,
    tests: [{ passed: true }, {}, {}],
  });
  expect([good.code, good.stdout]).toEqual([0, expect.stringContaining("1 test: 1 passed\n")]);
});

test("nothing to test is bad input, and it is told what there is none of", async () => {
  const none = await call(["test", files.dir]);
  const junit = await call(["test", files.dir, "-o", "junit"]);
  const allowed = await call(["test", files.dir, "--allow-empty", "-o", "junit"]);
  await files.write("tests.yaml", `${TESTS.split("tests:")[0]}tests: []\n`);
  const empty = await call(["test", files.dir]);
  await files.write("tests.yaml", TESTS.replaceAll("from:", "form:"));
  const broken = await call(["test", files.dir]);
  await files.write("tests.yaml", "");
  expect([none.code, junit.code, empty.code, broken.code, allowed.code]).toEqual([2, 2, 2, 2, 0]);
  expect(none.stderr).toContain(`no PolicyTest in \`${files.dir}\`: nothing was tested`);
  expect(none.stderr).toContain("--allow-empty");
  expect(junit.stdout).toBe("");
  expect(allowed.stdout).toContain('tests="0"');
  expect(empty.stderr).toContain("has a test in it: nothing was tested");
  expect(broken.stdout).toBe(`not all of \`${files.dir}\` could be read: nothing was tested\n`);
  expect(broken.stdout + broken.stderr).not.toContain("no PolicyTest");
});
