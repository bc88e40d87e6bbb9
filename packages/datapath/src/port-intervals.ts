/** Intervals of ports as a row has them, from what stands out and what holds everywhere else: how a row is read back. */
import { MAX_PORT } from "@bulkhead/model";
import type { RowDecision, RowInterval } from "@bulkhead/model";

export const sameDecision = (a: RowDecision, b: RowDecision): boolean =>
  a.verdict === b.verdict && a.cookie === b.cookie;

/** What most ports say; the first of those that say it for equally many. */
export const mostCommon = (intervals: readonly RowInterval[]): RowDecision => {
  const widths = new Map<string, { width: number; decision: RowDecision }>();
  for (const { first, last, decision } of intervals) {
    const key = `${decision.verdict} ${decision.cookie}`;
    const known = widths.get(key) ?? { width: 0, decision };
    widths.set(key, { width: known.width + last - first + 1, decision });
  }
  let best: { readonly width: number; readonly decision: RowDecision } | null = null;
  for (const candidate of widths.values())
    if (best === null || candidate.width > best.width) best = candidate;
  if (best === null) throw new Error("a listed protocol has no intervals");
  return best.decision;
};

/** Lays the exceptions over the base and merges neighbours that say the same. */
export const intervalsOf = (
  base: RowDecision,
  exceptions: readonly RowInterval[],
): RowInterval[] => {
  const merged: RowInterval[] = [];
  const push = (first: number, last: number, decision: RowDecision): void => {
    if (first > last) return;
    const previous = merged.at(-1);
    if (previous !== undefined && sameDecision(previous.decision, decision))
      merged[merged.length - 1] = { first: previous.first, last, decision };
    else merged.push({ first, last, decision });
  };
  let next = 0;
  for (const { first, last, decision } of exceptions.toSorted((a, b) => a.first - b.first)) {
    push(next, first - 1, base);
    push(Math.max(first, next), last, decision);
    next = Math.max(next, last + 1);
  }
  push(next, MAX_PORT, base);
  return merged;
};
