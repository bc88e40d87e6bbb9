/**
 * Property checks. `FUZZ_SEED=123 npx vitest run packages/engine` replays a seed that a failure printed; `FUZZ_RUNS=20`
 * multiplies the number of runs.
 */
import fc from "fast-check";

const DEFAULT_SEED = 20_261_120;
const SEED = Number(process.env["FUZZ_SEED"] ?? DEFAULT_SEED);
const RUNS = Number(process.env["FUZZ_RUNS"] ?? 1);

/** Empty when the property holds; else the report with seed, path and the shrunk counterexample. */
export function failureOf<T>(property: fc.IRawProperty<T, false>, numRuns: number): string {
  const details = fc.check(property, {
    seed: SEED,
    numRuns: Math.ceil(numRuns * RUNS),
    includeErrorInReport: true,
  });
  return details.failed ? (fc.defaultReportMessage(details) ?? "failed") : "";
}

/** How often a case must have come up: less with another seed, and no matter how often with fewer runs than usual. */
export function enough(times: number): number {
  if (RUNS < 1) return -1;
  return SEED === DEFAULT_SEED ? times : Math.floor(times * 0.4);
}

/** Said inside a property: what was claimed of which case. */
export function claim(holds: boolean, what: string, about?: unknown): asserts holds {
  if (!holds) throw new Error(`${what}: ${JSON.stringify(about)}`);
}
