/**
 * A policy set without anything above layer 4: what it permits at best, if only requests come that its rules welcome, and
 * at worst. Reachability is over ports and addresses; between these bounds lies what depends on the request.
 */
import type { PolicySet, Rule } from "@bulkhead/model";
import { isOpen, ruleInForce, type Assumption } from "./requests.ts";

const conditional = new WeakMap<PolicySet, boolean>();

/** Does any rule depend on what flows do not tell at layer 4? */
export function isConditional(set: PolicySet): boolean {
  let known = conditional.get(set);
  if (known === undefined) {
    known = set.stages.some(({ blocks }) =>
      blocks.some(({ rules }) => rules.some((rule) => isOpen(rule, undefined))),
    );
    conditional.set(set, known);
  }
  return known;
}

/** The same set where nothing is conditional; what any request could get (`best`), or every request gets (`worst`). */
export function boundOf(set: PolicySet, assume: Assumption): PolicySet {
  if (!isConditional(set)) return set;
  return {
    ...set,
    stages: set.stages.map((stage) => ({
      ...stage,
      blocks: stage.blocks.map((block) => ({
        ...block,
        rules: block.rules.flatMap((rule) => plain(ruleInForce(rule, undefined, assume))),
      })),
    })),
  };
}

function plain(rule: Rule | null): Rule[] {
  if (rule === null) return [];
  const { l7: _l7, l7Mode: _mode, onOpaque: _opaque, auth: _auth, ...rest } = rule;
  return [rest];
}
