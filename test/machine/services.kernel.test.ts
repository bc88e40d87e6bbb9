// Services of the machine itself under policy, through its boots: what is enforced is so from the first packet, agent or no
// agent, and nobody else is shut off because the agent does not come up.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { until } from "../../apps/controller/test/lab.ts";
import { Machine } from "./machine.ts";
import { debianPackage, SHOWN } from "./packages.ts";
import { LAN } from "./root.ts";

/** nginx answers on both; the policy lets one in. */
const PERMITTED = 80;
const FORBIDDEN = 8081;
/** Ends as soon as it was told that nobody listens there. */
const FEED = "feed.service";
/** Of a service that no policy names. */
const OTHER = 8082;
const POLICY = `apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: nginx, namespace: host }
spec:
  subject: app=nginx
  ingress: [{ from: [{ entity: world }], ports: [${PERMITTED}/tcp] }]
  egress: []
`;

let machine: Machine;
let folder = "";

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "bhm-services-"));
  const file = debianPackage(folder, "7.1.0");
  machine = await Machine.boot({
    services: ["nginx.service", "other.service"],
    files: {
      "/etc/nginx/conf.d/second.conf": `server { listen ${FORBIDDEN}; root /var/www/html; }\n`,
      "/etc/systemd/system/other.service": `[Service]\nExecStart=/usr/bin/python3 -m http.server --directory /usr/share/doc/nginx ${OTHER}\n`,
      "/etc/systemd/system/feed.service": `[Service]\nType=oneshot\nSuccessExitStatus=7\nExecStart=/usr/bin/curl -s -m5 http://${LAN.outside}:7070/\n`,
      "/root/policy.yaml": POLICY,
    },
    shown: [...SHOWN, folder],
  });
  await machine.well("dpkg", "--install", file);
  await machine.well("bulkhead", "boot", "enable");
  await machine.well("bulkhead", "up");
});

afterAll(async () => {
  await machine?.remove();
  rmSync(folder, { recursive: true, force: true });
});

/** One try, from outside. */
async function answers(port: number): Promise<boolean> {
  const url = `http://${LAN.machine}:${port}/`;
  const { stdout } = await machine.outside("curl", "-so/dev/null", "-m2", "-w%{http_code}", url);
  return ["200", "403"].includes(stdout);
}
const open = (port: number): Promise<void> =>
  until(() => answers(port), `port ${port} does not answer`, 60_000);
/** Whether a process in this service's group gets an answer from outside, if only that nobody listens. */
async function callsOut(service: string): Promise<boolean> {
  const join = `echo $$ >/sys/fs/cgroup/system.slice/${service}/cgroup.procs`;
  const call = `curl -s -m2 http://${LAN.outside}:7070/`;
  const { code } = await machine.run("sh", "-c", `${join} && exec ${call}`);
  expect([7, 28]).toContain(code);
  return code === 7;
}
/** Packets of processes that the rules do not know. */
const unknown = (): Promise<string> =>
  machine.well("nft", "list", "counter", "inet", "bulkhead", "unknown_process");
/** A mount of its own for each group that nobody may remove. */
const held = (): Promise<string> =>
  machine.sh("grep -o ' /sys/fs/cgroup/system.slice/[^ ]*' /proc/self/mountinfo || :");
/** Until those that may be reached are; then whether the other is shut, and who calls out. */
async function asThePolicySays(): Promise<boolean> {
  await open(PERMITTED);
  await open(OTHER);
  return (
    !(await answers(FORBIDDEN)) &&
    !(await callsOut("nginx.service")) &&
    (await callsOut("other.service"))
  );
}

it("are suggested for whoever called from outside, since what came of it is known", async () => {
  await open(PERMITTED);
  let said = "";
  await until(
    async () => {
      said = (await machine.run("bulkhead", "suggest", "-o", "json")).stdout;
      return said.includes("to: app=nginx");
    },
    () => `no rule for nginx: ${said}`,
    60_000,
  );
  expect(said).toContain(`cidrs: [${LAN.outside}/32]`);
});

it("stay known when they end", async () => {
  await until(
    async () => {
      await machine.well("systemctl", "start", FEED);
      return (await machine.run("bulkhead", "workloads", "--all")).stdout.includes(FEED);
    },
    "a service that ran is not known",
    60_000,
  );
  expect(await machine.well("bulkhead", "workloads")).not.toContain(FEED);
});

it("are open until a policy says otherwise, then as it says", async () => {
  for (const port of [PERMITTED, FORBIDDEN, OTHER]) await open(port);
  expect(await callsOut("nginx.service")).toBe(true);
  await machine.well("bulkhead", "apply", "/root/policy.yaml", "--mode", "enforce");
  expect(await asThePolicySays()).toBe(true);
});

it("lose no packet by being started beside what is enforced, once they are known", async () => {
  const before = await unknown();
  for (let round = 0; round < 3; round++) {
    // While it does not run.
    await until(
      async () =>
        (await machine.well("nft", "list", "set", "inet", "bulkhead", "known2")).includes(FEED),
      "its group is not kept",
      60_000,
    );
    await machine.well("systemctl", "start", FEED);
  }
  expect(await unknown()).toBe(before);
});

it("after a boot without an agent, what is enforced is, and nobody else is shut off", async () => {
  await machine.well("systemctl", "disable", "bulkhead.service");
  await machine.reboot();
  expect(await machine.well("nft", "list", "tables")).toContain("table inet bulkhead");
  expect((await machine.run("bulkhead", "status")).code).toBe(3);
  expect(await asThePolicySays()).toBe(true);
  await machine.well("systemctl", "restart", "other.service");
  expect(await asThePolicySays()).toBe(true);
});

it("with an agent again, as before", async () => {
  await machine.well("systemctl", "enable", "--now", "bulkhead.service");
  await until(
    async () => (await machine.run("bulkhead", "status")).stdout.includes("matches revision 1"),
    "it does not come up",
    60_000,
  );
  await machine.well("systemctl", "restart", "nginx.service", "other.service");
  expect(await asThePolicySays()).toBe(true);
});

it("stay known while the agent is away, and when it comes back", async () => {
  await machine.well("systemctl", "stop", "bulkhead.service");
  expect(await held()).toContain(FEED);
  const before = await unknown();
  for (let round = 0; round < 3; round++) await machine.well("systemctl", "start", FEED);
  await machine.well("systemctl", "restart", "nginx.service", "other.service");
  expect(await asThePolicySays()).toBe(true);
  expect(await unknown()).toBe(before);
  await machine.well("systemctl", "start", "bulkhead.service");
  await until(async () => (await held()) === "", "groups are held for ever", 60_000);
  expect(await asThePolicySays()).toBe(true);
});

it("leave no group behind that was kept for them", async () => {
  const group = `/sys/fs/cgroup/system.slice/${FEED}`;
  await machine.well("test", "-d", group);
  await machine.well("bulkhead", "down");
  expect((await machine.run("test", "-d", group)).code).toBe(1);
  expect(await held()).toBe("");
});
