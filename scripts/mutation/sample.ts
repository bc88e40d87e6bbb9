/**
 * Which mutants are judged when not all are, and what a share of them tells of the rest. The same seed gives the same
 * sample as long as the sources are the same.
 */

/** `size` of the items at the most, in no order but the seed's: the first of them are a sample, too. */
export function sampleOf<T>(items: readonly T[], size: number, seed: number): readonly T[] {
  const ranked = items.map((item, at) => ({ item, rank: scrambled(at, seed) }));
  return ranked
    .toSorted((a, b) => a.rank - b.rank)
    .slice(0, size)
    .map(({ item }) => item);
}

/** The first of each list, then the second of each, … */
export function inTurn<T>(lists: readonly (readonly T[])[]): readonly T[] {
  const longest = Math.max(0, ...lists.map((list) => list.length));
  return Array.from({ length: longest }, (_, at) =>
    lists.flatMap((list) => list.slice(at, at + 1)),
  ).flat();
}

/** The last steps of MurmurHash3: every bit of both numbers moves every bit of what comes out. */
function scrambled(at: number, seed: number): number {
  let hash = Math.imul(at + 1, 0x9e3779b1) ^ Math.imul(seed + 1, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Wilson's interval of 95 % for a share of which `hits` in `tries` were seen, in percent. */
export function interval(hits: number, tries: number): readonly [low: number, high: number] {
  if (tries === 0) return [0, 100];
  const [z, share] = [1.959_964, hits / tries];
  const scale = 1 + (z * z) / tries;
  const middle = share + (z * z) / (2 * tries);
  const spread = z * Math.sqrt((share * (1 - share)) / tries + (z * z) / (4 * tries * tries));
  const [low, high] = [(middle - spread) / scale, (middle + spread) / scale];
  return [100 * Math.max(0, low), 100 * Math.min(1, high)];
}
