/** `bulkhead policies`: what is in force, and how often each rule was hit. */
import type { PoliciesAnswer } from "@bulkhead/api";
import { parseMoment } from "../arguments.ts";
import type { CommonOptions } from "../context.ts";
import { badInput } from "../failure.ts";
import { withProgress } from "../progress.ts";
import { resolveResources } from "../resources.ts";
import { broadText } from "../views/broad.ts";
import { unusedText } from "../views/unused.ts";
import { policiesText } from "../views/policies-in-force.ts";
import type { Verb } from "./verb.ts";

export interface PoliciesOptions extends CommonOptions {
  readonly unused?: string;
  readonly broad?: string | true;
}

const BROAD_SPAN = "30d";

export const policies: Verb<PoliciesOptions> = async (context, args, { unused, broad }) => {
  if (unused !== undefined && broad !== undefined) {
    throw badInput("`--unused` and `--broad` are two questions", "ask one at a time");
  }
  const client = await context.client();
  if (broad !== undefined) {
    // What is proposed is one patch, proved as a whole.
    if (args.length > 0) throw badInput("`--broad` is about all rules", "name no resources");
    const moment = parseMoment(broad === true ? BROAD_SPAN : broad, context.now());
    const value = await withProgress(context, "deciding what is on record", () =>
      client.call("policies", { broad: moment }),
    );
    const found = (value.broad?.rules.length ?? 0) > 0;
    return {
      value,
      text: (ui) => broadText(value, ui),
      next: found ? ["readiness", "plan policies/"] : ["policies --unused 30d"],
      exitCode: found ? 1 : 0,
    };
  }
  if (unused !== undefined) {
    const since = parseMoment(unused, context.now());
    const asked = await withProgress(context, "deciding what is on record", () =>
      client.call("policies", { since }),
    );
    const value = args.length === 0 ? asked : only(args, asked);
    const found = value.usage?.rules.some((one) => one.unused) === true;
    return {
      value,
      text: (ui) => unusedText(value, ui),
      next: found ? ["suggest -o markdown", "plan policies/"] : ["policies"],
      exitCode: found ? 1 : 0,
    };
  }
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
  const { usage } = answer;
  const isMeant = ({ rule }: { readonly rule: string }): boolean =>
    names.includes(rule.split("#")[0] ?? rule);
  return {
    ...answer,
    policies,
    others: [],
    ...(usage === undefined ? {} : { usage: { ...usage, rules: usage.rules.filter(isMeant) } }),
  };
}
