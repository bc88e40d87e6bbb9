/**
 * Property checks with a seed that is printed when they fail: `FUZZ_SEED=123 npx vitest run packages/engine` replays it,
 * `FUZZ_RUNS=20` multiplies the number of runs.
 */
import fc from "fast-check";

const DEFAULT_SEED = 20_261_120;

export function runs(numRuns: number): { numRuns: number } {
  return { numRuns: Math.ceil(numRuns * Number(process.env["FUZZ_RUNS"] ?? 1)) };
}

export function check<T>(property: fc.IRawProperty<T, false>, options: { numRuns: number }): void {
  const seed = Number(process.env["FUZZ_SEED"] ?? DEFAULT_SEED);
  fc.assert(property, { ...options, seed, includeErrorInReport: true });
}
