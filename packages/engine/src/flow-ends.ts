/** Who is at the ends of a flow: where addresses are shared, the flow or the sockets tell, and not the address. */
import { groupAt, type FlowQuery, type Workload, type WorkloadId } from "@bulkhead/model";
import type { InventoryIndex, Place } from "./inventory-index.ts";

/** Both ends of a flow. */
export interface Ends {
  readonly source: Place;
  readonly destination: Place;
}

/** Who is at the ends: a process where the flow tells of it, or its destination's socket does; else who owns the address. */
export function endsOf(index: InventoryIndex, query: FlowQuery): Ends {
  const { protocol, port, sourceProcess, destinationProcess } = query;
  const source = index.at(query.source);
  const destination = index.at(query.destination);
  const socket = destination.sockets.find((one) => one.protocol === protocol && one.port === port);
  const named = (id: WorkloadId | undefined) => (id === undefined ? undefined : index.process(id));
  const [from, to] = [named(sourceProcess), named(destinationProcess)];
  return {
    source: from === undefined ? source : heldBy(source, [from]),
    destination: heldBy(destination, to === undefined ? (socket?.owners ?? []) : [to]),
  };
}

/** What goes by address stays as it is. Where a process is, the machine is, even if nobody has told of the address yet. */
function heldBy(place: Place, [workload, ...rivals]: readonly Workload[]): Place {
  if (workload === undefined) return place;
  const kind = place.kind === "world" && groupAt(place) === null ? "host" : place.kind;
  return { ...place, kind, workload, rivals, interfaces: [] };
}
