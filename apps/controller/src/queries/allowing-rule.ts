/**
 * The kernel names the rule that denied a connection, not the one that let it through: a log message for that would cost
 * every packet a look-up. So for what was forwarded under the policy in force the reference says which rule allows it.
 */
import { decide, type InventoryIndex } from "@bulkhead/engine";
import type { Edge, Flow, PolicySet } from "@bulkhead/model";

export interface InForceSince {
  readonly set: PolicySet;
  readonly index: InventoryIndex;
  /** When it came into force. What was seen only before was allowed by something else. */
  readonly since: number;
  readonly now: number;
}

/** As given, with the rule at the destination that allows it, or else the one at the source. */
export function withAllowingRule<Seen extends Edge | Flow>(
  seen: Seen,
  lastSeen: number,
  { set, index, since, now }: InForceSince,
): Seen {
  if (seen.verdict !== "forwarded" || seen.rule !== undefined || lastSeen < since) return seen;
  const { source, destination, protocol, port } = seen;
  const query = { source: source.address, destination: destination.address, protocol, port };
  const { verdict, egress, ingress } = decide(set, index, query, { now, view: "live" });
  if (verdict !== "allow") return seen;
  const found = [ingress.determinedBy, egress.determinedBy].find((by) => by.kind === "rule");
  return found === undefined ? seen : { ...seen, rule: found.rule };
}
