/** A recorded connection that a change decides otherwise, in words. */
import { formatPort, type Decision, type FlowEnd } from "@bulkhead/model";
import type { Checked } from "@bulkhead/workbench/check";

type ReplayedEdge = NonNullable<Checked["replay"]>["newlyDenied"][number];

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
    rule: denyingRule(one[denied]),
  };
}

function endText({ workload, address }: FlowEnd): string {
  return workload ?? address;
}

function denyingRule({ egress, ingress }: Decision): string {
  const { determinedBy: by } = egress.verdict === "allow" ? ingress : egress;
  return by.kind === "rule" ? by.rule : by.kind === "isolation" ? by.block : by.kind;
}
