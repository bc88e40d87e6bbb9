/** What `doctor` makes of machines that lack something. */
import { describe, expect, it } from "vitest";
import {
  boot,
  bridges,
  controlGroups,
  firewalls,
  kernel,
  lockdown,
  privileges,
  programs,
  runtime,
  tracking,
  type Machine,
} from "../src/doctor/checks.ts";
import type { ApiClient } from "@bulkhead/api";
import { examine, workloads } from "../src/verbs/doctor.ts";
import { plainStyle } from "../src/ui/style.ts";
import { doctorText } from "../src/views/doctor.ts";
import { status } from "./answers/machine.ts";

interface Made {
  readonly files?: Readonly<Record<string, string>>;
  readonly tables?: string;
  readonly platform?: string;
  readonly root?: boolean;
}

const machine = ({ files = {}, tables, platform = "linux", root = true }: Made = {}): Machine => ({
  platform,
  root,
  env: { PATH: "/usr/sbin:/usr/bin" },
  read: (path) => files[path],
  exists: (path) => path in files,
  run: async (program, ...args) =>
    program === "nft" && args[0] === "list" ? tables : "nftables v1.0.6",
});

const ALL = { "/usr/sbin/nft": "", "/usr/sbin/ip": "", "/usr/bin/nsenter": "" };
const STATUS = "/proc/self/status";
const BRIDGE = "/proc/sys/net/bridge/bridge-nf-call-iptables";
const BRIDGE6 = "/proc/sys/net/bridge/bridge-nf-call-ip6tables";
const MAX = "/proc/sys/net/netfilter/nf_conntrack_max";
const COUNT = "/proc/sys/net/netfilter/nf_conntrack_count";

const MOUNTS = "/proc/self/mountinfo";
const V1 = "32 31 0:27 / /sys/fs/cgroup/memory rw shared:5 - cgroup cgroup rw,memory";
const V2 = "33 31 0:28 / /sys/fs/cgroup/unified rw shared:6 - cgroup2 cgroup2 rw";
const READ_ONLY = `40 1 0:4 / /proc rw - proc proc rw\n41 40 0:4 /sys /proc/sys ro - proc proc rw`;

describe("fails, and says what to do", () => {
  it.each([
    ["another system", () => kernel(machine({ platform: "darwin" })), /needs Linux/],
    [
      "no capability",
      () => privileges(machine({ files: { [STATUS]: "CapEff:\t0000000000001000" } })),
      /container/,
    ],
    [
      "no nftables",
      () => programs(machine({ files: { "/usr/sbin/ip": "", "/usr/bin/nsenter": "" } })),
      /apt-get install nftables$/,
    ],
    ["no bridge netfilter", () => bridges(machine()), /modprobe br_netfilter/],
    [
      "a full table",
      () => tracking(machine({ files: { [MAX]: "1000", [COUNT]: "900" } })),
      /nf_conntrack_max=2000/,
    ],
    [
      "control groups of version 1",
      () => controlGroups(machine({ files: { [MOUNTS]: V1 } })),
      /unified_cgroup_hierarchy=1/,
    ],
    [
      "settings that nobody may change",
      () => tracking(machine({ files: { [MAX]: "1000", [COUNT]: "9", [MOUNTS]: READ_ONLY } })),
      /nf_conntrack_acct=1/,
    ],
    [
      "a lockdown",
      () => lockdown(machine({ tables: "table inet bulkhead_lockdown" })),
      /bulkhead up/,
    ],
  ])("%s", async (_, check, help) => {
    const found = await check();
    expect(found.state).toBe("fails");
    expect(found.help).toMatch(help);
  });
});

describe("works", () => {
  it.each([
    ["root", () => privileges(machine({ files: { [STATUS]: "CapEff:\t000001ffffffffff" } }))],
    ["programs", () => programs(machine({ files: ALL }))],
    [
      "bridges that will be switched on",
      () => bridges(machine({ files: { [BRIDGE]: "0", [BRIDGE6]: "0" } })),
    ],
    ["a table with room", () => tracking(machine({ files: { [MAX]: "1000", [COUNT]: "9" } }))],
    [
      "counting that is there already, whoever may change it",
      () =>
        tracking(
          machine({
            files: {
              [MAX]: "1000",
              [MOUNTS]: READ_ONLY,
              ...Object.fromEntries(
                ["acct", "timestamp", "events"].map((name) => [
                  `/proc/sys/net/netfilter/nf_conntrack_${name}`,
                  "1",
                ]),
              ),
            },
          }),
        ),
    ],
    ["no lockdown", () => lockdown(machine({ tables: "table inet bulkhead" }))],
    ["a runtime", () => runtime(machine({ files: { "/run/docker.sock": "" } }))],
    [
      "a boot unit",
      () =>
        boot(
          machine({
            files: {
              "/run/systemd/system": "",
              "/etc/systemd/system/sysinit.target.wants/bulkhead-boot.service": "",
            },
          }),
        ),
    ],
  ])("%s", async (_, check) => {
    expect((await check()).state).toBe("works");
  });

  it("names the tables of others, and not ours", async () => {
    const tables = "table inet bulkhead\ntable ip nat\ntable netdev bulkhead\ntable inet bulkheads";
    expect((await firewalls(machine({ tables }))).detail).toMatch(/^ip nat, inet bulkheads: /);
    expect((await firewalls(machine({ tables: "table inet bulkhead" }))).detail).toBe("none");
  });
});

