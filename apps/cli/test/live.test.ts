/** Verbs over a folder, asked without one: what is in force is read back as texts, in its modes, with everybody who is there. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { InForceAnswer } from "@bulkhead/api";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { answers } from "./answers.ts";
import { call, type CallOptions } from "./call.ts";
import { startFakeController, type FakeController } from "./fake-controller.ts";

const policy = (name: string, spec: string) => `---
apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: ${name}, namespace: shop }
spec: ${spec}
`;
const DB = policy(
  "db",
  '{ subject: "app=db", ingress: [{ action: allow, from: [{ selector: "app=web" }], ports: [5432/tcp] }] }',
);
const WEB = policy(
  "web",
  '{ subject: "app=web", egress: [{ action: allow, to: [{ selector: "app=db" }], ports: [5432/tcp] }] }',
);
const TEST = `---
apiVersion: bulkhead.dev/v1
kind: PolicyTest
metadata: { name: paths, namespace: shop }
spec: { tests: [{ name: web reaches db, from: web, to: db, port: 5432/tcp, expect: allow }] }
`;
const INVENTORY = `apiVersion: bulkhead.dev/v1
kind: Inventory
metadata: { name: by-hand }
spec: { workloads: [{ name: nobody-here, namespace: shop, addresses: [10.9.9.9] }] }
`;
const inForce: InForceAnswer = {
  revision: 4,
  files: [
    {
      name: "shop.yaml",
      text: `${INVENTORY}${DB}${policy("gone", '{ subject: "app", ingress: [] }')}${TEST}`,
      resources: [
        { name: "Inventory//by-hand", mode: "enforce" },
        { name: "Policy/shop/db", mode: "enforce" },
        { name: "PolicyTest/shop/paths", mode: "enforce" },
      ],
    },
    // A later version of the same file, in which `db` was another one and did not come to be in force.
    {
      name: "shop.yaml",
      text: `${policy("db", '{ subject: "app=db", ingress: [] }')}${WEB}`,
      resources: [{ name: "Policy/shop/web", mode: "audit" }],
    },
  ],
};

let controller: FakeController;
const root = mkdtempSync(join(tmpdir(), "bhl-"));
const folder = join(root, "policies.yaml");

beforeAll(async () => {
  writeFileSync(folder, DB.replace("5432/tcp", "5433/tcp"));
  controller = await startFakeController({ ...answers, inForce });
});
afterAll(async () => {
  await controller.stop();
  rmSync(root, { recursive: true, force: true });
});

const here = (args: readonly string[], options: CallOptions = {}) =>
  call(args, { state: controller.state, columns: "none", ...options });

describe("without a folder", () => {
  it("decide asks what is enforced, of who is there", async () => {
    const asked = (from: string, port: string, ...more: string[]) =>
      here(["decide", "--from", from, "--to", "shop/db", "--port", port, ...more]);
    const allowed = await asked("shop/web", "5432/tcp");
    expect(allowed.stderr).toBe("");
    expect([allowed.code, allowed.stdout]).toEqual([0, expect.stringContaining("shop.yaml:9")]);
    const denied = await asked("lab/web", "5432/tcp");
    expect(denied.code).toBe(1);
    expect(denied.stdout).toContain("next: bulkhead explain lab/web shop/db 5432/tcp");
    // What only audits decides in the shadow alone.
    const outside = ["decide", "--from", "shop/web", "--to", "lab/web", "--port", "80/tcp"];
    expect((await here(outside)).code).toBe(0);
    expect((await here([...outside, "--shadow"])).code).toBe(1);
    expect((await asked("shop/nobody-here", "5432/tcp")).stderr).toContain("no workload is called");
  });

  it("decide answers a stream of questions as of a folder", async () => {
    const stdin = '{"from":"shop/web","to":"shop/db","port":5432,"protocol":"tcp"}\n{"from":"x"}\n';
    const { code, stdout } = await here(["decide", "--queries", "-"], { stdin });
    const [first, second] = stdout.trim().split("\n");
    expect(JSON.parse(first!)).toMatchObject({ decision: "allow" });
    expect(JSON.parse(second!)).toHaveProperty("error");
    expect(code).toBe(2);
  });

  it("list, exposure and blast tell of this machine", async () => {
    const listed = await here(["list"]);
    expect(listed.stderr).not.toContain("error");
    expect(listed.stdout).toContain("shop/web[Namespace] => shop/db[Namespace] : TCP 5432\n");
    expect(listed.stdout).not.toContain("lab/web[Namespace] => shop/db[Namespace]");
    expect((await here(["list", "-o", "json"])).stdout).toContain('"dst":"shop/db[Namespace]"');
    expect((await here(["exposure"])).stdout).toContain("shop/db");
    const reached = await here(["blast", "lab/web", "--hops", "1", "-o", "json"]);
    expect(JSON.parse(reached.stdout).reached).not.toContainEqual(
      expect.objectContaining({ workload: "shop/db" }),
    );
    const forgotten = await here(["blast", folder]);
    expect([forgotten.code, forgotten.stderr]).toEqual([2, expect.stringContaining("a workload")]);
  });

  it("prove, test and lint judge what is in force", async () => {
    const proof = (that: string) => here(["prove", "--that", that]);
    expect((await proof("no path from lab/web to shop/db")).code).toBe(0);
    const no = await proof("no path from shop/web to shop/db");
    expect([no.code, no.stdout]).toEqual([1, expect.stringContaining("5432/tcp")]);
    expect((await proof(`equivalent-to ${folder}`)).code).toBe(1);
    const tested = await here(["test"]);
    expect([tested.code, tested.stdout]).toEqual([0, expect.stringContaining("web reaches db")]);
    const linted = await here(["lint", "-o", "json"]);
    expect(linted.stdout).not.toContain("shop/gone");
    expect((await here(["lint", "--fix"])).code).toBe(2);
  });

  it("diff lays one folder over this machine", async () => {
    const { code, stdout, stderr } = await here(["diff", folder]);
    expect(stderr).toBe("");
    expect(code).toBe(1);
    expect(stdout).toContain(
      "source: shop/web[Namespace], destination: shop/db[Namespace], dir1: TCP 5432, dir2: TCP 5433",
    );
    const same = join(root, "same.yaml");
    writeFileSync(same, DB);
    expect((await here(["diff", same])).stdout).toBe("");
  });

  it("a rollout, and that nothing is in force, are said", async () => {
    const rollout = { share: 1000, resources: ["Policy/shop/db"] };
    const other = await startFakeController({
      ...answers,
      inForce: { revision: 0, canary: rollout, files: [] },
    });
    try {
      const { code, stderr } = await call(["list"], { state: other.state });
      expect(code).toBe(0);
      expect(stderr).toContain("a rollout is under way, for 10 % of flows");
      expect(stderr).toContain("no policy is in force here");
      for (const verb of ["check", "lint", "test"]) {
        expect((await call([verb], { state: other.state })).code, verb).toBe(2);
      }
    } finally {
      await other.stop();
    }
  });

  it("readings of a cluster's files are refused", async () => {
    const { code, stderr } = await here(["list", "--ip-block", "any"]);
    expect(code).toBe(2);
    expect(stderr).toContain("`--ip-block` is about how files are read, and no folder is named");
  });

  it.each([
    ["list", ["list"]],
    ["decide", ["decide", "--from", "a", "--to", "b", "--port", "80/tcp"]],
    ["diff", ["diff", folder]],
    ["blast", ["blast", "a"]],
    ["lint", ["lint"]],
  ])("%s tells whoever has no controller of folders", async (verb, args) => {
    const { code, stderr } = await call(args, { state: join(root, "nothing") });
    expect(code).toBe(3);
    expect(stderr).toContain("no controller answers");
    expect(stderr).toContain(`or ask a folder: bulkhead ${verb} `);
  });
});
