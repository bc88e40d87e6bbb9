/** Why a flow is allowed or denied: the decision, the whole way to it, and for a deny the least that would allow it. */
import type { Decision, FlowQuery, PolicySet } from "@bulkhead/model";
import { decide, viewFor } from "./decide.ts";
import type { InventoryIndex } from "./inventory-index.ts";
import { precisionOf, type SharedEnds } from "./precision.ts";
import { smallestChange, type ExplainOptions, type SmallestChange } from "./smallest-change.ts";
import { traceDirection, type DirectionTrace } from "./trace.ts";

export interface Explanation {
  readonly query: FlowQuery;
  readonly decision: Decision;
  /** Null where no address is shared. */
  readonly shared: SharedEnds | null;
  readonly egress: DirectionTrace;
  readonly ingress: DirectionTrace;
  /** Null when the flow is allowed. */
  readonly smallestChange: SmallestChange | null;
}

export function explain(
  set: PolicySet,
  index: InventoryIndex,
  query: FlowQuery,
  options: ExplainOptions,
): Explanation {
  const judged = { ...options, view: viewFor(set, query, options.view) };
  return {
    query,
    decision: decide(set, index, query, options),
    shared: precisionOf(index, query),
    egress: traceDirection(set, index, query, "egress", judged),
    ingress: traceDirection(set, index, query, "ingress", judged),
    smallestChange: smallestChange(set, index, query, options),
  };
}
