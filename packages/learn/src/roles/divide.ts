/**
 * Two roles that have so much in common that they were taken for one: part of its members have a habit that the others lack,
 * and those have another one instead. Noise does not look like that: what is missing here and there is not replaced by the
 * same thing everywhere.
 */
import type { Cluster, Features, Scale } from "./profiles.ts";

/** A side of one is chance. */
const SMALLEST = 2;
/** The others' own habit is that of so many of them. */
const REPLACED = 0.6;
/** A habit with one peer, not the port alone; and nothing that everybody has. */
const TELLING = 0.5;

export function divide(
  clusters: readonly Cluster[],
  all: readonly (Features | undefined)[],
  scale: Pick<Scale, "weight">,
): readonly (readonly number[])[] {
  return clusters.flatMap(({ members }) => parts(members, all, scale));
}

function parts(
  members: readonly number[],
  all: readonly (Features | undefined)[],
  scale: Pick<Scale, "weight">,
): readonly (readonly number[])[] {
  if (members.length < 2 * SMALLEST) return [members];
  const bearers = new Map<number, Set<number>>();
  for (const member of members) {
    const features = all[member];
    for (const [at, key] of features?.keys.entries() ?? []) {
      if ((features?.values[at] ?? 0) < 1 || (scale.weight[key] ?? 0) < TELLING) continue;
      const own = bearers.get(key);
      if (own === undefined) bearers.set(key, new Set([member]));
      else own.add(member);
    }
  }
  const habits = [...bearers]
    .filter(([, own]) => own.size >= SMALLEST && members.length - own.size >= SMALLEST)
    .toSorted((a, b) => b[1].size - a[1].size || a[0] - b[0]);
  for (const [, own] of habits) {
    const rest = members.filter((member) => !own.has(member));
    const replaced = habits.some(
      ([, other]) =>
        other.size >= Math.max(SMALLEST, REPLACED * rest.length) && other.isDisjointFrom(own),
    );
    if (!replaced) continue;
    const bearing = members.filter((member) => own.has(member));
    return [...parts(bearing, all, scale), ...parts(rest, all, scale)];
  }
  return [members];
}
