// The Debian package in the hands of the real dpkg and the real systemd: installed, kept running, upgraded, restarted with
// the machine, removed. What is forbidden must not pass at any moment of it, and at the end nothing may be left.
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startFlood } from "../../apps/agent/test/drivers/flood.ts";
import { until } from "../../apps/controller/test/lab.ts";
import { Machine, type Ran } from "./machine.ts";
import { debianPackage, SHOWN } from "./packages.ts";
import { ADDRESS, DATABASE, POLICY, SHOP, UDP } from "./shop.ts";

/** Asks the database over one connection, again and again, and tells how it ended. */
const TALK = `
  const socket = require('node:net').connect(${DATABASE}, '${ADDRESS.db}')
  socket.on('error', (error) => process.stdout.write(error.code))
  socket.on('close', () => process.stdout.write('closed'))
  socket.on('data', () => { process.stdout.write('.'); setTimeout(() => socket.write('PING\\r\\n'), 20) })
  socket.on('connect', () => socket.write('PING\\r\\n'))`;
const UNIT = "bulkhead.service";

let machine: Machine;
let folder = "";
let clean: readonly string[] = [];
let talker: ChildProcess | undefined;
let said = "";
const packages = { one: "", broken: "", two: "" };

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "bhm-packages-"));
  packages.one = debianPackage(folder, "7.1.0");
  packages.broken = debianPackage(folder, "7.1.5", (payload) =>
    writeFileSync(join(payload, "apps/agent/src/main.ts"), 'throw new Error("not today");\n'),
  );
  packages.two = debianPackage(folder, "7.2.0");
  machine = await Machine.boot({
    services: ["nginx.service", "redis-server.service", "cron.service", ...SHOP.services],
    files: { ...SHOP.files, "/root/policy.yaml": POLICY },
    shown: [...SHOWN, folder],
  });
  for (const name of ["reader", "stranger"]) await machine.well("useradd", name);
  clean = machine.written();
});

afterAll(async () => {
  talker?.kill("SIGKILL");
  await machine?.remove();
  rmSync(folder, { recursive: true, force: true });
});

const bulkhead = (...words: readonly string[]): Promise<string> =>
  machine.well("bulkhead", ...words);
const as = (user: string, ...words: readonly string[]): Promise<Ran> =>
  machine.run("runuser", "-u", user, "--", "bulkhead", ...words);
const property = async (unit: string, name: string): Promise<string> =>
  (await machine.well("systemctl", "show", `--property=${name}`, "--value", unit)).trim();
const supervisor = async (): Promise<number> => Number(await property(UNIT, "MainPID"));
const tables = (): Promise<string> => machine.well("nft", "list", "tables");

interface Status {
  readonly version: string;
  readonly state: string;
  readonly mode?: string;
  readonly agents: readonly {
    readonly connected: boolean;
    readonly receipt?: { matches: boolean };
  }[];
}
async function status(): Promise<Status | undefined> {
  const { code, stdout } = await machine.run("bulkhead", "status", "-o", "json");
  return code === 3 ? undefined : (JSON.parse(stdout) as Status);
}
/** Until the agent of that version has shown that the kernel holds what is wanted. */
const whole = (version: string): Promise<void> =>
  until(
    async () => {
      const now = await status();
      return (
        now?.version === version &&
        now.agents.some((agent) => agent.connected && agent.receipt?.matches === true)
      );
    },
    `version ${version} does not come up`,
    60_000,
  );

/** The permitted connection, made before, is the same still. */
async function goesOn(): Promise<void> {
  const answered = said.length;
  const ended = (): string => `the connection has ended: ${said}`;
  await until(async () => said.length > answered + 3, ended, 60_000);
  expect(said).toMatch(/^\.+$/);
}

/** Until a hundred more datagrams have arrived at the database. */
async function flows(): Promise<void> {
  const before = await arrived();
  await until(async () => (await arrived()) > before + 100, "nothing permitted arrives", 60_000);
}

/** RFC 4113, udpInDatagrams. */
async function arrived(): Promise<number> {
  const counters = await machine.sh("nsenter --net=/run/netns/db grep ^Udp: /proc/net/snmp");
  return Number(counters.split("\n")[1]?.split(" ")[1]);
}

