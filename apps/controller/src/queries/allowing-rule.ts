/**
 * The kernel names the rule that denied a connection, not the one that let it through: a log message for that would cost
 * every packet a look-up. So for what was forwarded under the policy in force the reference says which rule allows it; or
 * which one has cut it, where the last news tells of the time before and after together.
 */
import { decide, queryOf, type InventoryIndex } from "@bulkhead/engine";
import type { Decision, Edge, Flow, PolicySet } from "@bulkhead/model";
import { NEWS_MS } from "../flows/referee.ts";

export interface InForceSince {
  readonly set: PolicySet;
  readonly index: InventoryIndex;
  /** When it came into force. What was seen only before was allowed by something else. */
  readonly since: number;
  /** When the kernel held it, after that; undefined while that changes. */
  readonly held: number | undefined;
  readonly now: number;
}

/** As given, with the rule at the destination that allows it, or else the one at the source. */
export function withAllowingRule<Seen extends Edge | Flow>(
  seen: Seen,
  lastSeen: number,
  { set, index, since, now, held = now }: InForceSince,
): Seen {
  if (seen.verdict !== "forwarded" || seen.rule !== undefined || lastSeen < since) return seen;
  const decision = decide(set, index, queryOf(seen, index), { now, view: "live" });
  if (decision.verdict === "allow") {
    const { egress, ingress } = decision;
    const found = [ingress.determinedBy, egress.determinedBy].find((by) => by.kind === "rule");
    return found === undefined ? seen : { ...seen, rule: found.rule };
  }
  // Later than that it should not have been forwarded at all: no excuse is made for it. While a rollout is under way,
  // what a translated connection addressed is not known, and so not whether it takes part.
  if (lastSeen >= held + NEWS_MS || set.canary !== undefined) return seen;
  return { ...seen, cutBy: denierOf(decision) };
}

function denierOf({ egress, ingress }: Decision): string {
  const { determinedBy: by } = egress.verdict === "allow" ? ingress : egress;
  return by.kind === "rule" ? by.rule : by.kind === "isolation" ? by.block : "default";
}
