/** What a person has written of an edge: a rule in force that decides it, in enforce or in audit. What follows from the lack of rules is nobody's word. */
import { decide, queryOf, type InventoryIndex } from "@bulkhead/engine";
import type { Edge, PolicySet } from "@bulkhead/model";

export function ruledBy(
  set: PolicySet,
  index: InventoryIndex,
  now: number,
): (edge: Edge) => "allow" | "deny" | undefined {
  return (edge) => {
    const { verdict, egress, ingress } = decide(set, index, queryOf(edge, index), {
      now,
      view: "shadow",
    });
    const deciding = [egress, ingress].filter((one) => one.verdict === verdict);
    if (!deciding.some(({ determinedBy }) => determinedBy.kind === "rule")) return undefined;
    return verdict === "allow" ? "allow" : "deny";
  };
}
