/** `bulkhead policies`: what is in force, and how often each rule was hit. */
import type { PoliciesAnswer } from "@bulkhead/api";
import type { CommonOptions } from "../context.ts";
import { withProgress } from "../progress.ts";
import { resolveResources } from "../resources.ts";
import { policiesText } from "../views/policies-in-force.ts";
import type { Verb } from "./verb.ts";

export const policies: Verb<CommonOptions> = async (context, args) => {
  const client = await context.client();
  const answer = await withProgress(context, "reading counters", () => client.call("policies", {}));
  const value = args.length === 0 ? answer : only(args, answer);
  return {
    value,
    text: (ui) => policiesText(value, ui),
    next:
      answer.policies.length === 0
        ? ["suggest -f policy.yaml"]
        : ["observe --verdict audit,dropped"],
    exitCode: 0,
  };
};

function only(typed: readonly string[], answer: PoliciesAnswer): PoliciesAnswer {
  const names = resolveResources(
    typed,
    answer.policies.map(({ name }) => name),
  );
  const policies = answer.policies.filter(({ name }) => names.includes(name));
  return { ...answer, policies, others: [] };
}
