// Installing, upgrading and uninstalling from unpacked tarballs, on a machine of its own: real namespaces with
// traffic, and private /opt and /usr/local. Enforcement must hold at every moment of it.
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startFlood } from "../../../apps/agent/test/drivers/flood.ts";
import { PARTS, layoutOf } from "../../../apps/cli/src/process/layout.ts";
import { readMark } from "../../../apps/cli/src/process/marks.ts";
import { endProcesses } from "../../../apps/cli/src/process/running.ts";
import { installAnswerSchema } from "../../../apps/cli/src/schemas.ts";
import { TestLab, until } from "../../../apps/controller/test/lab.ts";
import { unpacked } from "./trees.ts";

const PERMITTED_UDP = 9000;
const FORBIDDEN_UDP = 9001;
/** Prints a dot for every answer on one connection, and how it ended. */
const TALK = `
  const [address, port] = process.argv.slice(1)
  const socket = require('node:net').connect(Number(port), address)
  socket.on('error', (error) => process.stdout.write(error.code))
  socket.on('close', () => process.stdout.write('closed'))
  socket.on('data', () => { process.stdout.write('.'); setTimeout(() => socket.write('x'), 20) })
  socket.on('connect', () => socket.write('x'))`;

let lab: TestLab;
let folder = "";
let machine: ChildProcess;
let talker: ChildProcess | undefined;
const trees = { one: "", two: "", broken: "" };

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** On the machine: its files and its network. */
function on(...command: readonly string[]): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(
      "nsenter",
      [`--mount=/proc/${machine.pid}/ns/mnt`, `--net=${lab.netns("host")}`, ...command],
      { env: { ...process.env, BULKHEAD_STATE: lab.state, NO_COLOR: "1" }, timeout: 90_000 },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : 128;
        resolve({ code, stdout, stderr });
      },
    );
  });
}

async function well(...command: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await on(...command);
  expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
  return stdout;
}

const found = async (...under: readonly string[]): Promise<readonly string[]> =>
  (await well("find", ...under, "-mindepth", "1", "-not", "-type", "d"))
    .split("\n")
    .filter(Boolean);

const running = async (): Promise<readonly (string | undefined)[]> => {
  const { version, agents } = await lab.ready();
  return [version, ...agents.map((agent) => agent.version)];
};

async function underFlood(work: () => Promise<void>): Promise<void> {
  const flood = startFlood({
    from: lab.netns("web"),
    to: lab.netns("db"),
    address: lab.address("db"),
    permittedPort: PERMITTED_UDP,
    forbiddenPort: FORBIDDEN_UDP,
    burst: 2,
  });
  let count;
  try {
    await work();
  } finally {
    count = await flood.stop();
  }
  expect(count.forbiddenSent).toBeGreaterThan(100);
  expect(count.permittedArrived).toBeGreaterThan(100);
  expect(count.forbiddenArrived).toBe(0);
}

