/**
 * What a change of policy would have done to traffic that was seen: every distinct edge decided by the old set and by
 * the new one. Ends are judged as who they were: a workload by its present labels if it still is there, else by those
 * recorded with the edge. `oldIndex` tells who is there before the change, where the change relabels them too.
 */
import type { Decision, Edge, FlowEnd, PolicySet, Workload } from "@bulkhead/model";
import { decide } from "./decide.ts";
import type { InventoryIndex, Place } from "./inventory-index.ts";
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
    const query = {
      source: edge.source.address,
      destination: edge.destination.address,
      protocol: edge.protocol,
      port: edge.port,
    };
    const formerly = oldIndex === index ? then : indexAsSeen(oldIndex, edge);
    const before = decide(oldSet, formerly, query, { now, view });
    const after = decide(newSet, then, query, { now, view });
    const wasAllowed = before.verdict === "allow";
    if (wasAllowed === (after.verdict === "allow")) unchanged++;
    else (wasAllowed ? newlyDenied : newlyAllowed).push({ edge, before, after });
  }
  return { newlyDenied, newlyAllowed, unchanged };
}

function indexAsSeen(index: InventoryIndex, { source, destination }: Edge): InventoryIndex {
  const places = new Map(
    [source, destination].map((end) => [end.address, placeAsSeen(index, end)]),
  );
  return { ...index, at: (address) => places.get(address) ?? index.at(address) };
}

function placeAsSeen(index: InventoryIndex, end: FlowEnd): Place {
  const present = index.at(end.address);
  if (end.workload === undefined || present.workload?.id === end.workload) return present;
  if (index.inventory.workloads.some(({ id, hostNetwork }) => hostNetwork && id === end.workload)) {
    return present;
  }
  const { address, family, value, interfaces } = present;
  const workload = index.workloads.get(end.workload) ?? departed(end, end.workload);
  return { address, family, value, rivals: [], interfaces, kind: "workload", workload };
}

function departed(end: FlowEnd, id: string): Workload {
  const slash = id.indexOf("/");
  return {
    id,
    namespace: id.slice(0, slash),
    name: id.slice(slash + 1),
    kind: "external",
    labels: end.labels,
    addresses: [end.address],
    namedPorts: [],
    hostNetwork: false,
  };
}
