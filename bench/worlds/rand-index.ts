/**
 * How alike two ways of sorting the same things are: the Rand index less what chance would give (Hubert and Arabie, Comparing
 * Partitions, Journal of Classification 2, 1985). 1: the same; about 0: as good as chance.
 */
export function adjustedRandIndex(one: readonly string[], other: readonly string[]): number {
  if (one.length !== other.length) throw new Error("two sortings of different things");
  const pairs = (count: number): number => (count * (count - 1)) / 2;
  const pairsIn = (keys: readonly string[]): number =>
    [...countsOf(keys).values()].reduce((sum, count) => sum + pairs(count), 0);
  const together = pairsIn(one.map((key, at) => `${key}\n${other[at]}`));
  const [own, theirs, all] = [pairsIn(one), pairsIn(other), pairs(one.length)];
  const expected = all === 0 ? 0 : (own * theirs) / all;
  const most = (own + theirs) / 2;
  // Both put everything together, or nothing: they agree.
  return most === expected ? 1 : (together - expected) / (most - expected);
}

function countsOf(keys: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  return counts;
}
