/**
 * Clusters of workloads that talk with the same others on the same ports, and rules between clusters. Who comes later joins
 * the cluster of those with exactly his labels, which is more than most of what is published does. The threshold was chosen
 * on the families for tuning (`THRESHOLDS`), never on the one that is held out.
 */
import type { Phase } from "../estate.ts";
import { labelsText, placeOf, type Method } from "../method.ts";
import type { World } from "../world.ts";
import { clusterByJaccard } from "./clusters.ts";
import { answeredBefore, learnByKey } from "./tuples.ts";

/** What was tried: the one with the best index on average over the families for tuning is `TUNED`; `make worlds ONLY=tune` shows all. */
export const THRESHOLDS = [0.3, 0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.9] as const;
export const TUNED = 0.7;

/** Peers of pods that are gone say little of those that are there. */
const LOOKED_BACK_DAYS = 28;

export const jaccardAt = (threshold: number): Method => ({
  name: "Jaccard",
  learn(world, day) {
    const keyOf = clustersOf(world, day, threshold);
    return learnByKey(world, day, keyOf);
  },
});

export const jaccard = jaccardAt(TUNED);

/** `byLabels`: may labels tell where newcomers belong? */
export function clustersOf(
  world: World,
  day: number,
  threshold: number,
  byLabels = true,
): (phase: Phase) => string {
  const features = new Map<string, Set<string>>();
  const phases = new Map<string, Phase>();
  const add = (phase: Phase, feature: string): void => {
    if (phase.workload === "") return;
    const own = features.get(phase.workload) ?? new Set();
    own.add(feature);
    features.set(phase.workload, own);
    phases.set(phase.workload, phase);
  };
  for (const track of answeredBefore(world, day, day - LOOKED_BACK_DAYS)) {
    const { source, destination, protocol, port } = track;
    add(source, `calls ${placeOf(destination)} ${protocol}/${port}`);
    add(destination, `serves ${placeOf(source)} ${protocol}/${port}`);
  }
  const names = [...features.keys()];
  const found = clusterByJaccard([...features.values()], threshold);
  const clusterOf = new Map(names.map((name, at) => [name, `cluster ${found[at]}`]));
  const labelled = new Map<string, string>();
  for (const [name, cluster] of byLabels ? clusterOf : []) {
    const phase = phases.get(name);
    if (phase !== undefined && labelsText(phase.labels) !== "") labelled.set(alike(phase), cluster);
  }
  return (phase) => clusterOf.get(phase.workload) ?? labelled.get(alike(phase)) ?? placeOf(phase);
}

const alike = ({ role, labels }: Phase): string => `${role.namespace} ${labelsText(labels)}`;