/** What is forbidden is sent all the while, and does not arrive; what is permitted does. */
async function underFlood(work: () => Promise<void>): Promise<void> {
  const flood = startFlood({
    from: machine.netns("web"),
    to: machine.netns("db"),
    address: ADDRESS.db,
    permittedPort: UDP.permitted,
    forbiddenPort: UDP.forbidden,
    burst: 2,
  });
  let count;
  try {
    await flows();
    await work();
    await flows();
  } finally {
    count = await flood.stop();
  }
  expect(count.forbiddenSent).toBeGreaterThan(100);
  expect(count.permittedArrived).toBeGreaterThan(100);
  expect(count.forbiddenArrived).toBe(0);
}

describe("installing", () => {
  it("starts nothing, enforces nothing, and says what comes next", async () => {
    const said = await machine.well("dpkg", "--install", packages.one);
    expect(said).toContain("Nothing was started, and nothing is enforced.");
    expect(await property(UNIT, "ActiveState")).toBe("inactive");
    expect(await tables()).toBe("");
    expect(await bulkhead("version")).toContain("bulkhead 7.1.0");
  });

  it("and again over itself, while nothing runs, neither", async () => {
    const said = await machine.well("dpkg", "--install", packages.one);
    expect(said).toContain("Nothing was running.");
    expect(await property(UNIT, "ActiveState")).toBe("inactive");
    expect(await tables()).toBe("");
  });

  it("brings units that systemd has no complaint of", async () => {
    const units = ["bulkhead.service", "bulkhead-boot.service"].map(
      (unit) => `/usr/lib/systemd/system/${unit}`,
    );
    const { stdout, stderr } = await machine.run("systemd-analyze", "verify", ...units);
    // Units of others are looked at too.
    expect((stdout + stderr).split("\n").filter((line) => line.includes("bulkhead"))).toEqual([]);
  });

  it("lets the doctor see a machine that can enforce", async () => {
    expect(await bulkhead("doctor")).toContain("Bulkhead can run here.");
    expect((await as("stranger", "doctor")).stdout).toMatch(/^next: sudo bulkhead doctor$/m);
  });
});

