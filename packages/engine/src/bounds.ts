/**
 * A policy set without anything above layer 4: what it permits at best, if only requests come that its rules welcome, and
 * at worst. Reachability is over ports and addresses; between these bounds lies what depends on the request.
 */
import type { Block, PolicySet, Rule, RuleAction, Stage } from "@bulkhead/model";
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
  const { stages, ...rest } = withProof(set, assume === "best");
  const bounded = (rule: Rule) => plain(ruleInForce(rule, undefined, assume));
  return { ...rest, stages: stages.map((stage) => withRules(stage, bounded)) };
}

/** The set as it judges ends that have proved who they are, or have not: no rule of it asks for that. */
export function withProof(set: PolicySet, isProven: boolean): PolicySet {
  return { ...set, stages: set.stages.flatMap((stage) => provenStage(stage, isProven)) };
}

/**
 * Where allows add up, a rule that asks for proof denies without it all that it overlaps with; but not what another excuses
 * from proof: that takes a stage of its own before, in which the excuse comes first.
 */
function provenStage(stage: Stage, isProven: boolean): Stage[] {
  const imposes = stage.mode === "denyOverrides" && !isProven;
  const excused =
    imposes && stage.blocks.some(({ rules }) => rules.some(({ auth }) => auth === "disabled"));
  const judged = withRules(stage, ({ auth, ...rule }) => {
    if (isProven || auth !== "required" || rule.action !== "allow") return [rule];
    return imposes && !excused ? plain({ ...rule, action: "deny" }) : [];
  });
  if (!excused) return [judged];
  return [
    {
      ...stage,
      id: `${stage.id} after proof`,
      mode: "firstMatch",
      endIfApplied: "pass",
      onPass: stage.id,
      blocks: [
        ...proofBlocks(stage, "disabled", "pass", 0),
        ...proofBlocks(stage, "required", "deny", 1),
      ],
    },
    judged,
  ];
}

function proofBlocks(
  stage: Stage,
  auth: NonNullable<Rule["auth"]>,
  action: RuleAction,
  order: number,
): readonly Block[] {
  const chosen = withRules(stage, (rule) =>
    rule.auth === auth && rule.action === "allow" ? plain({ ...rule, action }) : [],
  );
  return chosen.blocks.map((block) => ({
    ...block,
    id: `${block.id} ${auth}`,
    order: [order],
    isolates: false,
  }));
}

function withRules(stage: Stage, change: (rule: Rule) => readonly Rule[]): Stage {
  return {
    ...stage,
    blocks: stage.blocks.map((block) => ({ ...block, rules: block.rules.flatMap(change) })),
  };
}

function plain(rule: Rule | null): Rule[] {
  if (rule === null) return [];
  const { l7: _l7, l7Mode: _mode, onOpaque: _opaque, auth: _auth, ...rest } = rule;
  return [rest];
}