beforeAll(async () => {
  lab = await TestLab.create();
  await lab.serve("db", [5432]);
  folder = mkdtempSync(join(tmpdir(), "bpk-upgrade-"));
  trees.one = unpacked(join(folder, "one"), "7.1.0");
  trees.two = unpacked(join(folder, "two"), "7.2.0");
  trees.broken = unpacked(join(folder, "broken"), "7.3.0");
  writeFileSync(join(trees.broken, "apps/agent/src/main.ts"), 'throw new Error("not today");\n');
  writeFileSync(join(folder, "group"), "root:x:0:\nbulkhead:x:64103:\n");
  const mounts = `
    mount -t tmpfs none /opt; mount -t tmpfs none /usr/local; mount --bind "$0" /etc/group
    [ ! -d /run/systemd ] || mount -t tmpfs none /run/systemd
    echo ready; exec sleep infinity`;
  machine = spawn("unshare", ["--mount", "sh", "-ec", mounts, join(folder, "group")], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await new Promise((resolve, reject) => {
    machine.stdout?.once("data", resolve);
    machine.once("close", () => reject(new Error("there is no machine")));
  });
});

afterAll(async () => {
  const layout = layoutOf(lab.state);
  const marks = (["supervisor", ...PARTS] as const).map((name) => readMark(layout.mark(name)));
  for (const mark of marks) if (mark !== undefined) await endProcesses([mark], 15_000);
  const ended = [machine, talker].map(
    (one) =>
      one === undefined ||
      one.exitCode !== null ||
      one.signalCode !== null ||
      new Promise((resolve) => {
        one.once("close", resolve);
        one.kill("SIGKILL");
      }),
  );
  await Promise.all(ended);
  await lab.remove();
  rmSync(folder, { recursive: true, force: true });
});

it("a dry run tells the steps and does none", async () => {
  const told = await well(`${trees.one}/bulkhead`, "install", "--dry-run");
  expect(told).toContain("It would\n  copy Bulkhead 7.1.0 to /opt/bulkhead/7.1.0\n");
  expect(await found("/opt", "/usr/local")).toEqual([]);
});

it("what is in the way is left alone, and nothing is installed", async () => {
  await well("sh", "-c", "mkdir -p /usr/local/bin; echo mine >/usr/local/bin/bulkhead");
  const { code, stderr } = await on(`${trees.one}/bulkhead`, "install");
  expect(stderr).toContain("`/usr/local/bin/bulkhead` is in the way");
  expect(code).toBe(3);
  expect(await found("/opt", "/usr/local")).toEqual(["/usr/local/bin/bulkhead"]);
  await well("rm", "-r", "/usr/local/bin");
});

it("is installed, and called by its name", async () => {
  await well(`${trees.one}/bulkhead`, "install");
  expect(await well("/usr/local/bin/bulkhead", "version")).toContain("bulkhead 7.1.0");
  expect(await well("cat", "/usr/local/share/man/man1/bulkhead.1")).toContain(".TH BULKHEAD 1");
  const again = await on(`${trees.one}/bulkhead`, "install");
  expect(again.stderr).toContain("version 7.1.0 is installed already");
});

it("an upgrade takes over under a flood: nothing forbidden passes, and no connection is lost", async () => {
  await well("/usr/local/bin/bulkhead", "up");
  expect(await running()).toEqual(["7.1.0", "7.1.0"]);
  const policy = `apiVersion: bulkhead.dev/v1\nkind: Intent\nmetadata: { name: web-db, namespace: shop }\nspec:\n  from: app=web\n  to: app=db\n  ports: [5432/tcp, ${PERMITTED_UDP}/udp]\n`;
  await lab.client.call("apply", {
    files: [lab.inventory(), { name: "policy.yaml", text: policy }],
    mode: "enforce",
  });
  let said = "";
  talker = spawn("nsenter", [
    `--net=${lab.netns("web")}`,
    process.execPath,
    "-e",
    TALK,
    lab.address("db"),
    "5432",
  ]);
  talker.stdout?.setEncoding("utf8").on("data", (text: string) => (said += text));
  await until(async () => said.includes("..."), "the connection is not made");

  await underFlood(async () => {
    const answer = await well(`${trees.two}/bulkhead`, "upgrade", "-o", "json");
    expect(installAnswerSchema.parse(JSON.parse(answer))).toMatchObject({
      task: "upgrade",
      version: "7.2.0",
      before: "7.1.0",
      done: true,
    });
    expect(await running()).toEqual(["7.2.0", "7.2.0"]);
    const answered = said.length;
    await until(async () => said.length > answered + 3, "the connection does not go on");
    expect(said).toMatch(/^\.+$/);
  });
  expect(await well("/usr/local/bin/bulkhead", "version")).toContain("bulkhead 7.2.0");
});

it("an upgrade to what does not come up leaves the version before, and it runs", async () => {
  await underFlood(async () => {
    const { code, stderr } = await on(`${trees.broken}/bulkhead`, "upgrade");
    expect(stderr).toContain("could not restart controller and agent");
    expect(stderr).toContain("everything is as it was before");
    expect(code).toBe(3);
    expect(await running()).toEqual(["7.2.0", "7.2.0"]);
  });
  expect(await well("readlink", "/opt/bulkhead/current")).toBe("7.2.0\n");
  expect((await well("ls", "/opt/bulkhead")).trim().split("\n")).toEqual([
    "7.1.0",
    "7.2.0",
    "current",
  ]);
});

it("is not taken away from a machine that it enforces on", async () => {
  const { code, stderr } = await on("/usr/local/bin/bulkhead", "uninstall");
  expect(stderr).toContain("nobody could change them");
  expect(stderr).toContain("bulkhead down");
  expect(code).toBe(3);
  expect(await running()).toEqual(["7.2.0", "7.2.0"]);
});

it("is taken out whole, and nothing else with it", async () => {
  await well("sh", "-c", "echo mine >/opt/bulkhead/notes; echo mine >/usr/local/bin/other");
  await well("/usr/local/bin/bulkhead", "down");
  await well("/usr/local/bin/bulkhead", "uninstall");
  expect(await found("/opt", "/usr/local")).toEqual([
    "/opt/bulkhead/notes",
    "/usr/local/bin/other",
  ]);
  expect(existsSync(join(lab.state, "controller", "state.sqlite"))).toBe(true);
  expect(readFileSync(join(folder, "group"), "utf8")).toContain("bulkhead");
});
