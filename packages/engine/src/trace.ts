/**
 * The fold of `decide` with everything kept: for one direction, every stage that was asked, every block that selects the
 * subject, every rule, and for each rule that did not match the first clause that failed.
 */
import type {
  Direction,
  Exemption,
  FlowQuery,
  Plane,
  PolicyRef,
  PolicySet,
  Rule,
  RuleAction,
  SourceSpan,
  StageId,
  WorkloadId,
} from "@bulkhead/model";
import { clauseText } from "./clause-text.ts";
import { afterPass, judge, planesOf } from "./decide.ts";
import type { InventoryIndex } from "./inventory-index.ts";
import { isActive, judgeStage, type DecideOptions } from "./judge-stage.ts";
import { failedClause, selects, type DirectedFlow } from "./matching.ts";
import { ruleInForce } from "./requests.ts";
import { compareBlocks } from "./strictness.ts";

export interface RuleTrace {
  readonly rule: string;
  readonly action: RuleAction;
  readonly source: SourceSpan;
  readonly matched: boolean;
  /** `matched`, or why not: `peer: namespace is web, not shop`, `expired`, `staged`. */
  readonly outcome: string;
  /** What of it did not hold, the others before it did; absent: it matched, or is inert. */
  readonly failed?: TracedClause;
}

/** In the order in which they are asked. */
export const TRACED_CLAUSES = ["peer", "port", "request"] as const;
export type TracedClause = (typeof TRACED_CLAUSES)[number];

/** `canary`: in force, but not for this flow, which takes no part in the rollout. */
export type Inert = "staged" | "expired" | "canary";

export interface BlockTrace {
  readonly block: string;
  readonly policy: PolicyRef;
  readonly source: SourceSpan;
  readonly isolates: boolean;
  /** An inert block is shown because people ask why it did nothing. */
  readonly inert: Inert | null;
  readonly rules: readonly RuleTrace[];
}

export interface StageTrace {
  readonly stage: StageId;
  readonly plane: Plane;
  /** `next`: nothing here concerned the flow. `not-reached`: decided before, or jumped over by a pass. */
  readonly outcome: "decided" | "pass" | "next" | "not-reached";
  readonly blocks: readonly BlockTrace[];
}

export interface DirectionTrace {
  readonly direction: Direction;
  /** Absent when the flow is exempt in this direction. */
  readonly subject?: WorkloadId;
  /** Whom the other end was taken for; absent when that is no workload. */
  readonly peer?: WorkloadId;
  readonly exemption?: Exemption;
  readonly stages: readonly StageTrace[];
}

export function traceDirection(
  set: PolicySet,
  index: InventoryIndex,
  query: FlowQuery,
  direction: Direction,
  options: DecideOptions,
): DirectionTrace {
  const { flow } = judge(set, index, query, direction, options);
  if (typeof flow === "string") return { direction, exemption: flow, stages: [] };
  const stages = planesOf(set).flatMap((plane) => tracePlane(set, plane, index, flow, options));
  const peer = flow.peer.workload?.id;
  return { direction, subject: flow.subject.id, ...(peer === undefined ? {} : { peer }), stages };
}

function tracePlane(
  set: PolicySet,
  plane: Plane,
  index: InventoryIndex,
  flow: DirectedFlow,
  options: DecideOptions,
): StageTrace[] {
  const stages = set.stages.filter((stage) => stage.plane === plane);
  let turn = 0;
  return stages.map((stage, at): StageTrace => {
    if (at < turn) return { stage: stage.id, plane, outcome: "not-reached", blocks: [] };
    const { kind } = judgeStage(stage, index, flow, options);
    turn = kind === "decided" ? stages.length : kind === "pass" ? afterPass(stages, at) : at + 1;
    const blocks = stage.blocks
      .filter(({ direction }) => direction === flow.direction)
      .filter(({ subject }) => selects(subject, flow.subject, index))
      .toSorted(compareBlocks)
      .map(({ id, policy, source, isolates, rules, ...block }): BlockTrace => {
        const inert = inertBecause(block, options);
        return {
          block: id,
          policy,
          source,
          isolates,
          inert,
          rules: rules.map((rule): RuleTrace => {
            const asleep = inert ?? inertBecause(rule, options);
            const failure = asleep === null ? failureOf(rule, flow, index) : null;
            const { id, action, source: place } = rule;
            return {
              rule: id,
              action,
              source: place,
              matched: asleep === null && failure === null,
              outcome: asleep ?? failure?.text ?? "matched",
              ...(failure === null ? {} : { failed: failure.clause }),
            };
          }),
        };
      });
    return { stage: stage.id, plane, outcome: kind, blocks };
  });
}

/** The first clause that does not hold; null: the rule matches, or would with the right request. */
function failureOf(
  rule: Rule,
  flow: DirectedFlow,
  index: InventoryIndex,
): { readonly clause: TracedClause; readonly text: string } | null {
  const failed = failedClause(rule, flow, index);
  if (failed !== null) {
    const text = clauseText(failed, rule, flow, index);
    return { clause: failed === "peer" ? "peer" : "port", text };
  }
  if (flow.request === undefined || rule.l7 === undefined) return null;
  if (ruleInForce(rule, flow.request, "best") === rule) return null;
  const text =
    flow.request.kind === "opaque"
      ? "request: the connection carries none that can be looked into"
      : "request: it is not one that the rule names";
  return { clause: "request", text };
}

/** The allowing rule that came nearest to matching: it failed at the latest clause, the first of several. */
export function nearestRule({ stages }: DirectionTrace): RuleTrace | null {
  const rank = ({ failed }: RuleTrace) =>
    failed === undefined ? -1 : TRACED_CLAUSES.indexOf(failed);
  const rules = stages.flatMap(({ blocks }) => blocks.flatMap((block) => block.rules));
  return rules
    .filter(({ action, failed }) => action === "allow" && failed !== undefined)
    .reduce<RuleTrace | null>(
      (best, rule) => (best === null || rank(rule) > rank(best) ? rule : best),
      null,
    );
}

function inertBecause(thing: Parameters<typeof isActive>[0], options: DecideOptions): Inert | null {
  if (isActive(thing, options)) return null;
  const { enforce, canary } = thing;
  if (isActive({ enforce, canary }, options)) return "expired";
  return isActive({ enforce }, options) ? "canary" : "staged";
}
