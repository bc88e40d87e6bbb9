/** What `doctor` makes of machines that lack something. */
import { describe, expect, it } from "vitest";
import {
  boot,
  bridges,
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

describe("fails, and says what to do", () => {
  it.each([
    ["another system", () => kernel(machine({ platform: "darwin" })), /needs Linux/],
    ["no root", () => privileges(machine({ root: false })), /sudo/],
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
