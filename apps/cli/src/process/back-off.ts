/** How long to wait before a crashed process is started again: doubling, with a ceiling, and forgiving after a good run. */
export interface BackOff {
  /** Milliseconds to wait, given how long the process had run. */
  next(ranMs: number): number;
}

export function createBackOff(firstMs = 250, ceilingMs = 10_000, goodRunMs = 30_000): BackOff {
  let wait = firstMs;
  return {
    next(ranMs) {
      if (ranMs >= goodRunMs) wait = firstMs;
      const now = wait;
      wait = Math.min(ceilingMs, wait * 2);
      return now;
    },
  };
}
