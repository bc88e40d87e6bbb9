/**
 * Overlapping address ranges, each with an owner, cut into disjoint segments that know all their owners: the leaves of
 * the CIDR trie, found by a sweep over the ranges' ends.
 */
import type { IpFamily, IpRange, IpValue } from "@bulkhead/model";
import { compare } from "../order.ts";

/** Addresses that exactly these owners cover; owners ascending, at least one. */
export interface Segment {
  readonly family: IpFamily;
  readonly first: bigint;
  readonly last: bigint;
  readonly owners: readonly number[];
}

export interface OwnedRange {
  readonly range: IpRange;
  readonly owner: number;
}

/** Sorted, disjoint; where nothing owns an address there is no segment. Neighbours may have equal owners. */
export function sweepRanges(owned: readonly OwnedRange[]): Segment[] {
  return [...sweepFamily(owned, 4), ...sweepFamily(owned, 6)];
}

function sweepFamily(owned: readonly OwnedRange[], family: IpFamily): Segment[] {
  const edges: { readonly at: bigint; readonly owner: number; readonly step: 1 | -1 }[] = [];
  for (const { range, owner } of owned) {
    if (range.family !== family) continue;
    edges.push({ at: range.first, owner, step: 1 }, { at: range.last + 1n, owner, step: -1 });
  }
  edges.sort((a, b) => compare(a.at, b.at));

  const segments: Segment[] = [];
  const depth = new Map<number, number>();
  let from = 0n;
  for (let i = 0; i < edges.length;) {
    const { at } = edges[i]!;
    if (depth.size > 0) {
      segments.push({ family, first: from, last: at - 1n, owners: ascending(depth.keys()) });
    }
    for (; i < edges.length && edges[i]!.at === at; i++) {
      const { owner, step } = edges[i]!;
      const now = (depth.get(owner) ?? 0) + step;
      if (now === 0) depth.delete(owner);
      else depth.set(owner, now);
    }
    from = at;
  }
  return segments;
}

function ascending(numbers: Iterable<number>): number[] {
  return [...numbers].toSorted((a, b) => a - b);
}

/** The segment that the address lies in. Segments sorted and disjoint. */
export function segmentAt<T extends IpRange>(
  segments: readonly T[],
  { family, value }: IpValue,
): T | undefined {
  let [low, high] = [0, segments.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const { family: its, last } = segments[middle]!;
    if (its < family || (its === family && last < value)) low = middle + 1;
    else high = middle;
  }
  const found = segments[low];
  return found !== undefined && found.family === family && found.first <= value ? found : undefined;
}

/** What is left of a range when others are taken out of it. */
export function subtractRanges(range: IpRange, except: readonly IpRange[]): IpRange[] {
  let left = [range];
  for (const hole of except) {
    left = left.flatMap((piece) => {
      if (hole.family !== piece.family || hole.last < piece.first || hole.first > piece.last) {
        return [piece];
      }
      const pieces: IpRange[] = [];
      if (hole.first > piece.first) pieces.push({ ...piece, last: hole.first - 1n });
      if (hole.last < piece.last) pieces.push({ ...piece, first: hole.last + 1n });
      return pieces;
    });
  }
  return left;
}
