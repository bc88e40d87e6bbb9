/** The machine starts anew: what was enforced is enforced before anything is attached, or shut; and then all goes on as before. */
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { POLICY, TestLab, WORKLOADS, until, type Name } from "./lab.ts";

let lab: TestLab;

beforeEach(async () => {
  lab = await TestLab.create();
});
afterEach(() => lab?.remove());

const saved = (): string => join(lab.state, "agent", "policy.json");

/** Everything that a reboot takes away: processes, rules, and what was attached. The state directory stays. */
async function powerCut(): Promise<void> {
  await lab.kill("controller");
  await lab.kill("agent");
  for (const name of WORKLOADS) await lab.detach(name);
  await lab.sh("host", "nft flush ruleset; for n in web db evil; do ip link del v$n || true; done");
  const stored = JSON.parse(readFileSync(saved(), "utf8")) as object;
  writeFileSync(saved(), JSON.stringify({ ...stored, boot: "the one before" }));
}

async function attachAll(): Promise<void> {
  for (const name of WORKLOADS) await lab.attach(name);
  await lab.serve("db", [5432]);
}

/** Tries all at once: `evil db`, `web db 6`. */
async function reached(...tries: readonly string[]): Promise<readonly string[]> {
  return Promise.all(
    tries.map(async (text) => {
      const [from, to, family] = text.split(" ") as [Name, Name, string?];
      return `${text} ${await lab.reach(from, to, 5432, family === "6" ? 6 : 4)}`;
    }),
  );
}

async function enforced(): Promise<void> {
  await lab.up();
  await lab.client.call("apply", { files: [lab.inventory(), POLICY], mode: "enforce" });
}

it("what was enforced is enforced from the first packet, before there is an agent or a workload", async () => {
  await enforced();
  await powerCut();
  const { code, said } = await lab.runApp("agent", ["--restore"]);
  expect([code, said]).toEqual([
    0,
    expect.stringMatching(/revision 1 is in force again: \d+ addr/),
  ]);
  await attachAll();
  const right = ["evil db blocked", "evil db 6 blocked", "web db connected", "web db 6 connected"];
  expect(await reached("evil db", "evil db 6", "web db", "web db 6")).toEqual(right);

  lab.startController();
  lab.startAgent();
  const status = await lab.ready();
  expect(status).toMatchObject({ revision: 1, mode: "enforce" });
  expect(status.drift.total).toBe(0);
  expect(await reached("evil db", "evil db 6", "web db", "web db 6")).toEqual(right);
});

it("what waited to be confirmed when the power went is not what comes back", async () => {
  await enforced();
  const files = [lab.inventory(), POLICY];
  expect(
    await lab.client.call("apply", { files, mode: "audit", confirmSeconds: 600 }),
  ).toMatchObject({ revision: 2 });
  await powerCut();
  expect(await lab.runApp("agent", ["--restore"])).toMatchObject({
    code: 0,
    said: expect.stringContaining("revision 1 is in force again"),
  });
});

it("where no policy was ever applied it does nothing, and says so", async () => {
  const { code, said } = await lab.runApp("agent", ["--restore"]);
  expect([code, said]).toEqual([0, expect.stringContaining("nothing to restore")]);
  expect(await lab.ruleset()).toBe("");
});

it("a policy that cannot be believed leaves the machine shut until a controller says what holds", async () => {
  await enforced();
  await powerCut();
  const stored = JSON.parse(readFileSync(saved(), "utf8")) as { policy: string };
  const policy = stored.policy.replaceAll('"drop"', '"allow"');
  writeFileSync(saved(), JSON.stringify({ ...stored, policy }));
  const { code, said } = await lab.runApp("agent", ["--restore"]);
  expect([code, said]).toEqual([3, expect.stringContaining("LOCKDOWN")]);
  await attachAll();
  // Nobody can say what it enforced: nothing is passed on.
  expect(await reached("evil db", "web db", "web db 6")).toEqual([
    "evil db blocked",
    "web db blocked",
    "web db 6 blocked",
  ]);

  lab.startController();
  lab.startAgent();
  await lab.ready();
  expect(await lab.ruleset()).not.toContain("bulkhead_lockdown");
  // Who was attached while all was shut is let in once it is known.
  await until(
    async () => (await lab.reach("web", "db", 5432)) === "connected",
    "what is permitted stays shut",
    30_000,
  );
  expect(await reached("evil db")).toEqual(["evil db blocked"]);
});

