/** One driver takes the place of another: both hold until the new one is known to, and whatever breaks, one of them does. */
import { beforeEach, describe, expect, it } from "vitest";
import type { HostPolicy } from "@bulkhead/model";
import { succeeding } from "../../src/drivers/driver-that-succeeds.ts";
import type { Driver, SettingsBefore } from "../../src/drivers/index.ts";

const NOTHING = { subjects: { egress: [], ingress: [] }, maps: [], overlay: [] };
const POLICY: HostPolicy = {
  revision: 7,
  endpoints: [],
  hostAddresses: [],
  live: NOTHING,
  shadow: NOTHING,
  rows: [],
  profile: { nodeExempt: true, hairpinExempt: true },
};
const OFF: SettingsBefore = { bridgeIptables: "0", bridgeIp6tables: "0", accounting: "0" };
const ON: SettingsBefore = { bridgeIptables: "1", bridgeIp6tables: "1", accounting: "1" };

/** Who holds rules, after each step; and what the settings are. */
let steps: string[];
let settings: SettingsBefore;
let holders: Map<Driver["name"], SettingsBefore>;
let problems: string[];
let breaks: (what: string) => void;

beforeEach(() => {
  steps = [];
  settings = OFF;
  holders = new Map();
  problems = [];
  breaks = () => undefined;
});

const note = (): void => {
  steps.push([...holders.keys()].toSorted().join(" and ") || "nobody");
};

const fake = (name: Driver["name"], readsAs = "right"): Driver => {
  let inherited: SettingsBefore | undefined;
  const receipt = { revision: 7, digest: "right", driver: name, readAt: 1, entries: 0 };
  return {
    name,
    limit: 1,
    async apply() {
      breaks(`${name} applies`);
      holders.set(name, holders.get(name) ?? inherited ?? settings);
      settings = ON;
      note();
      return receipt;
    },
    readBack: () =>
      Promise.resolve({
        ...receipt,
        digest: readsAs,
        desiredDigest: "right",
        policy: null,
        differences: readsAs === "right" ? [] : ["something else"],
      }),
    repair: () => Promise.resolve(receipt),
    render: () => "",
    counters: () => Promise.resolve([]),
    bindProcesses: () => Promise.resolve(false),
    cgroupOf: () => undefined,
    isInForce: () => Promise.resolve(holders.has(name)),
    settingsBefore: () => Promise.resolve(holders.get(name) ?? null),
    inherit(before) {
      inherited = before;
    },
    async remove(options) {
      breaks(`${name} goes`);
      const before = holders.get(name);
      holders.delete(name);
      if (options === undefined && before !== undefined) settings = before;
      note();
    },
    capacity: () => ({ entries: 0, problems: [] }),
    generation: () => 1,
  };
};

const heirOf = (old: Driver, readsAs?: string): Driver =>
  succeeding(fake("ebpf", readsAs), [old], ({ message }) => void problems.push(message));

const old = (): Driver => fake("nftables");

const breakOnce = (what: string): void => {
  let broken = false;
  breaks = (step) => {
    if (step !== what || broken) return;
    broken = true;
    throw new Error(`${what}: no`);
  };
};

describe("a driver that succeeds another", () => {
  it("holds the policy before the other lets go, and the settings stay on", async () => {
    await old().apply(POLICY);
    const heir = heirOf(old());
    expect(await heir.isInForce()).toBe(true);
    expect((await heir.apply(POLICY)).driver).toBe("ebpf");
    expect([steps, settings]).toEqual([["nftables", "ebpf and nftables", "ebpf"], ON]);
    await heir.remove();
    // What was before the first of them, not what the second one found.
    expect([steps.at(-1), settings]).toEqual(["nobody", OFF]);
  });

  it("looks for others once, and touches nobody where nobody is", async () => {
    const heir = heirOf(old());
    await heir.apply(POLICY);
    await old().apply(POLICY);
    await heir.apply(POLICY);
    expect(steps).toEqual(["ebpf", "ebpf and nftables", "ebpf and nftables"]);
  });

  it("leaves the other where the kernel refuses its rules, and tries again", async () => {
    await old().apply(POLICY);
    const heir = heirOf(old());
    breakOnce("ebpf applies");
    await expect(heir.apply(POLICY)).rejects.toThrow("ebpf applies: no");
    expect(steps).toEqual(["nftables"]);
    await heir.apply(POLICY);
    expect(steps).toEqual(["nftables", "ebpf and nftables", "ebpf"]);
  });

  it("goes again where its rules do not read back as they should", async () => {
    await old().apply(POLICY);
    await expect(heirOf(old(), "wrong").apply(POLICY)).rejects.toThrow(/something else/);
    expect([steps, settings]).toEqual([["nftables", "ebpf and nftables", "nftables"], ON]);
  });

  it("tells of another that cannot be removed, goes on beside it, and removes it at the next change", async () => {
    await old().apply(POLICY);
    const heir = heirOf(old());
    breakOnce("nftables goes");
    await heir.apply(POLICY);
    expect([steps.at(-1), problems]).toEqual(["ebpf and nftables", ["nftables goes: no"]]);
    await heir.apply(POLICY);
    expect(steps.at(-1)).toBe("ebpf");
  });

  it("goes on where one before it was killed between the two", async () => {
    await old().apply(POLICY);
    breaks = (step) => {
      if (step === "nftables goes") throw new Error("killed");
    };
    await heirOf(old()).apply(POLICY);
    breaks = () => undefined;
    const next = heirOf(old());
    await next.apply(POLICY);
    expect(steps.at(-1)).toBe("ebpf");
    await next.remove();
    expect(settings).toEqual(OFF);
  });

  it("takes out of the kernel whoever is there", async () => {
    await old().apply(POLICY);
    await heirOf(old()).remove();
    expect([steps.at(-1), settings]).toEqual(["nobody", OFF]);
  });
});
