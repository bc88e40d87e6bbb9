// What the kernel can do is tried on it, and what it cannot is said with the reason.
import { execFileSync } from "node:child_process";
import { readdirSync, readlinkSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  missingCapabilities,
  obstacleText,
  probeBpf,
  type HelperWish,
} from "../../src/bpf/index.ts";
import { cgroup2Mount } from "../../src/kernel/index.ts";
import { until } from "../kernel/netns-lab.ts";

/** What the descriptors of this process are; those that vanish meanwhile were the reading's own. */
const openFiles = (): readonly string[] =>
  readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)];
    } catch {
      return [];
    }
  });

const helper = (number: number, name: string, program: HelperWish["program"]): HelperWish => ({
  number,
  name,
  program,
});

describe("probing", () => {
  it("finds all that a datapath needs on this kernel, and leaves nothing behind", async () => {
    const found = probeBpf([
      helper(1, "bpf_map_lookup_elem", "netfilter"),
      helper(113, "bpf_probe_read_kernel", "netfilter"),
      helper(131, "bpf_ringbuf_reserve", "netfilter"),
      helper(128, "bpf_sk_cgroup_id", "cgroup-skb"),
      helper(80, "bpf_get_current_cgroup_id", "cgroup-sock-addr"),
    ]);
    expect(found.filter(({ obstacle }) => obstacle !== null).map(obstacleText)).toEqual([]);
    expect(found.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        "map lpm-trie",
        "program netfilter for netfilter",
        "link cgroup",
        "link netfilter",
        "link tcx",
        "helper bpf_ringbuf_reserve in netfilter",
      ]),
    );
    expect(openFiles().filter((path) => path.includes("bpf"))).toEqual([]);
    await until("no group of probes", () =>
      readdirSync(cgroup2Mount() ?? "").every((name) => !name.startsWith("bulkhead-probe-")),
    );
  });

  it("says which helper a program may not call", () => {
    const texts = probeBpf([
      helper(128, "bpf_sk_cgroup_id", "sched-cls"),
      helper(99_999, "bpf_of_tomorrow", "netfilter"),
    ])
      .filter(({ obstacle }) => obstacle !== null)
      .map(obstacleText);
    expect(texts).toEqual([
      "helper bpf_sk_cgroup_id in sched-cls: the kernel says EINVAL (bpf programLoad)",
      "helper bpf_of_tomorrow in netfilter: the kernel says EINVAL (bpf programLoad)",
    ]);
  });
});

/** The same in a process that was started by `by`; what does not work there. */
function obstaclesOf(...by: readonly string[]): readonly string[] {
  const source = new URL("../../src/bpf/index.ts", import.meta.url).href;
  const program = `
    import { obstacleText, probeBpf } from ${JSON.stringify(source)};
    for (const each of probeBpf()) if (each.obstacle !== null) console.log(obstacleText(each));`;
  const [command = "", ...args] = [
    ...by,
    process.execPath,
    "--input-type=module",
    "--eval",
    program,
  ];
  return execFileSync(command, args, { encoding: "utf8" }).trimEnd().split("\n");
}

describe("a process that may not", () => {
  it("is told which capabilities it lacks, before anything is tried", () => {
    expect(
      obstaclesOf("setpriv", "--bounding-set=-bpf,-sys_admin", "--inh-caps=-bpf,-sys_admin"),
    ).toEqual(["capabilities: missing CAP_BPF, CAP_SYS_ADMIN"]);
  });

  it("is told that its pins would not stay", () => {
    expect(obstaclesOf("unshare", "--mount")).toEqual([
      expect.stringMatching(/^mounts that stay: this process is in a mount namespace of its own/),
    ]);
  });
});

it("capabilities are read from the bits of CapEff", () => {
  const status = (bits: string): string =>
    `Name:\tx\nCapEff:\t${bits}\nCapBnd:\t000001ffffffffff\n`;
  expect(missingCapabilities(status("000001ffffffffff"))).toEqual([]);
  expect(missingCapabilities(status("0000000000201000"))).toEqual([]);
  expect(missingCapabilities(status("0000000000200000"))).toEqual(["CAP_NET_ADMIN"]);
  expect(missingCapabilities(status("000000c000001000"))).toEqual(["CAP_SYS_ADMIN"]);
  expect(missingCapabilities("")).toHaveLength(4);
});
