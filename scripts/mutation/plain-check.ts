/**
 * fast-check with a fraction of the runs that a test asks for, always from the same seed, and without looking for the
 * smallest counterexample: that a mutant is noticed is all that is asked. What goes through `fc.check` sees to it itself
 * by `FUZZ_RUNS`.
 */
import fc from "fast-check";

const RUNS = Number(process.env["FUZZ_RUNS"] ?? 1);
const SEED = 20_261_120;
const USUAL_RUNS = 100;

const assert = <T>(property: fc.IProperty<T>, parameters: fc.Parameters<T> = {}): void =>
  fc.assert(property, {
    seed: SEED,
    ...parameters,
    numRuns: Math.ceil((parameters.numRuns ?? USUAL_RUNS) * RUNS),
    endOnFailure: true,
  });

export * from "fast-check";
export default { ...fc, assert };
