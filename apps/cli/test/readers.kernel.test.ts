/** Who may read and who may change: a real controller on a machine that has the group, asked by real users that are not root. */
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createApiClient, routes, accessOf, type RouteName } from "@bulkhead/api";

const READERS = 64_102;
const APPS = join(import.meta.dirname, "..", "..");
const FLAGS = ["--disable-warning=ExperimentalWarning"];
let folder = "";
let state = "";
let controller: ChildProcess;
let log = "";

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** As a user in these groups and no other. */
function somebody(groups: string, ...words: readonly string[]): Promise<Ran> {
  const script = join(import.meta.dirname, "as-somebody.ts");
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [...FLAGS, script, groups, ...words, "--state", state],
      { env: { ...process.env, NO_COLOR: "1" } },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : 128;
        resolve({ code, stdout, stderr });
      },
    );
  });
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "bpk-readers-"));
  // As /var/lib: anybody may go through.
  chmodSync(folder, 0o711);
  state = join(folder, "state");
  writeFileSync(join(folder, "group"), `root:x:0:\nbulkhead:x:${READERS}:\n`);
  controller = spawn(
    "unshare",
    [
      "--mount",
      "sh",
      "-ec",
      'mount --bind "$0" /etc/group; exec "$@"',
      join(folder, "group"),
      process.execPath,
      ...FLAGS,
      join(APPS, "controller", "src", "main.ts"),
      "--state",
      state,
    ],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  await new Promise<void>((resolve, reject) => {
    for (const stream of [controller.stdout, controller.stderr])
      stream?.setEncoding("utf8").on("data", (text: string) => {
        log += text;
        if (log.includes('{"ready":true}')) resolve();
      });
    controller.once("close", () => reject(new Error(log)));
  });
});

afterAll(async () => {
  await new Promise((resolve) => {
    controller.once("close", resolve);
    controller.kill("SIGKILL");
  });
  rmSync(folder, { recursive: true, force: true });
});

describe("a member of the group", () => {
  it("reads", async () => {
    const { stdout, stderr } = await somebody(String(READERS), "status", "-o", "json");
    expect(stderr).toBe("");
    expect(JSON.parse(stdout)).toMatchObject({ revision: 0 });
    const listed = await somebody(String(READERS), "list");
    expect(listed.stderr).toContain("no policy is in force here");
    expect(listed.code).toBe(0);
  });

  it("may not change, and is told so", async () => {
    const { code, stderr } = await somebody(String(READERS), "confirm");
    expect(stderr).toContain("error: `confirm` changes something, and you may only read");
    expect(stderr).toContain("root (sudo)");
    expect(code).toBe(3);
  });

  it("may not so much as open the socket for changes", async () => {
    expect(statSync(join(state, "api.sock")).mode & 0o777).toBe(0o600);
    expect(statSync(join(state, "agent.sock")).mode & 0o777).toBe(0o600);
    expect(statSync(join(state, "controller")).mode & 0o777).toBe(0o700);
  });
});

it("who is neither root nor in the group reads nothing, and is told what to do", async () => {
  const { code, stderr } = await somebody("-", "status");
  expect(stderr).toContain("may not be used by this user");
  expect(stderr).toContain("usermod -aG bulkhead");
  expect(code).toBe(3);
});

it("the socket for reading refuses every change, also to root", async () => {
  const client = createApiClient({ socketPath: join(state, "read.sock") });
  const changes = (Object.keys(routes) as RouteName[]).filter(
    (name) => accessOf[name] === "change",
  );
  expect(changes).toEqual(
    expect.arrayContaining(["apply", "delete", "rollback", "confirm", "settings", "probe"]),
  );
  for (const name of changes) {
    // An empty request: were it let in, it would be refused as one.
    const asked = client.call(name as "apply", {} as never);
    await expect(asked, name).rejects.toMatchObject({ code: "no-permission" });
  }
});

it("the socket for changes takes them from root", async () => {
  const client = createApiClient({ socketPath: join(state, "api.sock") });
  await expect(client.call("confirm", {})).rejects.toMatchObject({ code: "nothing-to-confirm" });
});
