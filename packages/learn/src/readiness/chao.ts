/**
 * How many edges there are besides those that were seen: Chao's estimate from those seen in one and in two units of time.
 * It is a lower bound by its nature: of what comes once in ten years, no month tells. Formulas of Chao 1987 (Biometrics
 * 43:783) and, for units of time and the cases without singletons or doubletons, as EstimateS 9 states them (Colwell, User's
 * Guide, appendix B, equations 5 to 14).
 */
import type { Interval } from "@bulkhead/model";
import { Z95 } from "./mass.ts";

export interface ChaoInput {
  readonly seen: number;
  readonly once: number;
  readonly twice: number;
  /** Sum of incidences over all edges. */
  readonly total: number;
  readonly units: number;
  /** Edges that come along together: what is counted varies so much more. */
  readonly together?: number;
}

export interface Hidden {
  readonly edges: number;
  readonly interval: Interval;
}

export function hiddenEdges(input: ChaoInput): Hidden {
  const { seen, once, units } = input;
  if (seen === 0 || units === 0) return { edges: 0, interval: { low: 0, high: 0 } };
  if (once === 0) return { edges: 0, interval: withoutSingletons(input) };
  const edges = estimateOf(input);
  // One singleton and no doubleton: the estimate is nothing, and so is its variance; it is as if there were a doubleton.
  if (edges === 0) return { edges, interval: { low: 0, high: hiddenHigh({ ...input, twice: 1 }) } };
  return { edges, interval: logNormal(edges, varianceOf(input, edges)) };
}

function hiddenHigh(input: ChaoInput): number {
  const edges = estimateOf(input);
  return logNormal(edges, varianceOf(input, edges)).high;
}

function estimateOf({ once, twice, units }: ChaoInput): number {
  const share = (units - 1) / units;
  if (twice > 0) return (share * once * once) / (2 * twice);
  return (share * once * Math.max(0, once - 1)) / 2;
}

function varianceOf(input: ChaoInput, edges: number): number {
  return singleVarianceOf(input, edges) * (input.together ?? 1);
}

function singleVarianceOf({ seen, once, twice, units }: ChaoInput, edges: number): number {
  const share = (units - 1) / units;
  if (twice > 0) {
    const ratio = once / twice;
    return (
      twice * ((share / 2) * ratio ** 2 + share ** 2 * ratio ** 3 + (share ** 2 / 4) * ratio ** 4)
    );
  }
  return (
    (share * once * (once - 1)) / 2 +
    (share ** 2 * once * (2 * once - 1) ** 2) / 4 -
    (share ** 2 * once ** 4) / (4 * (seen + edges))
  );
}

/** Of what is above those seen: Chao 1987, equation 8. */
function logNormal(edges: number, variance: number): Interval {
  if (edges === 0) return { low: 0, high: 0 };
  const factor = Math.exp(Z95 * Math.sqrt(Math.log(1 + Math.max(0, variance) / edges ** 2)));
  return { low: edges / factor, high: edges * factor };
}

/** EstimateS 9, equation 14: by the chance that an edge seen as often as the average was missed. */
function withoutSingletons({ seen, total }: ChaoInput): Interval {
  const missed = Math.exp(-total / seen);
  const middle = seen / (1 - missed);
  const high = middle + (Z95 * Math.sqrt(seen * missed)) / (1 - missed);
  const low = middle - (Z95 * Math.sqrt(seen * missed)) / (1 - missed);
  return { low: Math.max(seen, low) - seen, high: high - seen };
}
