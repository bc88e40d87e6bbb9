/** `up` and `down` for real, in a network namespace of their own: started, killed in every way, taken down, purged. */
import { execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { downAnswerSchema, upAnswerSchema } from "../src/schemas.ts";
import { readMark } from "../src/process/marks.ts";
import { isAlive } from "../src/process/running.ts";

const id = `bhi-${randomBytes(3).toString("hex")}`;
const host = `${id}-host`;
const workload = `${id}-web`;
const main = join(import.meta.dirname, "..", "src", "main.ts");
let folder = "";
let state = "";

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(command: readonly string[]): Promise<Ran> {
  const [program = "", ...args] = command;
  return new Promise((resolve) => {
    execFile(
      program,
      args,
      { env: { ...process.env, BULKHEAD_STATE: state, NO_COLOR: "1" }, timeout: 90_000 },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : 128;
        resolve({ code, stdout, stderr });
      },
    );
  });
}

const bulkhead = (...args: readonly string[]): Promise<Ran> =>
  run([process.execPath, "--disable-warning=ExperimentalWarning", main, ...args]);
const within = (...command: readonly string[]): Promise<Ran> =>
  run(["nsenter", `--net=/run/netns/${host}`, ...command]);
const bulkheadWithin = (...args: readonly string[]): Promise<Ran> =>
  within(process.execPath, "--disable-warning=ExperimentalWarning", main, ...args);
const tables = async (): Promise<string> => (await within("nft", "list", "tables")).stdout;

async function must(...command: readonly string[]): Promise<void> {
  const { code, stderr } = await run(command);
  if (code !== 0) throw new Error(`${command.join(" ")}: ${stderr}`);
}

function pid(name: "supervisor" | "controller" | "agent"): number {
  const mark = readMark(join(state, "run", `${name}.pid`));
  if (mark === undefined || !isAlive(mark)) throw new Error(`no ${name} is running`);
  return mark.pid;
}

const alive = (name: "supervisor" | "controller" | "agent"): boolean => {
  const mark = readMark(join(state, "run", `${name}.pid`));
  return mark !== undefined && isAlive(mark);
};

async function until(what: () => Promise<boolean>, patienceMs: number): Promise<void> {
  const end = Date.now() + patienceMs;
  while (!(await what())) {
    if (Date.now() > end) throw new Error("waited in vain");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const POLICY = `apiVersion: bulkhead.dev/v1
kind: Inventory
metadata: { name: lab }
spec:
  workloads:
    - { name: web, namespace: lab, netns: ${workload}, labels: { app: web } }
---
apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: default-deny, namespace: lab }
spec: { subject: "", ingress: [], egress: [] }
`;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "bhi-up-"));
  state = join(folder, "state");
  await must("ip", "netns", "add", host);
  await must("ip", "netns", "add", workload);
  const inside = ["nsenter", `--net=/run/netns/${host}`];
  await must(...inside, "ip", "link", "set", "lo", "up");
  await must(...inside, "ip", "link", "add", "br0", "type", "bridge");
  await must(...inside, "ip", "addr", "add", "10.99.0.1/24", "dev", "br0");
  await must(...inside, "ip", "link", "set", "br0", "up");
  await must(
    ...inside,
    "ip",
    "link",
    "add",
    "v-web",
    "type",
    "veth",
    "peer",
    "name",
    "eth0",
    "netns",
    workload,
  );
  await must(...inside, "ip", "link", "set", "v-web", "master", "br0");
  await must(...inside, "ip", "link", "set", "v-web", "up");
  const web = ["nsenter", `--net=/run/netns/${workload}`];
  await must(...web, "ip", "addr", "add", "10.99.0.10/24", "dev", "eth0");
  await must(...web, "ip", "link", "set", "eth0", "up");
});

afterAll(async () => {
  await bulkhead("down", "--purge", "--yes");
  for (const name of [workload, host]) await run(["ip", "netns", "del", name]);
  rmSync(folder, { recursive: true, force: true });
});

