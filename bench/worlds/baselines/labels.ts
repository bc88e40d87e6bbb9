/** A rule for every pair of label sets and port that was answered; who has no label that tells anything is by itself. */
import type { Phase } from "../estate.ts";
import { labelsText, placeOf, type Method } from "../method.ts";
import { learnByKey } from "./tuples.ts";

export function labelKey(phase: Phase): string {
  const labels = labelsText(phase.labels);
  return labels === "" ? placeOf(phase) : `${phase.role.namespace} ${labels}`;
}

export const labels: Method = {
  name: "per label",
  learn: (world, day) => learnByKey(world, day, labelKey),
};
