/**
 * Policies of one tier and priority. Which of them is asked first is nobody's promise: ours takes the stricter, others need not.
 * Those that cannot select the same pod have nothing to disagree about.
 */
import { formatSpan, type Requirement, type Selector } from "@bulkhead/model";
import type { BuildContext } from "../build/context.ts";
import type { ClusterPolicy } from "./cluster-policy.ts";

const contradict = (a: Requirement, b: Requirement): boolean => {
  if (a.key !== b.key) return false;
  if (a.operator === "In" && b.operator === "In")
    return !a.values.some((value) => b.values.includes(value));
  if (a.operator === "In" && b.operator === "NotIn")
    return a.values.every((value) => b.values.includes(value));
  return (a.operator === "In" || a.operator === "Exists") && b.operator === "DoesNotExist";
};

const areDisjoint = (a: Selector, b: Selector): boolean =>
  a.requirements.some((one) =>
    b.requirements.some((other) => contradict(one, other) || contradict(other, one)),
  );

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
