/**
 * Rules that no kernel driver of ours holds yet are refused by name where a set is to be put in force; at a desk they are
 * judged like all others. To skip one silently would be to allow what it denies, or to deny what it allows.
 */
import type { Rule, Stage } from "@bulkhead/model";
import type { BuildContext } from "./context.ts";

/** What of the rule is not for the kernel; null: nothing. */
const beyond = (rule: Rule, { plane }: Stage): string | null => {
  if (plane !== "net") return `this rule is a ${plane === "host" ? "node" : "mesh"}'s`;
  if (rule.l7 !== undefined) return "this rule looks into requests";
  if (rule.peers.some(({ kind }) => kind === "domain"))
    return "this rule names its peers by domain";
  if (rule.auth === "required") return "this rule asks its ends to prove who they are";
  return rule.action === "custom" ? "this rule asks a judge outside" : null;
};

export const refuseBeyondKernel = (stages: readonly Stage[], { report }: BuildContext): void => {
  for (const stage of stages) {
    for (const rule of stage.blocks.flatMap(({ rules }) => rules)) {
      const what = beyond(rule, stage);
      if (what === null) continue;
      report(
        "BH0501",
        rule.source,
        `${what}, which cannot be enforced here`,
        "it can be judged offline; to put the rest in force, take the rule out",
      );
    }
  }
};
