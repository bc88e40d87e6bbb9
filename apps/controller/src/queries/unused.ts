/**
 * When each rule that allows something was last needed, as far back as flows are on record, and which were not since some
 * moment. Recorded edges are decided again under the policy in force, audit included: what decides is what is needed. A
 * policy younger than that moment has had no time to be needed, and is not called unused.
 */
import { setImmediate as breathe } from "node:timers/promises";
import type { PoliciesAnswer } from "@bulkhead/api";
import { decide, queryOf, type InventoryIndex } from "@bulkhead/engine";
import { formatSpan, isOwnRecord, type Edge, type PolicySet } from "@bulkhead/model";
import type { Revision } from "@bulkhead/store";

export interface UsageInput {
  readonly set: PolicySet;
  readonly index: InventoryIndex;
  /** Recorded since `since`, own probes left out. */
  readonly edges: readonly Edge[];
  /** Newest first. */
  readonly revisions: readonly Revision[];
  readonly since: number;
  /** When our own collectors saw their first flow on record; undefined without any. */
  readonly oldest: number | undefined;
  readonly now: number;
}

/** What others recorded before our collectors looked is no sign that anybody watched the rules. */
export function firstSeenByUs(edges: readonly Edge[]): number | undefined {
  const own = edges.filter(isOwnRecord);
  return own.length === 0
    ? undefined
    : own.reduce((first, { firstSeen }) => Math.min(first, firstSeen), Infinity);
}

export type Usage = NonNullable<PoliciesAnswer["usage"]>;

/** Edges decided in one go, before others have their turn. */
const AT_ONCE = 500;

export async function usageOf(input: UsageInput): Promise<Usage> {
  const { set, since, oldest, now } = input;
  const lastUsed = await lastUsedBy(input);
  const born = bornAt(input.revisions);
  // Of the time before anything was recorded nobody knows.
  const from = Math.max(since, oldest ?? now);
  const rules = set.stages.flatMap(({ blocks }) =>
    blocks.flatMap((block) =>
      block.rules.flatMap((rule) => {
        const resource = rule.id.split("#")[0] ?? rule.id;
        const inForceSince = born.get(resource);
        if (rule.action !== "allow" || inForceSince === undefined) return [];
        const last = lastUsed.get(rule.id);
        return [
          {
            rule: rule.id,
            place: formatSpan(rule.source),
            inForceSince,
            ...(last === undefined ? {} : { lastUsed: last }),
            unused: last === undefined && inForceSince <= from && from <= since,
          },
        ];
      }),
    ),
  );
  const unique = [...new Map(rules.map((one) => [one.rule, one])).values()];
  return { since, from, rules: unique.toSorted((a, b) => (a.rule < b.rule ? -1 : 1)) };
}

async function lastUsedBy({
  set,
  index,
  edges,
  now,
}: UsageInput): Promise<ReadonlyMap<string, number>> {
  const lastUsed = new Map<string, number>();
  let decided = 0;
  for (const edge of edges) {
    if (edge.verdict !== "forwarded" && edge.verdict !== "audit") continue;
    if (++decided % AT_ONCE === 0) await breathe();
    const { egress, ingress } = decide(set, index, queryOf(edge, index), { now, view: "shadow" });
    for (const { determinedBy: by } of [egress, ingress]) {
      if (by.kind === "rule")
        lastUsed.set(by.rule, Math.max(edge.lastSeen, lastUsed.get(by.rule) ?? 0));
    }
  }
  return lastUsed;
}

/** When each resource came into force in its present form. */
export function bornAt(revisions: readonly Revision[]): ReadonlyMap<string, number> {
  const born = new Map<string, number>();
  for (const { time, changes } of revisions) {
    for (const key of [...changes.added, ...changes.changed]) {
      if (!born.has(key)) born.set(key, time);
    }
  }
  return born;
}
