/**
 * What the machine itself sent, and nobody could tell which of its processes. Once a process is isolated in what it sends, such
 * an edge may be the one that is cut, and no replay shows it: so it is told with the suggestion.
 */
import type { Edge, Inventory } from "@bulkhead/model";
import type { Placed } from "./ends.ts";
import { inEdgeOrder } from "./order.ts";
import type { Need } from "./rules.ts";

export function unattributedOf(
  placed: readonly Placed[],
  needs: readonly Need[],
  inventory: Inventory,
): readonly Edge[] {
  const processes = new Set(
    inventory.workloads.flatMap(({ kind, id }) => (kind === "process" ? [id] : [])),
  );
  const ofProcesses = needs.filter(
    ({ source }) => source.kind === "group" && source.group.members.some((id) => processes.has(id)),
  );
  if (ofProcesses.length === 0) return [];
  const known = new Set(ofProcesses.flatMap(({ edges }) => edges.map(whereTo)));
  return placed
    .flatMap((item) => (item.kind === "exempt" && isOfMachine(item.edge) ? [item.edge] : []))
    .filter((edge) => edge.verdict === "forwarded" && !known.has(whereTo(edge)))
    .toSorted(inEdgeOrder);
}

function isOfMachine({ source }: Edge): boolean {
  return source.workload === undefined && source.name === "host";
}

function whereTo({ destination, protocol, port }: Edge): string {
  return `${destination.workload ?? destination.address} ${protocol} ${port}`;
}
