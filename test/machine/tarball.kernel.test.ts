// What `bulkhead install` puts below /opt, in the hands of a real systemd: an upgrade that a restart of the machine
// does not undo, one that does not come up, and an end that leaves nothing.
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { until } from "../../apps/controller/test/lab.ts";
import { project } from "../../scripts/package/payload.ts";
import { unpacked } from "../../scripts/package/test/trees.ts";
import { Machine } from "./machine.ts";
import { POLICY, SHOP } from "./shop.ts";

let machine: Machine;
let folder = "";
let clean: readonly string[] = [];
const trees = { one: "", two: "", broken: "" };

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "bhm-trees-"));
  trees.one = unpacked(join(folder, "one"), "8.1.0");
  trees.two = unpacked(join(folder, "two"), "8.2.0");
  trees.broken = unpacked(join(folder, "broken"), "8.3.0");
  writeFileSync(join(trees.broken, "apps/agent/src/main.ts"), 'throw new Error("not today");\n');
  appendFileSync(join(trees.broken, "packaging/systemd/bulkhead-boot.service"), "# of 8.3.0\n");
  machine = await Machine.boot({
    services: SHOP.services,
    files: { ...SHOP.files, "/root/policy.yaml": POLICY },
    shown: [project, folder],
  });
  clean = machine.written();
});

afterAll(async () => {
  await machine?.remove();
  rmSync(folder, { recursive: true, force: true });
});

const command = async (unit: string): Promise<string> =>
  (await machine.well("systemctl", "show", "--property=ExecStart", "--value", unit)).trim();
const isRunning = (version: string): Promise<void> =>
  until(
    async () => {
      const { stdout } = await machine.run("bulkhead", "status");
      return stdout.includes(`version ${version}`) && stdout.includes("matches revision 1, signed");
    },
    `version ${version} does not run`,
    60_000,
  );

it("is installed, started by systemd, and enforces", async () => {
  await machine.well(`${trees.one}/bulkhead`, "install");
  await machine.well("bulkhead", "boot", "enable");
  await machine.well("bulkhead", "up");
  await machine.well("bulkhead", "apply", "/root/policy.yaml", "--mode", "enforce");
  await isRunning("8.1.0");
  expect(await command("bulkhead.service")).toContain("/opt/bulkhead/current/");
});

it("an upgrade has units that name what is installed, not the folder it came from", async () => {
  await machine.well(`${trees.two}/bulkhead`, "upgrade");
  await isRunning("8.2.0");
  for (const unit of ["bulkhead.service", "bulkhead-boot.service"]) {
    expect(await command(unit)).toContain("/opt/bulkhead/current/");
    expect(await command(unit)).not.toContain(folder);
  }
});

it("one that does not come up leaves the version before, kept by systemd as before", async () => {
  const unit = "/etc/systemd/system/bulkhead-boot.service";
  const before = await machine.well("cat", unit);
  const { code, stderr } = await machine.run(`${trees.broken}/bulkhead`, "upgrade");
  expect(code).toBe(3);
  expect(stderr).toContain("everything is as it was before");
  await isRunning("8.2.0");
  expect(await machine.well("systemctl", "is-active", "bulkhead.service")).toBe("active\n");
  expect(await machine.well("cat", unit)).toBe(before);
});

it("comes back after a restart of the machine", async () => {
  rmSync(trees.two, { recursive: true });
  await machine.reboot();
  expect(await machine.well("nft", "list", "tables")).toContain("table inet bulkhead");
  expect(await machine.well("systemctl", "is-active", "bulkhead-boot.service")).toBe("active\n");
  await isRunning("8.2.0");
});

it("goes without a trace: data, units, group and all", async () => {
  await machine.well("bulkhead", "down", "--purge", "--yes");
  await machine.well("bulkhead", "uninstall");
  expect((await machine.run("getent", "group", "bulkhead")).code).toBe(2);
  expect(await machine.well("nft", "list", "tables")).toBe("");
  expect(await machine.well("systemctl", "is-system-running")).toBe("running\n");
  const others =
    /^\/var\/(log|cache)\/|^\/var\/lib\/systemd\/|^\/etc\/(\w+-|gshadow|group|\.pwd\.lock)$/;
  const left = machine.written().filter((path) => !clean.includes(path) && !others.test(path));
  expect(left).toEqual([]);
});
