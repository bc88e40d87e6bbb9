/**
 * What one stage says of one flow: which of its blocks select the subject, which of their rules match, and how the
 * stage's mode chooses among these. The part of the reference that `decide` folds over.
 */
import type { Block, DecisionVerdict, Determinant, Rule, Stage } from "@bulkhead/model";
import type { InventoryIndex } from "./inventory-index.ts";
import { ruleMatches, selects, type DirectedFlow } from "./matching.ts";
import { isOpen, ruleInForce, type Assumption } from "./requests.ts";
import * as strictness from "./strictness.ts";
import type { DecidingAction } from "./strictness.ts";

/**
 * Live: what drops. Shadow: with staged policies included, what would drop if all of them were enforced. Settled: what drops
 * of flows that take no part in the rollout under way; nobody need ask for it, `decide` knows which flows these are.
 */
export type View = "live" | "shadow" | "settled";

export interface DecideOptions {
  /** Milliseconds since the epoch. A rule or block whose `expiresAt` is not after it is inert. */
  readonly now: number;
  readonly view: View;
  /** Of requests that a flow does not tell; nobody need say it, `decide` looks at both. Best unless said. */
  readonly assume?: Assumption;
}

export type StageOutcome = {
  readonly logged: readonly string[];
  readonly ambiguous: boolean;
  /** Rules that match at layer 4, and ask what the flow does not tell. */
  readonly open: readonly Rule[];
} & (
  | {
      readonly kind: "decided";
      readonly verdict: DecisionVerdict;
      readonly determinedBy: Determinant;
    }
  | { readonly kind: "pass" }
  /** Nothing here concerns the flow. */
  | { readonly kind: "next" }
);

/** What one stage says of one flow. */
export function judgeStage(
  stage: Stage,
  index: InventoryIndex,
  flow: DirectedFlow,
  options: DecideOptions,
): StageOutcome {
  const blocks = stage.blocks
    .filter((block) => block.direction === flow.direction && isActive(block, options))
    .filter((block) => selects(block.subject, flow.subject, index))
    .toSorted(strictness.compareBlocks);
  const { assume = "best" } = options;
  const open: Rule[] = [];
  const met = blocks.map((block) => {
    const rules = block.rules.filter(
      (rule) => isActive(rule, options) && ruleMatches(rule, flow, index),
    );
    open.push(...rules.filter((rule) => isOpen(rule, flow.request)));
    return { block, rules };
  });
  const imposes = isImposed(
    stage,
    met.flatMap(({ rules }) => rules),
  );
  const matching = met.map(({ block, rules }) => ({
    block,
    rules: rules.flatMap((one) => ruleInForce(one, flow.request, assume, imposes) ?? []),
  }));
  const { winner, ...rest } = RESOLVE[stage.mode](matching);
  const seen = { ...rest, open };
  const isolating = blocks.find((block) => block.isolates);
  if (winner === undefined && isolating === undefined) return { kind: "next", ...seen };
  if (winner === undefined) {
    if (stage.endIfApplied === "pass") return { kind: "pass", ...seen };
    return {
      kind: "decided",
      verdict: "drop",
      determinedBy: byIsolation(stage, isolating!),
      ...seen,
    };
  }
  if (winner.action === "pass") return { kind: "pass", ...seen };
  const determinedBy = byRule(stage, winner);
  return { kind: "decided", verdict: strictness.VERDICT[winner.action], determinedBy, ...seen };
}

/**
 * Where allows add up, one that asks for proof of identity asks for it on behalf of all, unless one of them says that none
 * is needed: a mode that is written out wins.
 */
function isImposed({ mode }: Pick<Stage, "mode">, met: readonly Rule[]): boolean {
  return mode === "denyOverrides" && !met.some(({ auth }) => auth === "disabled");
}

/** A staged thing acts in the shadow only, and what is not settled yet with it; a thing acts until the moment of its expiry, that moment excluded. */
export function isActive(
  thing: Pick<Block, "enforce" | "expiresAt" | "canary">,
  options: DecideOptions,
): boolean {
  const inForce = thing.enforce === "on" && !(thing.canary === true && options.view === "settled");
  return (
    (inForce || options.view === "shadow") &&
    (thing.expiresAt === undefined || thing.expiresAt > options.now)
  );
}

/** A block that selects the subject, with those of its rules that match the flow, in their order. */
interface Matching {
  readonly block: Block;
  readonly rules: readonly Rule[];
}

interface Claim {
  readonly block: Block;
  readonly rule: Rule;
  readonly action: DecidingAction;
}

interface Resolution {
  readonly winner?: Claim;
  readonly logged: readonly string[];
  readonly ambiguous: boolean;
}

/** How the modes choose among the rules that match. Blocks come sorted; ties fall to the first. */
const RESOLVE: Readonly<Record<Stage["mode"], (blocks: readonly Matching[]) => Resolution>> = {
  firstMatch(blocks) {
    const logged: string[] = [];
    for (const group of strictness.groupsOfEqualOrder(blocks)) {
      const firsts = group.flatMap(({ block, rules }) => {
        const first = rules.findIndex(({ action }) => strictness.decides(action));
        logged.push(...logsOf(first < 0 ? rules : rules.slice(0, first)));
        return first < 0 ? [] : claims(block, [rules[first]!]);
      });
      const winner = strictest(firsts);
      if (winner === undefined) continue;
      return { winner, logged, ambiguous: firsts.some(({ action }) => action !== winner.action) };
    }
    return { logged, ambiguous: false };
  },
  anyAllow(blocks) {
    const all = blocks.flatMap(({ block, rules }) => claims(block, rules));
    const winner = all.find(({ action }) => action === "allow");
    return { winner, logged: blocks.flatMap(({ rules }) => logsOf(rules)), ambiguous: false };
  },
  denyOverrides(blocks) {
    const winner = strictest(blocks.flatMap(({ block, rules }) => claims(block, rules)));
    return { winner, logged: blocks.flatMap(({ rules }) => logsOf(rules)), ambiguous: false };
  },
};

function claims(block: Block, rules: readonly Rule[]): Claim[] {
  return rules.flatMap((rule) =>
    strictness.decides(rule.action) ? [{ block, rule, action: rule.action }] : [],
  );
}

function strictest(candidates: readonly Claim[]): Claim | undefined {
  const rank = ({ action }: Claim) => strictness.STRICTNESS[action];
  return candidates.reduce<Claim | undefined>(
    (best, claim) => (best === undefined || rank(claim) < rank(best) ? claim : best),
    undefined,
  );
}

function logsOf(rules: readonly Rule[]): string[] {
  return rules.filter(({ action }) => action === "log").map(({ id }) => id);
}

export function byRule(
  stage: Stage,
  { block, rule }: { readonly block: Block; readonly rule: Rule },
): Determinant {
  const ends = [block.expiresAt, rule.expiresAt].filter((end) => end !== undefined);
  return {
    kind: "rule",
    stage: stage.id,
    policy: block.policy,
    rule: rule.id,
    source: rule.source,
    ...(ends.length > 0 && { expiresAt: Math.min(...ends) }),
  };
}

export function byIsolation(stage: Stage, block: Block): Determinant {
  const { policy, source } = block;
  return { kind: "isolation", stage: stage.id, policy, block: block.id, source };
}
