/**
 * Rules for workloads that are not attached yet, as at boot: in force by address at once, guards as soon as the interface
 * appears. Kernels before 6.16 refuse a chain for an interface that is not there; a stand-in for nft plays such a kernel.
 */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { HostPolicy } from "@bulkhead/model";
import type { Driver } from "../../../src/drivers/index.ts";
import { createLab } from "../lab.ts";
import type { Lab } from "../lab.ts";
import { DROP, policyOf, rowOf } from "../policies.ts";
import { nftables } from "./under-test.ts";

const NFT = execFileSync("sh", ["-c", "command -v nft"], { encoding: "utf8" }).trim();

/** Refuses, like an older kernel, what binds to an interface that is not there; all else is the real nft's. */
const OLD_KERNEL = `#!/bin/sh
[ "$1" = -f ] || exec ${NFT} "$@"
script=$(cat)
for device in $(printf '%s\\n' "$script" | sed -n 's/.* device "\\([^"]*\\)".*/\\1/p' | sort -u); do
  [ -e "/proc/self/net/dev_snmp6/$device" ] && continue
  echo "Error: Could not process rule: No such file or directory" >&2
  exit 1
done
printf '%s\\n' "$script" | exec ${NFT} "$@"
`;

let lab: Lab;
let driver: Driver;
let folder: string;
const path = process.env["PATH"];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bbo-absent-"));
  lab = createLab(["a", "b"]);
  driver = nftables.create(lab);
});
afterEach(() => {
  process.env["PATH"] = path;
  lab.close();
  rmSync(folder, { recursive: true });
});

const standInForNft = (script: string): void => {
  writeFileSync(join(folder, "nft"), script);
  chmodSync(join(folder, "nft"), 0o755);
  process.env["PATH"] = `${folder}:${path}`;
};

/** Nobody may reach `late`, which nobody has attached. */
const withAbsent = (): HostPolicy => {
  const policy = policyOf(lab, {
    live: [{ direction: "ingress", subjects: ["10.86.0.99"], defaultRow: rowOf(DROP) }],
  });
  const late = {
    workload: "lab/late",
    interface: "v-late",
    ifindex: 99,
    mac: "02:86:00:00:00:99",
    addresses: ["10.86.0.99" as const],
    mode: "enforce" as const,
  };
  return { ...policy, endpoints: [...policy.endpoints, late] };
};

const host = (...command: readonly string[]): string => lab.run(lab.host, command);
const guards = (): string => host("nft", "list", "table", "netdev", "bulkhead");

describe.each(["this kernel", "an older kernel"])("on %s", (kernel) => {
  test("rules for what is not there are in force, and guards follow by themselves", async () => {
    if (kernel === "an older kernel") standInForNft(OLD_KERNEL);
    const policy = withAbsent();
    const receipt = await driver.apply(policy);
    const before = await driver.readBack();
    expect(before.differences).toEqual([]);
    expect([receipt.digest, before.digest]).toEqual([before.desiredDigest, before.desiredDigest]);
    expect(host("nft", "list", "table", "inet", "bulkhead")).toContain("10.86.0.99");
    expect(guards()).toContain('device "v-a"');
    if (kernel === "an older kernel") expect(guards()).not.toContain('device "v-late"');

    const generation = driver.generation();
    host("ip", "link", "add", "v-late", "type", "veth", "peer", "name", "v-other");
    if (kernel === "an older kernel") expect(driver.generation()).not.toBe(generation);
    const after = await driver.readBack();
    expect(after.differences).toEqual([]);
    expect(after.digest).toBe(after.desiredDigest);
    expect(guards()).toContain('device "v-late"');
    expect(driver.generation()).toBe(driver.generation());

    // A guard that somebody takes away after that is drift.
    host("nft", "flush", "chain", "netdev", "bulkhead", "guard_v-late");
    expect((await driver.readBack()).differences).not.toEqual([]);
    await driver.remove();
    expect(host("nft", "list", "tables")).toBe("");
  });
});

test("what the kernel refuses for another reason is refused", async () => {
  const first = await driver.apply(policyOf(lab, {}));
  standInForNft(`#!/bin/sh\n[ "$1" = -f ] || exec ${NFT} "$@"\necho 'Error: no' >&2\nexit 1\n`);
  await expect(driver.apply(withAbsent())).rejects.toThrow(/refused/);
  expect((await driver.readBack()).digest).toBe(first.digest);
});
