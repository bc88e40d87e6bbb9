/**
 * What a change of policy would have done to traffic that was seen: every distinct edge decided by the old set and by
 * the new one. Ends are judged as who they were: a workload by its present labels if it still is there, else by those
 * recorded with the edge. `oldIndex` tells who is there before the change, where the change relabels them too.
 */
import type {
  Decision,
  Edge,
  FlowEnd,
  FlowQuery,
  PolicySet,
  Workload,
  WorkloadId,
} from "@bulkhead/model";
import { decide } from "./decide.ts";
import { isProcess, type InventoryIndex, type Place } from "./inventory-index.ts";
import type { View } from "./judge-stage.ts";

export interface ReplayedEdge {
  readonly edge: Edge;
  readonly before: Decision;
  readonly after: Decision;
}

export interface Replay {
  readonly newlyDenied: readonly ReplayedEdge[];
  readonly newlyAllowed: readonly ReplayedEdge[];
  /** How many edges are decided alike. */
  readonly unchanged: number;
}

export function replay(
  oldSet: PolicySet,
  newSet: PolicySet,
  edges: readonly Edge[],
  index: InventoryIndex,
  now: number,
  view: View = "live",
  oldIndex: InventoryIndex = index,
): Replay {
  const newlyDenied: ReplayedEdge[] = [];
  const newlyAllowed: ReplayedEdge[] = [];
  let unchanged = 0;
  for (const edge of edges) {
    const then = indexAsSeen(index, edge);
    const formerly = oldIndex === index ? then : indexAsSeen(oldIndex, edge);
    const before = decide(oldSet, formerly, queryOf(edge, formerly), { now, view });
    const after = decide(newSet, then, queryOf(edge, then), { now, view });
    const wasAllowed = before.verdict === "allow";
    if (wasAllowed === (after.verdict === "allow")) unchanged++;
    else (wasAllowed ? newlyDenied : newlyAllowed).push({ edge, before, after });
  }
  return { newlyDenied, newlyAllowed, unchanged };
}

/** A recorded flow as a question, with the processes that were at its ends. */
export function queryOf(
  {
    source,
    destination,
    protocol,
    port,
  }: Pick<Edge, "source" | "destination" | "protocol" | "port">,
  index: InventoryIndex,
): FlowQuery {
  const process = ({ workload = "" }: FlowEnd) => index.process(workload)?.id;
  const [from, to] = [process(source), process(destination)];
  return {
    source: source.address,
    destination: destination.address,
    protocol,
    port,
    ...(from === undefined ? {} : { sourceProcess: from }),
    ...(to === undefined ? {} : { destinationProcess: to }),
  };
}

function indexAsSeen(index: InventoryIndex, { source, destination }: Edge): InventoryIndex {
  const places = new Map<string, Place>();
  const gone = new Map<WorkloadId, Workload>();
  for (const end of [source, destination]) {
    const present = index.at(end.address);
    const owner = ownerAsSeen(index, present, end);
    if (owner === undefined) continue;
    if (isProcess(owner)) gone.set(owner.id, owner);
    else {
      const { address, family, value, interfaces, sockets } = present;
      const rest = { address, family, value, rivals: [], interfaces, sockets };
      places.set(address, { ...rest, kind: "workload", workload: owner });
    }
  }
  return {
    ...index,
    at: (address) => places.get(address) ?? index.at(address),
    process: (id) => index.process(id) ?? gone.get(id),
  };
}

/** Undefined: it is the present one, or whoever the query names. */
function ownerAsSeen(
  index: InventoryIndex,
  { kind, workload }: Place,
  end: FlowEnd,
): Workload | undefined {
  const { workload: id } = end;
  if (id === undefined || workload?.id === id || index.process(id) !== undefined) return undefined;
  const hostNetwork = index.inventory.workloads.some((one) => one.hostNetwork && one.id === id);
  if (hostNetwork) return undefined;
  return index.workloads.get(id) ?? departed(end, id, kind === "host" ? "process" : "external");
}

function departed(end: FlowEnd, id: WorkloadId, kind: Workload["kind"]): Workload {
  const slash = id.indexOf("/");
  return {
    id,
    namespace: id.slice(0, slash),
    name: id.slice(slash + 1),
    kind,
    labels: end.labels,
    addresses: kind === "process" ? [] : [end.address],
    namedPorts: [],
    hostNetwork: false,
  };
}
