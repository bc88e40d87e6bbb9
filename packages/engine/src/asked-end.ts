/** The ends of a connection as somebody names them, and the questions that stand for it: one for each pair of their addresses. */
import type { FlowQuery, IpAddress, WorkloadId } from "@bulkhead/model";
import { addressPairs, type AddressedEnd } from "./address-pairs.ts";
import { isProcess, ownersOf, type InventoryIndex } from "./inventory-index.ts";

export interface AskedEnd extends AddressedEnd {
  readonly process?: WorkloadId;
}

/** Where nobody has told of the machine's addresses, these stand for them: reserved (RFC 1112 §4), and discard-only (RFC 6666). */
const SOMEWHERE_HERE: readonly IpAddress[] = ["240.0.0.0", "100::"];

/** Without addresses where there is no such workload. */
export function askedWorkload(id: WorkloadId, index: InventoryIndex): AskedEnd {
  const workload = index.workloads.get(id);
  if (workload === undefined) return { addresses: [], isProcess: false };
  if (isProcess(workload)) {
    return { addresses: askedHost(index).addresses, isProcess: true, process: id };
  }
  const owned = workload.addresses.filter((one) => ownersOf(index.at(one)).includes(workload));
  return { addresses: owned, isProcess: false };
}

export function askedHost(index: InventoryIndex): AskedEnd {
  const { hostAddresses } = index.inventory;
  const own = hostAddresses.filter((address) => index.at(address).kind === "host");
  return { addresses: own.length > 0 ? own : SOMEWHERE_HERE, isProcess: false };
}

/** None where the ends have no address family in common. */
export function questionsBetween(
  index: InventoryIndex,
  from: AskedEnd,
  to: AskedEnd,
  { protocol, port }: Pick<FlowQuery, "protocol" | "port">,
): FlowQuery[] {
  return addressPairs(index, from, to).map(([source, destination]) => ({
    source,
    destination,
    protocol,
    port,
    ...(from.process === undefined ? {} : { sourceProcess: from.process }),
    ...(to.process === undefined ? {} : { destinationProcess: to.process }),
  }));
}
