/**
 * Since when addresses have belonged to whom they belong to now. An address is lent: a flow recorded last month, at an address
 * of a pod born yesterday, is not that pod's. What was discovered holds from the moment it was first seen here, and anew when it
 * changes hands; what an operator declares, an address of an Inventory or a NetworkSet, is taken to have held before.
 */
import type { IpAddress } from "@bulkhead/model";
import type { World } from "./world.ts";

export interface Tenure {
  /** The world from this moment on. */
  see(world: World, now: number): void;
  /** Was the address whose it is now at that time, as far as anybody knows? */
  heldAt(address: IpAddress, time: number): boolean;
}

interface Held {
  readonly owner: string;
  readonly since: number;
}

/** No workload is called so. */
const MACHINE = "";

export function createTenure(): Tenure {
  let held: ReadonlyMap<IpAddress, Held> = new Map();
  return {
    see(world, now) {
      const fresh = new Map<IpAddress, Held>();
      const hold = (address: IpAddress, owner: string): void => {
        const before = held.get(address);
        fresh.set(address, before?.owner === owner ? before : { owner, since: now });
      };
      for (const address of world.inventory.hostAddresses) hold(address, MACHINE);
      for (const [workload, attachments] of world.attachments) {
        for (const { discovered } of attachments) {
          for (const address of discovered.addresses) hold(address, workload);
        }
      }
      held = fresh;
    },
    heldAt(address, time) {
      const found = held.get(address);
      return found === undefined || found.since <= time;
    },
  };
}
