/**
 * Ranges that may overlap → disjoint stretches, each with everything that covers it. One pass over sorted ends: what two
 * classes, or two time-bound entries, say about addresses is told apart where any of them begins or stops.
 */
import type { IpFamily } from "@bulkhead/model";

export interface Tagged<T> {
  readonly family: IpFamily;
  readonly first: bigint;
  readonly last: bigint;
  readonly tag: T;
}

export interface Stretch<T> {
  readonly family: IpFamily;
  readonly first: bigint;
  readonly last: bigint;
  /** In the order in which they were given; never empty. */
  readonly tags: readonly T[];
}

interface End {
  readonly at: bigint;
  readonly index: number;
  readonly opens: boolean;
}

const sweepFamily = <T>(family: IpFamily, ranges: readonly Tagged<T>[]): Stretch<T>[] => {
  const ends = ranges.flatMap(({ first, last }, index): End[] => [
    { at: first, index, opens: true },
    { at: last + 1n, index, opens: false },
  ]);
  ends.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
  const found: Stretch<T>[] = [];
  const open = new Set<number>();
  let from = 0n;
  for (const { at, index, opens } of ends) {
    if (open.size > 0 && at > from) {
      const tags = [...open].toSorted((a, b) => a - b).map((one) => (ranges[one] as Tagged<T>).tag);
      found.push({ family, first: from, last: at - 1n, tags });
    }
    from = at;
    if (opens) open.add(index);
    else open.delete(index);
  }
  return found;
};

/** IPv4 first, each family ascending. */
export const sweep = <T>(ranges: readonly Tagged<T>[]): Stretch<T>[] =>
  ([4, 6] as const).flatMap((family) =>
    sweepFamily(
      family,
      ranges.filter((range) => range.family === family),
    ),
  );
