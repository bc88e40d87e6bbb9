/**
 * What the machine itself sent, and nobody could tell which of its processes. Once a process is isolated in what it sends, such
 * an edge may be the one that is cut, and no replay shows it; and who is isolated in whom it hears does not hear nobody. So it
 * is told with the suggestion.
 */
import type { Edge } from "@bulkhead/model";
import type { Placed } from "./ends.ts";
import type { MachineProcesses } from "./machine.ts";
import { inEdgeOrder } from "./order.ts";
import type { Need } from "./drafts.ts";

export function unattributedOf(
  placed: readonly Placed[],
  needs: readonly Need[],
  processes: MachineProcesses,
  /** What people did, who are not confined. */
  peoples: readonly Edge[],
): readonly Edge[] {
  const ofProcesses = needs.filter(
    ({ source }) => source.kind === "group" && source.group.members.some((id) => processes.has(id)),
  );
  const sending = ofProcesses.some(({ only }) => only !== "ingress");
  const receiving = new Set(
    needs.flatMap(({ destination, only }) =>
      destination.kind === "group" && only !== "egress"
        ? destination.group.members.filter((id) => processes.has(id))
        : [],
    ),
  );
  const known = new Set([...ofProcesses.flatMap(({ edges }) => edges), ...peoples].map(whereTo));
  return placed
    .flatMap((item) => (item.kind === "exempt" && isOfMachine(item.edge) ? [item.edge] : []))
    .filter((edge) => edge.verdict === "forwarded" && !known.has(whereTo(edge)))
    .filter(({ destination }) => sending || receiving.has(destination.workload ?? ""))
    .toSorted(inEdgeOrder);
}

function isOfMachine({ source }: Edge): boolean {
  return source.workload === undefined && source.name === "host";
}

function whereTo({ destination, protocol, port }: Edge): string {
  return `${destination.workload ?? destination.address} ${protocol} ${port}`;
}
