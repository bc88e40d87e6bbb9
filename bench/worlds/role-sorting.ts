/** How well roles are found from who talks to whom alone: labels are hidden from everybody, and with them which application somebody is of. */
import { groupByCommunication, type Member } from "@bulkhead/learn";
import type { Edge } from "@bulkhead/model";
import { clustersOf } from "./baselines/jaccard.ts";
import { HOURS } from "./calendar.ts";
import type { Phase } from "./estate.ts";
import { adjustedRandIndex } from "./rand-index.ts";
import { isThere } from "./visitors.ts";
import { historiesUntil, inventoryAt, type World } from "./world.ts";

export interface Sorted {
  readonly ours: number;
  readonly jaccard: number;
  /** Roles there are, and found. */
  readonly roles: number;
  readonly found: number;
}

const NONE = {};

export function sortRoles(world: World, day: number, threshold: number): Sorted {
  const there = presentOn(world, day);
  const truth = there.map(({ role }) => role.name);
  const edges = historiesUntil(world, day).map(({ edge }) => ({
    ...edge,
    source: { ...edge.source, labels: NONE },
    destination: { ...edge.destination, labels: NONE },
  }));
  const { roleOf } = groupByCommunication(edges, membersOf(world, day, edges));
  const own = there.map(({ workload }) => {
    const role = roleOf.get(workload);
    return role === undefined ? workload : `role ${role.namespace} ${role.name}`;
  });
  return {
    ours: adjustedRandIndex(truth, own),
    jaccard: jaccardIndex(world, day, threshold),
    roles: new Set(truth).size,
    found: new Set(own).size,
  };
}

/** Everybody who is there, and everybody who was seen and is gone. */
function membersOf(world: World, day: number, edges: readonly Edge[]): readonly Member[] {
  const members = new Map<string, Member>(
    inventoryAt(world, day * HOURS).workloads.map((one) => [one.id, { ...one, labels: NONE }]),
  );
  for (const { source, destination } of edges) {
    for (const { workload } of [source, destination]) {
      if (workload === undefined || members.has(workload)) continue;
      const namespace = workload.slice(0, workload.indexOf("/"));
      members.set(workload, { id: workload, namespace, labels: NONE });
    }
  }
  return [...members.values()];
}

export function jaccardIndex(world: World, day: number, threshold: number): number {
  const there = presentOn(world, day);
  const clusterOf = clustersOf(world, day, threshold, false);
  return adjustedRandIndex(
    there.map(({ role }) => role.name),
    there.map(clusterOf),
  );
}

export const presentOn = (world: World, day: number): readonly Phase[] =>
  [...world.estate.phases.values()]
    .flat()
    .filter(isThere(day * HOURS))
    .filter(({ role }) => role.kind !== "outside");
