/** A recorded connection that a change decides otherwise, in words. */
import { formatPort, type FlowEnd } from "@bulkhead/model";
import type { Checked } from "@bulkhead/workbench/check";
import { determinantKey, determinantOf } from "@bulkhead/workbench/impact";

type ReplayedEdge = NonNullable<Checked["impact"]>["newlyDenied"][number];

export interface Replayed {
  readonly source: string;
  readonly destination: string;
  readonly port: string;
  readonly connections: number;
  readonly rule: string;
}

/** `denied`: the side on which it is. */
export function replayedOf(one: ReplayedEdge, denied: "before" | "after"): Replayed {
  const { source, destination, protocol, port, connections } = one.edge;
  return {
    source: endText(source),
    destination: endText(destination),
    port: formatPort(protocol, port),
    connections,
    rule: determinantKey(determinantOf(one[denied])),
  };
}

function endText({ workload, address }: FlowEnd): string {
  return workload ?? address;
}
