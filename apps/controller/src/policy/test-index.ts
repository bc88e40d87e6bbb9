/**
 * The inventory as policy tests see it. A workload that is declared but not attached has no address, yet what its
 * labels allow is known; so that a test of it still says something, it stands in with addresses that nobody can have.
 */
import { indexInventory, isProcess, type InventoryIndex } from "@bulkhead/engine";
import { formatIp, type Workload } from "@bulkhead/model";
import type { World } from "../world/world.ts";

/** Reserved (RFC 1112 §4) and discard-only (RFC 6666): never on a wire. */
const RESERVED_4 = 240n << 24n;
const RESERVED_6 = 0x0100n << 112n;

export function testIndex({ index, inventory }: World): InventoryIndex {
  const homeless = (workload: Workload) =>
    workload.addresses.length === 0 && !workload.hostNetwork && !isProcess(workload);
  if (!inventory.workloads.some(homeless)) return index;
  const workloads = inventory.workloads.map((workload, at) => {
    if (!homeless(workload)) return workload;
    const number = BigInt(at + 1);
    return {
      ...workload,
      addresses: [formatIp(4, RESERVED_4 + number), formatIp(6, RESERVED_6 + number)],
    };
  });
  return indexInventory({ ...inventory, workloads });
}
