/**
 * Policies of one tier and priority. Which of them is asked first is nobody's promise: ours takes the stricter, others need not.
 * Those that cannot select the same pod have nothing to disagree about.
 */
import { formatSpan } from "@bulkhead/model";
import type { BuildContext } from "../build/context.ts";
import { areDisjoint } from "../build/disjoint.ts";
import type { ClusterPolicy } from "./cluster-policy.ts";

const canMeet = (a: ClusterPolicy, b: ClusterPolicy): boolean =>
  (["ingress", "egress"] as const).some(
    (direction) => a[direction].length > 0 && b[direction].length > 0,
  ) &&
  !areDisjoint(a.subject.namespaces, b.subject.namespaces) &&
  !areDisjoint(a.subject.pods, b.subject.pods);

export const reportTies = (policies: readonly ClusterPolicy[], context: BuildContext): void => {
  const groups = Map.groupBy(policies, ({ tier, priority }) => `${tier} ${priority}`);
  for (const group of groups.values()) {
    for (const [at, policy] of group.entries()) {
      const other = group.slice(0, at).find((one) => canMeet(one, policy));
      if (other === undefined) continue;
      context.report(
        "BH0408",
        policy.source,
        `\`${policy.metadata.name}\` has priority ${policy.priority} in tier \`${policy.tier}\`, as \`${other.metadata.name}\` has`,
        `the other is at ${formatSpan(other.source)}; where both match, any of the two may decide`,
      );
    }
  }
};
