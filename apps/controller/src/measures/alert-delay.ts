/**
 * How long after a denied packet somebody could know of it, as counts by the hour: one for each bound that a delay stays
 * below, and the sum of all. Kept so, a histogram survives restarts and can be had over any span of hours.
 */
import type { Tally } from "@bulkhead/store";

/** Seconds; the last ones lie around the target of fifteen minutes. */
export const DELAY_BOUNDS = [1, 2, 3, 5, 10, 30, 60, 300, 900, 3600] as const;

const PREFIX = "alert_delay_";
const SUM = `${PREFIX}sum_ms`;
const BEYOND = `${PREFIX}beyond`;
const nameOf = (bound: number): string => `${PREFIX}below_${bound}`;

/** What one delay adds to the counts of its hour. */
export function countsOf(delayMs: number, times: number): Readonly<Record<string, number>> {
  const bound = DELAY_BOUNDS.find((one) => delayMs < one * 1000);
  return {
    [bound === undefined ? BEYOND : nameOf(bound)]: times,
    [SUM]: Math.round(delayMs) * times,
  };
}

export interface Delays {
  readonly count: number;
  readonly meanSeconds: number;
  /** The bound that at least 95 of 100 stay below; absent when there is none. */
  readonly p95Seconds?: number;
  /** Cumulative, as a Prometheus histogram has them: `[bound, how many are below]`. */
  readonly below: readonly (readonly [number, number])[];
  readonly sumSeconds: number;
}

export function delaysOf(tallies: readonly Tally[]): Delays {
  const sums = new Map<string, number>();
  for (const { name, count } of tallies) sums.set(name, (sums.get(name) ?? 0) + count);
  let running = 0;
  const below = DELAY_BOUNDS.map((bound) => {
    running += sums.get(nameOf(bound)) ?? 0;
    return [bound, running] as const;
  });
  const count = running + (sums.get(BEYOND) ?? 0);
  const sumSeconds = (sums.get(SUM) ?? 0) / 1000;
  const p95 = below.find(([, so]) => so >= 0.95 * count)?.[0];
  return {
    count,
    meanSeconds: count === 0 ? 0 : sumSeconds / count,
    ...(p95 === undefined || count === 0 ? {} : { p95Seconds: p95 }),
    below,
    sumSeconds,
  };
}