it("a restore that is killed because nft does not answer leaves shut what was enforced", async () => {
  await enforced();
  await powerCut();
  rmSync(join(lab.state, "agent", "self-test.json"));
  const folder = mkdtempSync(join(tmpdir(), "bfb-boot-"));
  const nft = (await lab.sh("host", "command -v nft")).trim();
  const path = process.env["PATH"];
  const hanging = join(folder, "hanging");
  try {
    writeFileSync(
      join(folder, "nft"),
      `#!/bin/sh\n[ "$1" = -f ] || exec ${nft} "$@"\nscript=$(cat)\ncase $script in *"ct state"*) echo $PPID $$ >${hanging}.new; mv ${hanging}.new ${hanging}; exec sleep 1000; esac\nprintf '%s\\n' "$script" | exec ${nft} "$@"\n`,
    );
    chmodSync(join(folder, "nft"), 0o755);
    process.env["PATH"] = `${folder}:${path}`;
    const restoring = lab.runApp("agent", ["--restore"]);
    await until(
      async () => existsSync(hanging),
      () => "nft was not asked",
      60_000,
    );
    for (const pid of readFileSync(hanging, "utf8").trim().split(" "))
      process.kill(Number(pid), "SIGKILL");
    expect((await restoring).code).toBe(null);
  } finally {
    process.env["PATH"] = path;
    rmSync(folder, { recursive: true });
  }
  await attachAll();
  expect(await reached("evil db", "web db", "web db 6")).toEqual([
    "evil db blocked",
    "web db blocked",
    "web db 6 blocked",
  ]);
});

it("a kernel that refuses the policy gets simpler rules: what was enforced is cut off, and nothing else", async () => {
  await enforced();
  await powerCut();
  // A kernel without connection tracking, say; it also fails the self-test, which is due on it.
  rmSync(join(lab.state, "agent", "self-test.json"));
  const folder = mkdtempSync(join(tmpdir(), "bbo-boot-"));
  const nft = (await lab.sh("host", "command -v nft")).trim();
  const path = process.env["PATH"];
  try {
    writeFileSync(
      join(folder, "nft"),
      `#!/bin/sh\n[ "$1" = -f ] || exec ${nft} "$@"\nscript=$(cat)\ncase $script in *"ct state"*) echo "Error: no" >&2; exit 1; esac\nprintf '%s\\n' "$script" | exec ${nft} "$@"\n`,
    );
    chmodSync(join(folder, "nft"), 0o755);
    process.env["PATH"] = `${folder}:${path}`;
    const { code, said } = await lab.runApp("agent", ["--restore"]);
    expect([code, said]).toEqual([3, expect.stringMatching(/LOCKDOWN.*cut off.*self-test/)]);
    // Neither does an agent start there; what is in force stays.
    const before = await lab.ruleset();
    const agent = await lab.runApp("agent");
    expect([agent.code, agent.said]).toEqual([3, expect.stringContaining("self-test failed")]);
    expect(await lab.ruleset()).toBe(before);
  } finally {
    process.env["PATH"] = path;
    rmSync(folder, { recursive: true });
  }
  await attachAll();
  expect(await reached("web db", "web db 6", "evil db")).toEqual([
    "web db blocked",
    "web db 6 blocked",
    "evil db blocked",
  ]);

  const { code } = await lab.runApp("agent", ["--remove"]);
  expect(code).toBe(0);
  expect(await lab.ruleset()).toBe("");
});
