/** What was aimed for, and what came of it: on the families for tuning, and on the one that is held out. */
import type { Covered } from "./coverage.ts";
import { deniedShare, LEARNINGS, mean, methodsOf } from "./tables.ts";
import type { TrialResult } from "./trial.ts";

export const AIM_HEAD = ["Aim", "Families for tuning", "Held out"] as const;

/** Worst first is what counts where an aim is for each history. */
export function aimRows(
  tuned: readonly TrialResult[],
  heldOut: readonly TrialResult[],
  covered: readonly Covered[],
): readonly (readonly string[])[] {
  const each = (of: (results: readonly TrialResult[]) => string): readonly string[] =>
    [tuned, heldOut].map((results) => (results.length === 0 ? "–" : of(results)));
  const least = (of: (one: Covered) => number): number => Math.min(...covered.map(of));
  const intervals =
    covered.length === 0
      ? "–"
      : `${verdict(least(({ flows }) => flows) >= 0.95 && least(({ mass }) => mass) >= 0.95)}: at least ${(100 * least(({ flows }) => flows)).toFixed(1)} % (connections), ${(100 * least(({ mass }) => mass)).toFixed(1)} % (mass) of 1,000, whatever the law`;
  return [
    ["after `ready`, ≤ 0.05 % of flows falsely denied", ...each(deniedText)],
    [
      "the same without changed addresses of outside names",
      ...each((results) => deniedText(results, ["unseen", "refused"])),
    ],
    ["intervals of 95 % hold the truth in ≥ 95 % of histories", intervals, "–"],
    [
      "ARI ≥ 0.90 (groups as rules have them)",
      ...each((results) =>
        indexText(mean(methodsOf(results, "Bulkhead").map(({ index }) => index)), 0.9),
      ),
    ],
    ["ARI ≥ 2 × Jaccard's (both from traffic alone)", ...each((results) => timesText(results))],
    ["0 of the intruder's edges admitted", ...each(admittedText)],
  ];
}

const verdict = (met: boolean): string => (met ? "met" : "missed");

function deniedText(results: readonly TrialResult[], causes = LEARNINGS): string {
  const shares = methodsOf(results, "Bulkhead").flatMap(({ afterReady }) =>
    afterReady.flows === 0 ? [] : deniedShare(afterReady, causes),
  );
  const share = mean(shares);
  return `${verdict(share <= 0.0005)}: ${(100 * share).toFixed(4)} % on average, ${(100 * Math.max(...shares)).toFixed(4)} % at worst`;
}

const indexText = (index: number, aim: number): string =>
  `${verdict(index >= aim)}: ${index.toFixed(3)}`;

function timesText(results: readonly TrialResult[]): string {
  const [ours, theirs] = [
    mean(results.map(({ roles }) => roles.ours)),
    mean(results.map(({ roles }) => roles.jaccard)),
  ];
  return `${verdict(ours >= 2 * theirs)}: ${ours.toFixed(2)} against ${theirs.toFixed(2)}, ${(ours / theirs).toFixed(1)} times`;
}

function admittedText(results: readonly TrialResult[]): string {
  const all = methodsOf(results, "Bulkhead").map(({ verdicts }) => verdicts);
  const [admitted, tried] = [
    all.reduce((sum, one) => sum + one.admitted, 0),
    all.reduce((sum, one) => sum + one.intrusions, 0),
  ];
  return `${verdict(admitted === 0)}: ${admitted} of ${tried}`;
}
