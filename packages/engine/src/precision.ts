/**
 * How sure it is whose rules a flow is judged by, where addresses are shared: the socket of its source tells, or several claim
 * an address or a socket and the strictest of all readings holds. Nothing is said where each end has its address to itself.
 */
import type { FlowQuery, WorkloadId } from "@bulkhead/model";
import { endsOf } from "./flow-ends.ts";
import { isProcess, ownersOf, type InventoryIndex, type Place } from "./inventory-index.ts";
import type { SocketOwners } from "./socket-owners.ts";

/**
 * `exact@source`: the source is of this machine, where its socket or its link tells who it is, and is judged there. `ambiguous`:
 * several claim an end.
 */
export type Precision = "exact@source" | "ambiguous";

export interface SharedEnds {
  readonly precision: Precision;
  /** Whoever the end may be; more than one: they all claim it. Empty: no workload. */
  readonly sources: readonly WorkloadId[];
  readonly destinations: readonly WorkloadId[];
}

/** Null where no address is shared, or where a shared one is judged for what it is: the machine's. */
export function precisionOf(index: InventoryIndex, query: FlowQuery): SharedEnds | null {
  const { source, destination } = endsOf(index, query);
  const [sources, destinations] = [source, destination].map((end) =>
    ownersOf(end).map(({ id }) => id),
  ) as [WorkloadId[], WorkloadId[]];
  if (sources.length > 1 || destinations.length > 1) {
    return { precision: "ambiguous", sources, destinations };
  }
  const shares = isOfProcess(source) || isOfProcess(destination);
  const isHere = source.workload !== undefined && source.workload.kind !== "external";
  return shares && isHere ? { precision: "exact@source", sources, destinations } : null;
}

function isOfProcess({ workload }: Place): boolean {
  return workload !== undefined && isProcess(workload);
}

/** An address, or a protocol and port of the machine's, that several workloads claim. */
export interface Contested {
  readonly address?: string;
  readonly socket?: Pick<SocketOwners, "protocol" | "port">;
  readonly workloads: readonly WorkloadId[];
}

/** Each address once, and each socket with the same claimants once, whatever the addresses. */
export function contestedIn(index: InventoryIndex): readonly Contested[] {
  const sockets = new Map<string, Contested>();
  const all = [...index.known.map((place) => place.sockets), index.loopback ?? []].flat();
  for (const { protocol, port, owners } of all) {
    if (owners.length < 2) continue;
    const workloads = owners.map(({ id }) => id);
    sockets.set(`${protocol} ${port} ${workloads.join(" ")}`, {
      socket: { protocol, port },
      workloads,
    });
  }
  return [...index.contested, ...sockets.values()];
}
