/**
 * Two roles that have so much in common that they were taken for one: part of its members have a habit that the others lack,
 * and those have another one instead. Noise does not look like that: what is missing here and there is not replaced by the
 * same thing everywhere.
 */
import type { Conversations } from "./conversations.ts";
import { couldHave, type Spans } from "./opportunity.ts";
import type { Features } from "./profiles.ts";

/** A side of one is chance. */
const SMALLEST = 2;
/** The others' own habit is that of so many of them. */
const REPLACED = 0.6;
/** A habit with one peer, not the port alone; and nothing that everybody has. */
const TELLING = 0.5;

export interface Division {
  readonly all: readonly (Features | undefined)[];
  readonly weight: Float64Array;
  readonly spans: Spans;
  readonly lives: Pick<Conversations, "first" | "last">;
}

export function divide(
  clusters: readonly (readonly number[])[],
  division: Division,
): readonly (readonly number[])[] {
  return clusters.flatMap((members) => parts(members, division));
}

function parts(members: readonly number[], division: Division): readonly (readonly number[])[] {
  if (members.length < 2 * SMALLEST) return [members];
  const { all, weight, spans, lives } = division;
  const bearers = new Map<number, Set<number>>();
  const ever = new Map<number, Set<number>>();
  for (const member of members) {
    const features = all[member];
    for (const [at, key] of features?.keys.entries() ?? []) {
      const value = features?.values[at] ?? 0;
      ever.set(key, (ever.get(key) ?? new Set()).add(member));
      if (value >= 1) bearers.set(key, (bearers.get(key) ?? new Set()).add(member));
    }
  }
  const habits = [...bearers]
    .filter(([, own]) => own.size >= SMALLEST && members.length - own.size >= SMALLEST)
    .toSorted((a, b) => b[1].size - a[1].size || a[0] - b[0]);
  const telling = habits.filter(([key]) => (weight[key] ?? 0) >= TELLING);
  for (const [key, own] of habits) {
    const rest = members.filter((member) => !own.has(member));
    const replaced =
      (weight[key] ?? 0) >= TELLING &&
      telling.some(
        ([, other]) =>
          other.size >= Math.max(SMALLEST, REPLACED * rest.length) && other.isDisjointFrom(own),
      );
    const span = { begun: spans.begun[key] ?? 0, ended: spans.ended[key] ?? 0 };
    if (!replaced && !couldHave(members, own, ever.get(key) ?? own, span, lives)) continue;
    const bearing = members.filter((member) => own.has(member));
    return [...parts(bearing, division), ...parts(rest, division)];
  }
  return [members];
}
