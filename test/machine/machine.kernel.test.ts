// The machine that other tests boot: it is what it says, it comes up again, and it goes without a trace.
import { existsSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, it } from "vitest";
import { readTimers } from "../../apps/agent/src/expectation/systemd-timers.ts";
import { until } from "../../apps/controller/test/lab.ts";
import { Machine } from "./machine.ts";
import { LAN } from "./root.ts";

let machine: Machine;
beforeAll(async () => {
  machine = await Machine.boot({ services: ["nginx.service"], hostname: "shelf" });
});
afterAll(async () => {
  await machine?.remove();
});

const served = async (): Promise<string> =>
  (await machine.outside("curl", "-sS", "--max-time", "20", `http://${LAN.machine}/`)).stdout;

it("runs systemd and a distribution's service, which its network reaches", async () => {
  expect(await machine.well("cat", "/proc/1/comm")).toBe("systemd\n");
  expect(await machine.well("hostname")).toBe("shelf\n");
  expect(await machine.well("systemctl", "is-active", "nginx.service")).toBe("active\n");
  expect(await served()).toContain("nginx");
});

it("sees control groups of its own, version 2, with its services and its administrator in them", async () => {
  expect(await machine.well("stat", "-fc", "%T", "/sys/fs/cgroup")).toBe("cgroup2fs\n");
  expect(await machine.sh("grep ^0:: /proc/self/cgroup")).toBe("0::/user.slice/operator.scope\n");
  const unit = "/sys/fs/cgroup/system.slice/nginx.service/cgroup.procs";
  expect((await machine.well("cat", unit)).trim().split("\n").length).toBeGreaterThan(1);
});

it("tells of its timers: what each starts, when it did, and when it will", async () => {
  await machine.sh(
    `cd /etc/systemd/system
     printf '[Service]\\nType=oneshot\\nExecStart=/bin/true\\n' >tide.service
     printf '[Timer]\\nOnCalendar=*-*-01 03:00:00\\n' >tide.timer
     printf '[Timer]\\nOnActiveSec=1\\nUnit=tide.service\\n' >tide-now.timer
     systemctl daemon-reload; systemctl start tide.timer tide-now.timer`,
  );
  const read = async () => {
    const timers = await readTimers((command, args) => machine.well(command, ...args));
    return (name: string) => timers.find((one) => one.name === `timer ${name}`);
  };
  await until(
    async () => (await read())("tide-now.timer")?.lastRun !== undefined,
    "the timer that is due does not run",
  );
  const found = await read();
  const tide = found("tide.timer");
  expect(tide).toMatchObject({ unit: "tide.service", expression: "*-*-01 03:00:00" });
  expect(new Date(tide?.nextRun ?? 0).getUTCDate()).toBe(1);
  expect(tide?.lastRun).toBeUndefined();
  expect(found("tide-now.timer")).toMatchObject({ unit: "tide.service" });
});

it.each(["reboot", "powerCut"] as const)(
  "keeps its disk, and nothing else, through a %s",
  async (how) => {
    await machine.sh(`echo ${how} >/etc/kept; touch /run/lost; nft add table inet lost`);
    await machine[how]();
    expect(await machine.well("cat", "/etc/kept")).toBe(`${how}\n`);
    expect((await machine.run("test", "-e", "/run/lost")).code).toBe(1);
    expect(await machine.well("nft", "list", "tables")).toBe("");
    expect(await served()).toContain("nginx");
  },
);

it("changes nothing on the host, and goes with all that ran there", async () => {
  expect(existsSync("/etc/kept")).toBe(false);
  const cgroup = machine.path("/sys/fs/cgroup/cgroup.procs");
  expect(existsSync(cgroup)).toBe(true);
  await machine.remove();
  expect(existsSync(cgroup)).toBe(false);
  expect(readFileSync("/proc/self/mounts", "utf8")).not.toContain(machine.name);
});
