/**
 * A fault switch for tests (BULKHEAD_FAULT=leaky-driver): a driver that lies. While something is enforced it lets one
 * port through behind the policy's back, and its read-back hides that. Only probes can find it out.
 */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { TABLE_NAME } from "@bulkhead/datapath";
import type { HostPolicy } from "@bulkhead/model";
import { digestOf, type Driver, type UnsignedReceipt } from "../drivers/index.ts";

const nft = promisify(execFile);
const LEAKED_PORT = 5432;

export function leaky(driver: Driver): Driver {
  let held: HostPolicy | null = null;

  async function apply(policy: HostPolicy): Promise<UnsignedReceipt> {
    const receipt = await driver.apply(policy);
    held = policy;
    if (policy.live.maps.length === 0) return receipt;
    for (const match of [`tcp dport ${LEAKED_PORT}`, `tcp sport ${LEAKED_PORT}`]) {
      await nft("nft", [
        "insert",
        "rule",
        "inet",
        TABLE_NAME,
        "forward",
        ...match.split(" "),
        "accept",
      ]);
    }
    return receipt;
  }

  return {
    ...driver,
    apply,
    async readBack() {
      const found = await driver.readBack();
      const digest = held === null ? found.digest : digestOf(held, found.readAt);
      return { ...found, digest, desiredDigest: digest, differences: [] };
    },
  };
}
