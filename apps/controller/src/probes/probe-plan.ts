/**
 * Which connections prove a policy: for every rule that allows, one that must pass; for every rule that denies and for
 * every boundary between groups of workloads, one that must not. What cannot be tried stands in the plan as skipped.
 */
import { explain } from "@bulkhead/engine";
import type { ProbeView } from "@bulkhead/api";
import type { Block, DirectionDecision, Rule, SourceSpan } from "@bulkhead/model";
import { unprobed } from "./unprobed.ts";
import { candidatesOf, type Candidate, type CandidateInput, type ProbeEnd } from "./candidates.ts";

export interface PlannedProbe {
  readonly view: ProbeView;
  readonly from: ProbeEnd;
  readonly to: ProbeEnd;
}

export interface SkippedProbe {
  readonly view: ProbeView;
  readonly skipped: string;
}

export type ProbePlan = readonly (PlannedProbe | SkippedProbe)[];

export interface PlanOptions extends CandidateInput {
  /** Only probes in which one of these takes part. */
  readonly workloads?: readonly string[];
  readonly maxBoundaries?: number;
}

export function planProbes(options: PlanOptions): ProbePlan {
  const all = candidatesOf(options);
  const concerned = (candidate: Candidate): boolean =>
    options.workloads === undefined ||
    options.workloads.includes(candidate.from.name) ||
    options.workloads.includes(candidate.to.name);
  // Where a rollout holds already, it shows more.
  const candidates = all.filter(concerned).toSorted((a, b) => Number(a.spared) - Number(b.spared));
  const rules = ruleProbes(options, candidates);
  const boundaries = boundaryProbes(candidates);
  const limit = options.maxBoundaries ?? boundaries.length;
  return [
    ...rules,
    ...boundaries.slice(0, limit),
    ...boundaries.slice(limit).map(({ view }) => ({
      view,
      skipped: `left out: at most ${limit} boundaries were asked for`,
    })),
  ];
}

export interface ActiveRule {
  readonly block: Block;
  readonly rule: Rule;
}

function activeRules({ set, now }: PlanOptions): readonly ActiveRule[] {
  const lives = ({ enforce, expiresAt }: Pick<Rule, "enforce" | "expiresAt">): boolean =>
    enforce === "on" && (expiresAt === undefined || expiresAt > now);
  return set.stages
    .flatMap(({ blocks }) => blocks)
    .filter(lives)
    .flatMap((block) => block.rules.filter(lives).map((rule) => ({ block, rule })))
    .filter(({ rule }) => ["allow", "deny", "reject"].includes(rule.action));
}

function ruleProbes(options: PlanOptions, candidates: readonly Candidate[]): ProbePlan {
  // What somebody serves makes the better witness.
  const served = candidates.toSorted(
    (a, b) =>
      Number(a.spared) - Number(b.spared) ||
      Number(isStopped(a)) - Number(isStopped(b)) ||
      Number(b.served) - Number(a.served),
  );
  const byRule = new Map<string, Candidate[]>();
  for (const candidate of served) {
    for (const side of [candidate.decision.egress, candidate.decision.ingress]) {
      if (side.determinedBy.kind !== "rule") continue;
      const { rule } = side.determinedBy;
      const found = byRule.get(rule);
      if (found === undefined) byRule.set(rule, [candidate]);
      else found.push(candidate);
    }
  }
  const planned = new Map<string, PlannedProbe>();
  const skipped: SkippedProbe[] = [];
  for (const active of activeRules(options)) {
    const { rule } = active;
    const allows = rule.action === "allow";
    const fits = (candidate: Candidate): boolean =>
      (candidate.decision.verdict === "allow") === allows;
    const own = (byRule.get(rule.id) ?? []).filter(fits);
    const matching =
      own.length > 0
        ? own
        : served.filter((one) => fits(one) && matches(options, one, active)).slice(0, 1);
    if (matching.length === 0) {
      if (options.workloads === undefined) skipped.push(unprobed(active, options.world));
      continue;
    }
    const found = ([4, 6] as const).flatMap(
      (family) => matching.find(({ from }) => from.family === family) ?? [],
    );
    // Should it be that nothing can be tried in the name of who does not run, that is said once.
    for (const candidate of found.some(isStopped) ? found.slice(0, 1) : found) {
      const probe = {
        view: viewOf(candidate, "rule", rule.id, rule.source),
        from: candidate.from,
        to: candidate.to,
      };
      const key = keyOf(candidate);
      if (!planned.has(key)) planned.set(key, probe);
    }
  }
  return [...planned.values(), ...skipped];
}

const isStopped = ({ from, to }: Candidate): boolean =>
  from.stopped === true || to.stopped === true;

/** A rule that is never the determining one may still match, beside another that says the same. */
function matches(
  { set, world, now }: PlanOptions,
  candidate: Candidate,
  { block, rule }: ActiveRule,
): boolean {
  const whole = { ...set, canary: undefined };
  const explanation = explain(whole, world.index, candidate.query, { now, view: "live" });
  return explanation[block.direction].stages.some(({ blocks }) =>
    blocks.some(({ rules }) => rules.some((one) => one.rule === rule.id && one.matched)),
  );
}

/** One for each pair of groups, port and family that is denied, where somebody would answer. */
function boundaryProbes(candidates: readonly Candidate[]): readonly PlannedProbe[] {
  const served = new Set(
    candidates.filter((one) => one.served && !isEcho(one)).map((one) => one.to.name),
  );
  const chosen = new Map<string, PlannedProbe>();
  for (const candidate of candidates) {
    if (candidate.decision.verdict === "allow" || isStopped(candidate)) continue;
    // Where nothing listens at all, an echo request is the only thing that could be answered.
    if (!candidate.served || (isEcho(candidate) && served.has(candidate.to.name))) continue;
    const key = [
      candidate.from.group,
      candidate.to.group,
      candidate.from.family,
      candidate.protocol,
      candidate.port,
    ].join("\n");
    if (chosen.has(key)) continue;
    const { id, place } = denier(candidate);
    chosen.set(key, {
      view: viewOf(candidate, "boundary", id, place),
      from: candidate.from,
      to: candidate.to,
    });
  }
  return [...chosen.values()];
}

function isEcho({ protocol }: Candidate): boolean {
  return protocol === 1 || protocol === 58;
}

function denier({ decision }: Candidate): { readonly id?: string; readonly place?: SourceSpan } {
  const side: DirectionDecision =
    decision.egress.verdict === "allow" ? decision.ingress : decision.egress;
  const by = side.determinedBy;
  if (by.kind === "rule") return { id: by.rule, place: by.source };
  return by.kind === "isolation" ? { id: by.block, place: by.source } : {};
}

function viewOf(
  candidate: Candidate,
  purpose: ProbeView["purpose"],
  rule?: string,
  place?: SourceSpan,
): ProbeView {
  const { from, to, protocol, port, expected, spared } = candidate;
  return {
    purpose,
    from: from.name,
    to: to.name,
    source: from.address,
    destination: to.address,
    protocol,
    port,
    expected,
    ...(spared ? { spared } : {}),
    ...(rule === undefined ? {} : { rule }),
    ...(place === undefined ? {} : { place }),
  };
}

function keyOf({ from, to, protocol, port }: Candidate): string {
  return `${from.name} ${from.address} ${to.name} ${to.address} ${protocol} ${port}`;
}
