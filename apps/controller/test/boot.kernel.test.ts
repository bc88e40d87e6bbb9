/** The machine starts anew: what was enforced is enforced before anything is attached, or shut; and then all goes on as before. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { POLICY, TestLab, WORKLOADS } from "./lab.ts";

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
  expect(await lab.reach("evil", "db", 5432)).toBe("blocked");
  expect(await lab.reach("evil", "db", 5432, 6)).toBe("blocked");
  expect(await lab.reach("web", "db", 5432)).toBe("connected");
  expect(await lab.reach("web", "db", 5432, 6)).toBe("connected");

  lab.startController();
  lab.startAgent();
  const status = await lab.ready();
  expect(status).toMatchObject({ revision: 1, mode: "enforce" });
  expect(status.drift.total).toBe(0);
  expect(await lab.reach("evil", "db", 5432)).toBe("blocked");
  expect(await lab.reach("web", "db", 5432)).toBe("connected");
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
  // The address that it claims to have enforced is cut off from the machine too; what it does not name is not passed on.
  expect(await lab.reach("evil", "db", 5432)).toBe("blocked");
  expect(await lab.reach("web", "db", 5432)).toBe("blocked");
  expect(await lab.reach("web", "db", 5432, 6)).toBe("blocked");
  await lab.sh("host", `ping -c1 -W2 ${lab.address("web")} || exit 0`);

  lab.startController();
  lab.startAgent();
  await lab.ready();
  expect(await lab.ruleset()).not.toContain("bulkhead_lockdown");
  expect(await lab.reach("web", "db", 5432)).toBe("connected");
  expect(await lab.reach("evil", "db", 5432)).toBe("blocked");
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
  expect(await lab.reach("web", "db", 5432)).toBe("blocked");
  expect(await lab.reach("evil", "db", 5432)).toBe("blocked");
  expect(await lab.reach("web", "evil", 1)).toBe("blocked");

  const { code } = await lab.runApp("agent", ["--remove"]);
  expect(code).toBe(0);
  expect(await lab.ruleset()).toBe("");
});
