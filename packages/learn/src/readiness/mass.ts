/**
 * How likely is it that the next thing to come along is of a kind never seen? Good and Turing: as likely as one seen by now
 * is of a kind that was seen once. The interval is Esty's, solved for the share (as Wilson's is for a proportion), so that it
 * stays true where nothing was seen once: of n trials without one, it says about 4/n at most, a little above the rule of three.
 */
import type { Interval } from "@bulkhead/model";

/** Of the normal distribution: 95 % between −z and z. */
export const Z95 = 1.959_963_984_540_054;

/**
 * Share that was not seen, of `total` incidences in `units` units, `once` of them of edges seen in one unit alone and
 * `2 × twice` of edges seen in two: one less the coverage of Chao & Jost 2012 (Ecology 93:2533, for incidences their
 * appendix; after Good 1953, Biometrika 40:237). 1 where nothing could have come twice.
 */
export function coverageDeficit(once: number, twice: number, total: number, units: number): number {
  if (total === 0 || units < 2) return 1;
  if (once === 0) return 0;
  return (once / total) * missedAgain(once, twice, units);
}

/**
 * Of what is not seen by now, the share that will not be seen after one unit more either. Without doubletons their
 * bias-corrected form, Q1 − 1 in the place of Q1 and 2 in that of 2 Q2, and of a single one Good's own for a whole unit.
 */
export function missedAgain(once: number, twice: number, units: number): number {
  if (twice > 0) {
    const again = (units - 1) * once;
    return again / (again + 2 * twice);
  }
  if (once <= 1) return 1;
  const again = (units - 1) * (once - 1);
  return again / (again + 2);
}

export interface Counted {
  /** Sum over what was seen once. */
  readonly once: number;
  /** Sum of squares over what was seen twice, of one of its two sights. */
  readonly twiceSquared: number;
  /** Sum over all that was seen. */
  readonly total: number;
  /** How much comes at once: 1 where each thing comes by itself and weighs 1. */
  readonly scale: number;
}

/**
 * All shares m for which |once − m·total| is within z standard deviations: variance `scale·m·total·(1 − m) + 2·twice` (Esty
 * 1983, Annals of Statistics 11:905, whose estimate has once/total in the place of m).
 */
export function unseenInterval({ once, twiceSquared, total, scale }: Counted, z = Z95): Interval {
  if (total <= 0) return { low: 0, high: 1 };
  const square = z * z;
  // (once − x)² ≤ z² (scale·x·(1 − x/total) + 2·twice), for x = m·total.
  const a = 1 + (square * scale) / total;
  const b = 2 * once + square * scale;
  const c = once * once - 2 * square * twiceSquared;
  const root = Math.sqrt(Math.max(0, b * b - 4 * a * c));
  const share = (x: number): number => Math.min(1, Math.max(0, x / total));
  return { low: share((b - root) / (2 * a)), high: share((b + root) / (2 * a)) };
}