it("says which control groups there are", () => {
  const found = (text: string): string =>
    controlGroups(machine({ files: { [MOUNTS]: text } })).detail;
  expect(found(`${V1}\n${V2}`)).toMatch(/^hybrid: version 2 at \/sys\/fs\/cgroup\/unified/);
  expect(found(V2.replace("/unified", ""))).toBe("version 2 at /sys/fs/cgroup");
  expect(found("")).toMatch(/^not mounted/);
});

it("knows who hid the control groups: another /sys, called as a network namespace", () => {
  const text = "582 579 0:60 / /sys rw,relatime - sysfs blue rw";
  const hidden = machine({ files: { [MOUNTS]: text, "/run/netns/blue": "" } });
  expect(controlGroups(hidden)).toMatchObject({
    state: "fails",
    detail: expect.stringMatching(/^hidden by `ip netns exec`/),
    help: expect.stringMatching(/^nsenter --net=\/run\/netns\/blue bulkhead /),
  });
  // Not by one of another name, nor where they are mounted again.
  expect(controlGroups(machine({ files: { [MOUNTS]: text } })).detail).toMatch(/^not mounted/);
  const again = { [MOUNTS]: `${text}\n${V2}`, "/run/netns/blue": "" };
  expect(controlGroups(machine({ files: again })).state).toBe("works");
});

it("settings are writable where a part of what is read-only is mounted anew", () => {
  const files = {
    [MAX]: "9",
    [MOUNTS]: `${READ_ONLY}\n42 41 0:4 /sys/net /proc/sys/net rw - proc proc rw`,
  };
  expect(tracking(machine({ files })).state).toBe("works");
});

it("tells what other firewalls there are, of iptables before nftables too, and who takes ours out with theirs", async () => {
  const files = {
    "/proc/net/ip_tables_names": "nat\nfilter",
    "/etc/systemd/system/sysinit.target.wants/nftables.service": "",
  };
  const found = await firewalls(machine({ tables: "", files }));
  expect(found.detail).toMatch(/^ip nat \(iptables-legacy\), ip filter \(iptables-legacy\): /);
  expect(found.help).toContain("nftables.service");
});

it("tells what is lost without a capability, and which containers have no names", () => {
  // All but CAP_SYS_PTRACE.
  const files = { [STATUS]: "CapEff:\t000001fffff7ffff" };
  expect(privileges(machine({ files })).help).toBe(
    "without CAP_SYS_PTRACE: processes of other users stay unknown",
  );
  const there = {
    "/run/docker.sock": "",
    "/usr/bin/podman": "",
    "/run/containerd/containerd.sock": "",
  };
  expect(runtime(machine({ files: there })).help).toMatch(/podman\.socket.*containerd/);
});

it("what is not in use is off: no unit, no runtime, nothing tracked yet", () => {
  expect(boot(machine({ files: { "/run/systemd/system": "" } }))).toMatchObject({
    state: "off",
    help: "sudo bulkhead boot enable",
  });
  expect(boot(machine()).state).toBe("off");
  expect(runtime(machine()).state).toBe("off");
  expect(tracking(machine()).state).toBe("off");
});

it("where something necessary is missing, nothing is tried with packets", async () => {
  const checks = await examine({ state: "/nowhere" }, machine({ root: false, files: ALL }));
  expect(checks.map(({ name }) => name)).not.toContain("self-test");
  const untold = checks.filter(({ state }) => state === "untold").map(({ name }) => name);
  expect(untold).toEqual(["privileges", "other firewalls", "lockdown"]);
  expect(checks.filter(({ state, necessary }) => necessary && state === "fails")).toEqual([]);
  const ui = { style: plainStyle, columns: 120, wide: false, now: 0 };
  expect(doctorText({ checks }, ui)).toMatch(/need root\.\n$/);
  expect(doctorText({ checks }, ui)).not.toContain("cannot run here");
  // What is in a folder that only root searches is there all the same.
  const sbin = { ...machine({ root: false, files: ALL }), env: { PATH: "/usr/bin" } };
  expect((await programs(sbin)).state).toBe("works");
  const elsewhere = await examine({ state: "/nowhere" }, machine({ platform: "darwin" }));
  expect(elsewhere.map(({ name }) => name)).toEqual(["kernel"]);
});

it("passes on who reaches beyond its network, as far as the controller tells", async () => {
  const says = (answer: () => Promise<object>) =>
    workloads({ client: () => Promise.resolve({ call: answer } as unknown as ApiClient) });
  const notices = ["shop/a has processes", "shop/b has processes"];
  expect(await says(async () => ({ ...status, notices }))).toMatchObject({
    state: "works",
    help: notices.join("; "),
  });
  expect((await says(async () => status)).help).toBeUndefined();
  expect(await says(() => Promise.reject(new Error("gone")))).toMatchObject({
    state: "off",
    detail: "the controller does not tell: gone",
  });
});
