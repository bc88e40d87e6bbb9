/**
 * Which sources behave as if they were looking for something: many distinct (destination, protocol, port) targets, most
 * of which never answer. A scanner's edges are not evidence of need; a source under suspicion must show habits.
 */
import type { Edge, FlaggedSource } from "@bulkhead/model";
import { groupBy } from "./order.ts";
import { isPending, wasAnswered } from "./payload.ts";

export interface BehaviourOptions {
  /** A scanner has at least so many targets that did not answer … */
  readonly scanTargets: number;
  readonly suspiciousTargets: number;
  /** … and they are at least this share of all its targets. */
  readonly unansweredShare: number;
  /** What a scanner did regularly for so long before its first miss stays evidence (milliseconds). */
  readonly habitBeforeMs: number;
  readonly habitWindows: number;
}

export const DEFAULT_BEHAVIOUR: BehaviourOptions = {
  scanTargets: 8,
  suspiciousTargets: 3,
  unansweredShare: 0.5,
  habitBeforeMs: 600_000,
  habitWindows: 10,
};

/** What policy stopped might have been answered: so many of them weigh as one miss. */
const DENIED_PER_MISS = 3;

function wasDenied(edge: Edge): boolean {
  return edge.verdict === "dropped" || edge.verdict === "rejected";
}

/** A source is its workload where there is one (both families alike), else its address. */
export function sourceKey(edge: Edge): string {
  return edge.source.workload ?? edge.source.address;
}

function targetKey(edge: Edge): string {
  return `${edge.destination.workload ?? edge.destination.address} ${edge.protocol} ${edge.port}`;
}

export function judgeSources(
  edges: readonly Edge[],
  options: BehaviourOptions,
): ReadonlyMap<string, FlaggedSource> {
  const flagged = new Map<string, FlaggedSource>();
  for (const [key, own] of groupBy(edges, sourceKey)) {
    // Nearly everybody, and quickly told.
    if (own.every(wasAnswered)) continue;
    const targets = [...groupBy(own, targetKey).values()];
    const misses = targets.filter((target) => !target.some(wasAnswered));
    const denied = misses.filter((target) => target.every(wasDenied)).length;
    const pending = misses.filter((target) => target.every(isPending)).length;
    const weight = misses.length - denied + denied / DENIED_PER_MISS;
    // Whoever opens many at once scans, whatever will become of them. A few may be answered yet: they are held against nobody.
    const scanner =
      weight >= options.scanTargets && misses.length / targets.length >= options.unansweredShare;
    const known = targets.length - pending;
    const suspicious =
      weight - pending >= options.suspiciousTargets &&
      (misses.length - pending) / known >= options.unansweredShare;
    const first = own[0];
    if (first === undefined || !(scanner || suspicious)) continue;
    flagged.set(key, {
      name: first.source.name,
      address: first.source.address,
      level: scanner ? "scanner" : "suspicious",
      targets: targets.length,
      unanswered: misses.length,
      since: Math.min(...misses.flat().map((edge) => edge.firstSeen)),
    });
  }
  return flagged;
}

/** Was this edge a habit of its source long before it began to miss? */
export function wasHabitBefore(
  edge: Edge,
  source: FlaggedSource,
  options: BehaviourOptions,
): boolean {
  const { habitBeforeMs, habitWindows } = options;
  // A connection that is held open is told once, however much goes over it (pools of databases, resolvers).
  const held = edge.windows === 1 && edge.lastSeen - edge.firstSeen >= habitBeforeMs;
  return edge.firstSeen <= source.since - habitBeforeMs && (held || edge.windows >= habitWindows);
}
