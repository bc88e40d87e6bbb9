/** Rules of equal place in policies of one tier and priority that disagree: which of them decides is nobody's promise. */
import { formatSpan } from "@bulkhead/model";
import type { BuildContext } from "../build/context.ts";
import { homeOf } from "./blocks.ts";
import type { AntreaPolicy } from "./policy.ts";

const ACTIONS = ["allow", "deny", "reject", "pass"] as const;

/** Policies of two namespaces have no subject in common; those of the cluster may have some with everybody. */
export const reportTies = (policies: readonly AntreaPolicy[], { report }: BuildContext): void => {
  const first = new Map<string, AntreaPolicy>();
  for (const policy of policies) {
    const { tier, priority, metadata, source } = policy;
    const home = homeOf(policy);
    const said = (["ingress", "egress"] as const).flatMap((direction) =>
      policy[direction].map(({ action }, at) => ({
        place: `${tier} ${priority} ${direction} ${at}`,
        action,
      })),
    );
    const other = said
      .flatMap(({ place, action }) =>
        ACTIONS.filter((one) => one !== action).flatMap((one) =>
          home === undefined
            ? [`${place} ${one}`]
            : [`${place} ${one} ${home}`, `${place} ${one} *`],
        ),
      )
      .flatMap((key) => first.get(key) ?? [])
      .at(0);
    if (other !== undefined) {
      report(
        "BH0408",
        source,
        `\`${metadata.name}\` has priority ${priority} in tier \`${tier}\`, as \`${other.metadata.name}\` has, and disagrees`,
        `the other is at ${formatSpan(other.source)}; where both match, any of the two may decide`,
      );
    }
    for (const { place, action } of said) {
      for (const key of [`${place} ${action}`, `${place} ${action} ${home ?? "*"}`]) {
        if (!first.has(key)) first.set(key, policy);
      }
    }
  }
};