describe("up and down", () => {
  it("starts, finds the workload, and says so as JSON too", async () => {
    const up = await bulkheadWithin("up", "-o", "json");
    expect({ code: up.code, stderr: up.code === 0 ? "" : up.stderr }).toEqual({
      code: 0,
      stderr: "",
    });
    expect(upAnswerSchema.safeParse(JSON.parse(up.stdout)).error).toBeUndefined();
    const answer = JSON.parse(up.stdout) as {
      readonly already: boolean;
      readonly workloads: readonly { readonly name: string }[];
    };
    expect(answer.already).toBe(false);
    expect(answer.workloads.map((one) => one.name)).toEqual([workload]);
    expect(readdirSync(join(state, "log")).toSorted()).toEqual([
      "agent.log",
      "controller.log",
      "supervisor.log",
    ]);
  });

  it("lets only one at a time change what runs", async () => {
    const both = await Promise.all([bulkheadWithin("up"), bulkheadWithin("up")]);
    expect(both.filter((one) => one.code === 0).length).toBeGreaterThan(0);
    for (const one of both.filter((ran) => ran.code !== 0)) {
      expect(one.stderr).toContain("is at work");
    }
    expect(alive("supervisor")).toBe(true);
  });

  it("is content when it runs already, and refuses another namespace for the same state", async () => {
    const before = pid("supervisor");
    const again = await bulkheadWithin("up");
    expect(again.code).toBe(0);
    expect(again.stdout).toContain("Already running");
    expect(pid("supervisor")).toBe(before);
    const elsewhere = await bulkhead("up");
    expect(elsewhere.code).toBe(3);
    expect(elsewhere.stderr).toContain("another network namespace");
  });

  it("goes on when `up` is interrupted, and says so", async () => {
    expect((await bulkheadWithin("down")).code).toBe(0);
    const up = spawn("nsenter", [
      `--net=/run/netns/${host}`,
      process.execPath,
      "--disable-warning=ExperimentalWarning",
      main,
      "up",
      "--state",
      state,
    ]);
    let stderr = "";
    up.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    await until(async () => alive("supervisor"), 10_000);
    up.kill("SIGINT");
    const code = await new Promise((resolve) => {
      up.once("close", resolve);
    });
    expect(code).toBe(130);
    // Where the start took long, its progress was told before.
    expect(stderr).toMatch(/^interrupted: it goes on in the background, pid \d+; /m);
    expect(stderr).toContain(`\`bulkhead --state ${state} down\` ends it`);
    expect((await bulkheadWithin("up")).stdout).toContain("Already running");
  });

  it("says at once that somebody else guards this namespace, and leaves nothing behind", async () => {
    const other = join(folder, "other");
    const started = Date.now();
    const second = await bulkheadWithin("up", "--state", other);
    expect(second.code).toBe(3);
    expect(second.stderr).toContain(
      "not ready: somebody else's agent guards this network namespace",
    );
    expect(second.stderr).toContain("already guards this network namespace");
    expect(Date.now() - started).toBeLessThan(25_000);
    expect(existsSync(other)).toBe(false);
    expect(pid("agent")).toBeGreaterThan(1);
  });

  it("lets the doctor look meanwhile, who leads on to what runs", async () => {
    const { stdout } = await bulkheadWithin("doctor");
    expect(stdout).toContain("Bulkhead can run here");
    expect(stdout).toMatch(/^workloads +works /m);
    expect(stdout.trimEnd().split("\n").at(-1)).toBe("next: bulkhead status");
  });

  it("prints with --dry-run what nft takes as it stands", async () => {
    const file = join(folder, "policy.yaml");
    writeFileSync(file, POLICY);
    const dry = await bulkhead("apply", file, "--mode", "enforce", "--dry-run");
    const printed = join(folder, "dry-run.nft");
    writeFileSync(printed, dry.stdout);
    expect(dry.stdout).toContain("table inet bulkhead");
    expect(await within("nft", "--check", "--file", printed)).toEqual({
      code: 0,
      stdout: "",
      stderr: "",
    });
  });

  it("puts a policy into the kernel", async () => {
    const file = join(folder, "policy.yaml");
    const applied = await bulkhead("apply", file, "--mode", "enforce");
    expect({ code: applied.code, stderr: applied.code === 0 ? "" : applied.stderr }).toEqual({
      code: 0,
      stderr: "",
    });
    expect(await tables()).toContain("bulkhead");
  });

  it("answers of what is in force without a folder, as the controller explains it", async () => {
    const listed = await bulkhead("list", "-o", "json");
    expect(listed.stderr).toBe("");
    const lines = JSON.parse(listed.stdout) as readonly {
      readonly src: string;
      readonly dst: string;
    }[];
    expect(lines.filter(({ src }) => src.startsWith("lab/web["))).toEqual([]);
    expect(lines.find(({ dst }) => dst.startsWith("lab/web["))?.src).toBe("{host}");
    const asked = [
      ["lab/web", "host"],
      ["world", "lab/web"],
      ["host", "lab/web"],
    ] as const;
    const codes = await Promise.all(
      asked.map(async ([from, to]) => {
        const [explained, decided] = await Promise.all([
          bulkhead("explain", from, `${to}:80/tcp`),
          bulkhead("decide", "--from", from, "--to", to, "--port", "80/tcp"),
        ]);
        expect([from, to, decided.code]).toEqual([from, to, explained.code]);
        return decided.code;
      }),
    );
    expect(codes).toEqual([1, 1, 0]);
  });

  it("starts again what was killed", async () => {
    const [agent, controller] = [pid("agent"), pid("controller")];
    process.kill(agent, "SIGKILL");
    process.kill(controller, "SIGKILL");
    await until(async () => {
      const status = await bulkhead("status", "-o", "json");
      if (status.code === 3) return false;
      const { agents, revision } = JSON.parse(status.stdout) as {
        readonly agents: readonly { readonly connected: boolean; readonly pid: number }[];
        readonly revision: number;
      };
      return revision === 1 && agents.some((one) => one.connected && one.pid !== agent);
    }, 30_000);
    expect([pid("agent"), pid("controller")]).not.toContain(agent);
    expect(readFileSync(join(state, "log", "supervisor.log"), "utf8")).toContain(
      "agent ended (SIGKILL)",
    );
    expect((await bulkhead("status")).stdout).toMatch(
      /restarts +the controller ended by itself 1 time and was started again, last .* ago \(SIGKILL\)/,
    );
  });

  it("takes over after its supervisor was killed", async () => {
    const [agent, supervisor] = [pid("agent"), pid("supervisor")];
    process.kill(supervisor, "SIGKILL");
    await until(async () => !alive("supervisor"), 5000);
    const told = await bulkhead("status");
    expect(told.stdout).toContain("! the supervisor was killed");
    expect(told.stdout).toContain("`sudo bulkhead restart` brings it back");
    const up = await bulkheadWithin("up");
    expect({ code: up.code, stderr: up.code === 0 ? "" : up.stderr }).toEqual({
      code: 0,
      stderr: "",
    });
    expect(pid("supervisor")).not.toBe(supervisor);
    expect(pid("agent")).not.toBe(agent);
    expect(up.stdout).toContain("Revision 1 is in force: enforce");
    expect((await bulkhead("status")).stdout).not.toContain("supervisor");
  });

  it("takes the rules out although everything was killed, from another namespace, and keeps the data", async () => {
    for (const name of ["supervisor", "agent", "controller"] as const)
      process.kill(pid(name), "SIGKILL");
    await until(async () => !alive("agent") && !alive("controller"), 5000);
    expect(await tables()).toContain("bulkhead");
    const down = await bulkhead("down");
    expect({ code: down.code, stderr: down.code === 0 ? "" : down.stderr }).toEqual({
      code: 0,
      stderr: "",
    });
    expect(await tables()).not.toContain("bulkhead");
    expect(existsSync(join(state, "controller", "state.sqlite"))).toBe(true);
    expect((await bulkhead("down")).stdout).toContain("Nothing was running");
  });

  it("takes the rules out although everything had ended in good order", async () => {
    expect((await bulkheadWithin("up")).code).toBe(0);
    await until(async () => (await tables()).includes("bulkhead"), 10_000);
    process.kill(pid("supervisor"), "SIGTERM");
    await until(async () => !alive("supervisor") && !alive("agent"), 15_000);
    expect(await tables()).toContain("bulkhead");
    expect((await bulkhead("down")).code).toBe(0);
    expect(await tables()).not.toContain("bulkhead");
  });

  it("comes back with its policy, and leaves rules of others alone when it goes for good", async () => {
    await within("nft", "add table inet foreign");
    const up = await bulkheadWithin("up");
    expect(up.stdout).toContain("Revision 1 is in force: enforce");
    await until(async () => (await tables()).includes("bulkhead"), 10_000);
    writeFileSync(join(state, "notes.txt"), "not ours");
    expect(await bulkhead("down", "--purge")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("add --yes") as string,
    });
    expect(alive("agent")).toBe(true);
    const down = await bulkhead("down", "--purge", "--yes", "-o", "json");
    expect(down.code).toBe(0);
    expect(downAnswerSchema.safeParse(JSON.parse(down.stdout)).error).toBeUndefined();
    expect(JSON.parse(down.stdout)).toMatchObject({
      kernel: "removed",
      purged: true,
      foreign: ["notes.txt"],
    });
    expect(readdirSync(state)).toEqual(["notes.txt"]);
    expect((await tables()).trim()).toBe("table inet foreign");
    for (const name of ["supervisor", "agent", "controller"] as const)
      expect(alive(name)).toBe(false);
    const { ino } = statSync(`/run/netns/${host}`);
    expect(existsSync(`/run/bulkhead/agent-${ino}.lock`)).toBe(false);
  });

  it("refuses a directory that is not its own", async () => {
    expect(await bulkheadWithin("up")).toMatchObject({ code: 2 });
    expect(await bulkhead("down", "--purge", "--yes")).toMatchObject({ code: 2 });
    expect(readdirSync(state)).toEqual(["notes.txt"]);
  });
});