describe("running", () => {
  it("is kept by systemd once it is to start at boot, by the units that the package brought", async () => {
    await bulkhead("boot", "enable");
    await bulkhead("up");
    expect(await property(UNIT, "ActiveState")).toBe("active");
    expect(await property(UNIT, "FragmentPath")).toMatch(/^(\/usr)?\/lib\/systemd\/system\//);
    const agent = await machine.sh("grep -l /usr/lib/bulkhead/apps/agent /proc/[0-9]*/cmdline");
    const [, pid = ""] = agent.split("/").slice(1);
    expect(await machine.well("cat", `/proc/${pid}/cgroup`)).toContain(`/${UNIT}`);
  });

  it("tells members of its group, and nobody else; and lets neither change anything", async () => {
    await machine.well("usermod", "--append", "--groups", "bulkhead", "reader");
    expect((await as("reader", "status")).stdout).toContain("version 7.1.0");
    expect((await as("stranger", "status")).code).toBe(3);
    expect((await as("reader", "apply", "/root/policy.yaml")).code).not.toBe(0);
    expect((await status())?.mode).toBeUndefined();
  });

  it("enforces, and a permitted connection is made that nothing of what follows may break", async () => {
    await bulkhead("apply", "/root/policy.yaml", "--mode", "enforce");
    talker = spawn("nsenter", [`--net=${machine.netns("web")}`, process.execPath, "-e", TALK]);
    talker.stdout?.setEncoding("utf8").on("data", (text: string) => (said += text));
    await until(async () => said.includes("..."), "the database does not answer", 60_000);
    expect((await status())?.state).not.toBe("failing");
  });
});

describe("through every restart the kernel enforces", () => {
  it("when systemd restarts it", () =>
    underFlood(async () => {
      const before = await supervisor();
      await machine.well("systemctl", "restart", UNIT);
      await whole("7.1.0");
      expect(await supervisor()).not.toBe(before);
      await goesOn();
    }));

  it("when `bulkhead restart` does", () =>
    underFlood(async () => {
      const before = await supervisor();
      await bulkhead("restart");
      expect(await supervisor()).not.toBe(before);
      expect(await property(UNIT, "ActiveState")).toBe("active");
      await goesOn();
    }));

  it("when its supervisor is killed: systemd brings it back", () =>
    underFlood(async () => {
      const before = await supervisor();
      await machine.well("kill", "-KILL", String(before));
      await until(async () => ![0, before].includes(await supervisor()), "it is not back", 60_000);
      await whole("7.1.0");
      expect(await property(UNIT, "NRestarts")).toBe("1");
      await goesOn();
    }));

  it("when dpkg puts a newer version over it, one that does not come up first", () =>
    underFlood(async () => {
      const { code, stderr } = await machine.run("dpkg", "--install", packages.broken);
      expect(stderr).toContain("the agent ends again and again");
      expect(stderr).toContain("the kernel goes on with what it holds");
      expect(code).toBe(0);
      await goesOn();
      await machine.well("dpkg", "--install", packages.two);
      await whole("7.2.0");
      expect(await bulkhead("version")).toContain("bulkhead 7.2.0");
      expect(await property(UNIT, "ActiveState")).toBe("active");
      await goesOn();
    }));
});

describe("through every boot the kernel enforces", () => {
  /** When it began, and when it was done, in microseconds of this boot. */
  const restored = async (): Promise<readonly [string, number]> => [
    await property("bulkhead-boot.service", "Result"),
    Number(await property("bulkhead-boot.service", "ExecMainExitTimestampMonotonic")),
  ];
  const network = async (): Promise<number> =>
    Number(await property("systemd-networkd.service", "ExecMainStartTimestampMonotonic"));
  const journal = (): Promise<string> =>
    machine.well("journalctl", "--boot", "--no-pager", "--unit", "bulkhead-boot.service");

  it("in good order: what was in force is in force before there is a network", async () => {
    await machine.reboot();
    const [result, at] = await restored();
    expect(result).toBe("success");
    expect(at).toBeGreaterThan(0);
    expect(await network()).toBeGreaterThan(at);
    expect(await journal()).toContain("revision 1 is in force again");
    await underFlood(() => whole("7.2.0"));
  });

  it("after a power cut, with a policy that nobody vouches for: it is shut until there is one", async () => {
    const policy = "/var/lib/bulkhead/agent/policy.json";
    await machine.well("sed", "--in-place", 's/"revision":1/"revision":2/', policy);
    await machine.powerCut();
    const [result, at] = await restored();
    expect(result).toBe("exit-code");
    expect(await network()).toBeGreaterThan(at);
    expect(await journal()).toContain("LOCKDOWN");
    await whole("7.2.0");
    expect(await tables()).not.toContain("lockdown");
    await underFlood(() => whole("7.2.0"));
  });
});

describe("removing", () => {
  it("is refused while it runs, and it goes on", async () => {
    const { code, stderr } = await machine.run("dpkg", "--remove", "bulkhead");
    expect(code).not.toBe(0);
    expect(stderr).toContain("sudo bulkhead down");
    await underFlood(() => whole("7.2.0"));
  });

  it("`down` ends it for good, also when systemd is about to start it again", async () => {
    await machine.well("kill", "-KILL", String(await supervisor()));
    await bulkhead("down");
    expect(await property(UNIT, "ActiveState")).toBe("inactive");
    expect(await tables()).toBe("");
  });

  it("keeps policies and the group, for coming back", async () => {
    await machine.well("dpkg", "--remove", "bulkhead");
    expect((await machine.run("bulkhead", "version")).code).toBe(127);
    expect(await machine.well("ls", "/var/lib/bulkhead")).toContain("controller");
    expect(await machine.well("getent", "group", "bulkhead")).toContain("reader");
    const units = await machine.run("systemctl", "list-unit-files", "bulkhead*", "--no-legend");
    expect(units.stdout).toBe("");
    await machine.well("dpkg", "--install", packages.two);
    await bulkhead("up");
    await underFlood(() => whole("7.2.0"));
    expect((await as("reader", "status")).stdout).toContain("version 7.2.0");
  });

  it("leaves nothing when it is purged", async () => {
    await bulkhead("down");
    await machine.well("dpkg", "--purge", "bulkhead");
    expect((await machine.run("getent", "group", "bulkhead")).code).toBe(2);
    expect(await tables()).toBe("");
    // Units of the shop name it in their order.
    const units = await machine.sh("systemctl --all --plain --no-legend list-units 'bulkhead*'");
    expect(units).toMatch(/^(bulkhead\.service +not-found inactive .*\n)?$/);
    // What every package and every boot leaves: logs, the records of dpkg and of systemd, what services have saved.
    const others = /^\/var\/(log|cache)\/|^\/var\/lib\/(dpkg|systemd|redis)\/|^\/etc\/\w+-$/;
    const left = machine.written().filter((path) => !clean.includes(path) && !others.test(path));
    expect(left).toEqual([]);
  });
});
