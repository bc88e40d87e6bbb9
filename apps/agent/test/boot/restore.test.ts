/** What a boot makes of a policy: in force, kept, shut, or nothing at all. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import type { ConfinedProcess, HostPolicy, IpAddress, Mode } from "@bulkhead/model";
import { createKeptGroups } from "../../src/drivers/index.ts";
import { ofEarlierBoot } from "../../src/state/since-boot.ts";
import { enforcedAddresses, lockdownTexts, type Lockdown } from "../../src/boot/lockdown.ts";
import { clockFor, describe as inWords } from "../../src/boot/restore-at-boot.ts";
import { claimedAddresses, restore, type RestoreParts } from "../../src/boot/restore.ts";

const NONE = { subjects: { egress: [], ingress: [] }, maps: [], overlay: [] };
const policyFor = (...addresses: readonly IpAddress[]): HostPolicy => ({
  revision: 7,
  endpoints: [],
  hostAddresses: ["192.0.2.1"],
  live: {
    ...NONE,
    subjects: { egress: addresses.map((address) => [address, "c0000000"] as const), ingress: [] },
  },
  shadow: NONE,
  rows: [],
  profile: { nodeExempt: true, hairpinExempt: true },
});

let did: string[];
let raised: Lockdown | undefined;

beforeEach(() => {
  did = [];
  raised = undefined;
});

function parts(policy: HostPolicy | null, more: Partial<RestoreParts> = {}): RestoreParts {
  const signed = {
    sequence: 1,
    revision: 7,
    digest: "",
    policy: new Uint8Array(),
    signature: new Uint8Array(),
  };
  return {
    trust: { load: () => (policy === null ? null : { signed, policy }) },
    unbelieved: () => null,
    selfTest: async () => void did.push("self-test"),
    prepare: () => void did.push("prepare"),
    driver: {
      apply: async ({ revision }) => {
        did.push("apply");
        return { revision, digest: "sha256:x", driver: "nftables", readAt: 0, entries: 3 };
      },
      isInForce: async () => false,
    },
    wall: {
      raise: async (lockdown) => {
        raised = lockdown;
        did.push("raise");
        return [];
      },
      lift: async () => void did.push("lift"),
    },
    ...more,
  };
}

const process = (unit: string, mode: Mode): ConfinedProcess => ({
  workload: `host/${unit}`,
  cgroup: `/system.slice/${unit}`,
  handle: "00000000",
  mode,
});

const failing = (message: string) => () => {
  throw new Error(message);
};
const driverThat = (isInForce: boolean) => ({
  apply: () => Promise.reject(new Error("no such thing")),
  isInForce: async () => isInForce,
});

describe("services of the machine at a boot", () => {
  const policy: HostPolicy = {
    ...policyFor(),
    processes: [process("a.service", "enforce"), process("b.service", "observe")],
    managed: ["/system.slice"],
  };

  it("are known before they start, those that are enforced", async () => {
    const mount = mkdtempSync(join(tmpdir(), "bbo-cgroups-"));
    mkdirSync(join(mount, "system.slice"));
    const file = join(mount, "groups.json");
    // What is restored denies nobody for being unknown, so nobody else is made known.
    createKeptGroups({ file, onProblem: failing, mount, boot: "one" }).keep(ofEarlierBoot(policy));
    expect(existsSync(join(mount, "system.slice/a.service"))).toBe(true);
    expect(existsSync(join(mount, "system.slice/b.service"))).toBe(false);
    rmSync(mount, { recursive: true });
    const restored = await restore(parts(policy));
    expect(did).toEqual(["self-test", "prepare", "apply", "lift"]);
    expect(inWords(restored)).toContain("0 addresses and 1 services of this machine are judged");
  });

  it("are not shut off for being unknown, since at a boot all are", () => {
    expect(policy.managed).toEqual(["/system.slice"]);
    expect(ofEarlierBoot(policy).managed).toBeUndefined();
    expect(ofEarlierBoot(policy).processes).toEqual(policy.processes);
  });
});

describe("a boot", () => {
  it("shuts first, tries the kernel, puts the policy in force, and only then opens", async () => {
    const restored = await restore(parts(policyFor("10.0.0.1", "fd00::1")));
    expect(restored).toMatchObject({ kind: "restored", addresses: 2, receipt: { revision: 7 } });
    expect(did).toEqual(["raise", "self-test", "prepare", "apply", "lift"]);
    expect(raised).toEqual({ addresses: ["10.0.0.1", "fd00::1"], forwarding: false });
  });

  it("does nothing where there is no policy", async () => {
    expect(await restore(parts(null))).toEqual({ kind: "nothing" });
    expect(did).toEqual([]);
  });

  it("cuts off what was enforced where the kernel fails the test, or refuses", async () => {
    const selfTest = failing("drops nothing");
    for (const more of [{ selfTest }, { driver: driverThat(false) }]) {
      const restored = await restore(parts(policyFor("10.0.0.1"), more));
      expect(restored).toMatchObject({ kind: "locked", problems: [] });
      expect(raised).toEqual({ addresses: ["10.0.0.1"], forwarding: false });
      expect(inWords(restored)).toMatch(/LOCKDOWN: 1 enforced addresses are cut off.*(drops|such)/);
    }
  });

  it("passes on nothing where nobody can say what was enforced", async () => {
    const file = JSON.stringify({
      policy: JSON.stringify(policyFor("10.0.0.1", "}; flush ruleset")),
    });
    const load = failing("is not the one that was signed");
    const restored = await restore(parts(null, { trust: { load }, unbelieved: () => file }));
    expect(restored.kind).toBe("locked");
    expect(raised).toEqual({ addresses: ["10.0.0.1"], forwarding: true });
    expect(inWords(restored)).toContain("passes on no traffic of others");
  });

  it("leaves rules that are in force alone, whatever is wrong", async () => {
    const restored = await restore(parts(policyFor("10.0.0.1"), { driver: driverThat(true) }));
    expect(restored).toEqual({ kind: "kept", reason: "no such thing" });
    expect(raised).toBeUndefined();
  });

  it("stays shut where opening fails", async () => {
    const { wall } = parts(null);
    const more = { wall: { ...wall, lift: failing("no list") } };
    expect(await restore(parts(policyFor("10.0.0.1"), more))).toMatchObject({
      kind: "locked",
      reason: "no list",
    });
    expect(did).toEqual(["raise", "self-test", "prepare", "apply"]);
  });

  it("goes on without a wall, and tries it again where the policy does not take effect", async () => {
    let tried = 0;
    const wall = {
      raise: async () => {
        tried += 1;
        if (tried % 2 === 1) throw new Error("nft: not yet");
        return [];
      },
      lift: async () => undefined,
    };
    expect(await restore(parts(policyFor("10.0.0.1"), { wall }))).toMatchObject({
      kind: "restored",
    });
    tried = 0;
    const more = { wall, driver: driverThat(false) };
    expect(await restore(parts(policyFor("10.0.0.1"), more))).toMatchObject({ kind: "locked" });
    expect(tried).toBe(2);
  });

  it("shuts nothing for a policy that enforced nothing", async () => {
    const restored = await restore(parts(policyFor(), { driver: driverThat(false) }));
    expect(restored).toEqual({ kind: "refused", reason: "no such thing" });
    expect(raised).toBeUndefined();
  });

  it("tells of a gap in the wall", async () => {
    const wall = { raise: async () => ["nft: no bridges"], lift: async () => undefined };
    const more = { driver: driverThat(false), wall };
    expect(inWords(await restore(parts(policyFor("10.0.0.1"), more)))).toContain(
      "a gap: nft: no bridges",
    );
  });
});

it("what an unreadable file claims is nothing", () => {
  for (const file of [null, "", "{", "{}", '{"policy":"[]"}', '{"policy":"{\\"live\\":1}"}'])
    expect(claimedAddresses(file)).toEqual([]);
});

it("what only a rollout enforces, for a share of flows, is left alone by a lockdown", async () => {
  const canary = { seed: 1, share: 10, maps: policyFor("10.0.0.1", "10.0.0.2").live };
  const beside: HostPolicy = { ...policyFor("10.0.0.1"), canary };
  expect(enforcedAddresses(beside)).toEqual(["10.0.0.1"]);
  const only = { ...policyFor(), canary };
  expect(await restore(parts(only, { driver: driverThat(false) }))).toMatchObject({
    kind: "refused",
  });
  expect(raised).toBeUndefined();
});

it("a lockdown cuts both ends in every hook, and leaves the machine its own traffic", () => {
  const [routed, bridged] = lockdownTexts({
    addresses: ["10.0.0.1", "fd00::1"],
    forwarding: false,
  });
  expect(routed).toContain("ip saddr { 10.0.0.1 } drop\nip6 saddr { fd00::1 } drop\nip daddr");
  expect(routed.match(/policy (\w+)/g)).toEqual([
    "policy accept",
    "policy accept",
    "policy accept",
  ]);
  expect(bridged).toContain("hook forward priority -10; policy accept");
});

it("where nobody can say what was enforced, nothing is passed on, and claims cut nobody off but who hangs on a veth", () => {
  for (const addresses of [[], ["192.0.2.77", "fd00::77"]]) {
    const [routed, bridged, ...links] = lockdownTexts({ addresses, forwarding: true });
    for (const text of [routed, bridged])
      expect(text?.match(/hook .*|.* drop$/gm)).toEqual([
        "hook forward priority -10; policy drop;",
      ]);
    expect(links.flatMap((text) => text.match(/.* drop$/gm))).toEqual(
      addresses.length === 0
        ? []
        : links.flatMap(() => [
            'meta iifkind "veth" ip saddr { 192.0.2.77 } drop',
            'meta iifkind "veth" ip6 saddr { fd00::77 } drop',
            'meta oifkind "veth" ip daddr { 192.0.2.77 } drop',
            'meta oifkind "veth" ip6 daddr { fd00::77 } drop',
          ]),
    );
    expect(links).toHaveLength(addresses.length === 0 ? 0 : 2);
  }
});

it("time is never before the policy was written", () => {
  const folder = mkdtempSync(join(tmpdir(), "bbo-clock-"));
  try {
    const file = join(folder, "policy.json");
    expect(clockFor(file)()).toBeLessThanOrEqual(Date.now());
    writeFileSync(file, "");
    const later = Math.ceil(Date.now() / 1000) + 86_400;
    utimesSync(file, later, later);
    expect(clockFor(file)()).toBe(later * 1000);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
