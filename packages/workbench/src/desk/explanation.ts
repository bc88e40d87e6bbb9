/** Explanations in the shape in which they are told, by a controller and at a desk alike. */
import { printResources } from "@bulkhead/dialects";
import {
  nearestRule,
  type DirectionTrace,
  type Explanation,
  type SmallestChange,
} from "@bulkhead/engine";
import type {
  Decision,
  DecisionVerdict,
  Determinant,
  Direction,
  SourceSpan,
} from "@bulkhead/model";

/** One block or rule that bore on the flow, in the order of evaluation. */
export interface TraceStep {
  readonly direction: Direction;
  readonly stage: string;
  readonly block: string;
  readonly rule?: string;
  /** What came of it, or the first clause that failed: `matched: allow`, `peer: namespace is web, not shop`. */
  readonly outcome: string;
  readonly matched: boolean;
  readonly source?: SourceSpan;
}

/** Of several pairs of addresses. */
export function verdictOf(decisions: readonly Decision[]): DecisionVerdict | "mixed" {
  const verdicts = new Set(decisions.map(({ verdict }) => verdict));
  const [first] = verdicts;
  return verdicts.size === 1 && first !== undefined ? first : "mixed";
}

/** The trace as a flat list: stages that were passed over are left out, blocks without rules stand for themselves. */
export function traceSteps({ direction, stages, exemption }: DirectionTrace): TraceStep[] {
  if (exemption !== undefined) {
    return [{ direction, stage: "exemption", block: "", outcome: exemption, matched: true }];
  }
  return stages.flatMap(({ stage, blocks }) =>
    blocks.flatMap(({ block, source, rules, isolates, inert }): TraceStep[] => [
      {
        direction,
        stage,
        block,
        source,
        matched: inert === null,
        outcome: inert ?? (isolates ? "selects, and isolates" : "selects"),
      },
      ...rules.map((rule) => ({
        direction,
        stage,
        block,
        rule: rule.rule,
        source: rule.source,
        matched: rule.matched,
        outcome: rule.matched ? `${rule.outcome}: ${rule.action}` : rule.outcome,
      })),
    ]),
  );
}

/** What is allowed only because the policies that would deny it are not enforced. */
export function auditOf(shadows: readonly Decision[]): {
  readonly audit?: {
    readonly verdict: "drop" | "reject" | "mixed";
    readonly determinedBy: Determinant;
  };
} {
  const denied = shadows.find(({ verdict }) => verdict !== "allow");
  if (denied === undefined) return {};
  const { egress, ingress } = denied;
  const { determinedBy } = egress.verdict === "allow" ? ingress : egress;
  const kind = denied.verdict === "reject" ? "reject" : "drop";
  const same = shadows.every(({ verdict }) => verdict === denied.verdict);
  return { audit: { verdict: same ? kind : "mixed", determinedBy } };
}

/** A rule that would have allowed it, and the first of its clauses that did not hold. */
export interface NearestRule {
  readonly rule: string;
  readonly outcome: string;
  readonly source: SourceSpan;
}

/** In the direction that denies; none where nothing allows anything there. */
export function nearestOf({ decision, egress, ingress }: Explanation): {
  readonly nearest?: NearestRule;
} {
  if (decision.verdict === "allow") return {};
  const found = nearestRule(decision.egress.verdict === "allow" ? ingress : egress);
  if (found === null) return {};
  const { rule, outcome, source } = found;
  return { nearest: { rule, outcome, source } };
}

export interface ToldChange {
  readonly name: string;
  readonly text: string;
  /** Fields that hold a stand-in, for a person to fill in. */
  readonly fillIn: string[];
  /** `SOURCE → DESTINATION PORTS` that are permitted now and would not be: it isolates somebody whom nothing isolated. */
  readonly cuts?: readonly string[];
}

export function changeOf(change: SmallestChange | null): {
  readonly smallestChange?: ToldChange;
  readonly inTheWay?: string;
} {
  if (change === null) return {};
  if (change.kind === "blocked") return { inTheWay: change.reason };
  const { manifest, fillIn } = change;
  const text = printResources([manifest]);
  return { smallestChange: { name: `${manifest.metadata.name}.yaml`, text, fillIn: [...fillIn] } };
}
