/** What an intruder in one workload can reach: directly, then from everything that he reached, and so on. */
import {
  isEmptyPorts,
  type IpRange,
  type PolicySet,
  type PortSet,
  type WorkloadId,
} from "@bulkhead/model";
import type { InventoryIndex } from "../inventory-index.ts";
import { canConnect, permitted } from "../reach/permitted.ts";
import { groupEnds, type GroupedEnd } from "../reach/reach-groups.ts";
import { createUniverse } from "../reach/reach-universe.ts";
import type { PathOptions } from "./paths.ts";
import { compare } from "../order.ts";
import { everyoneIn } from "./selection.ts";

interface Step {
  /** Connections from the intruder's workload to here, at least. */
  readonly hop: number;
  /** From where it was reached, one hop before. */
  readonly via: WorkloadId;
  /** What may be opened from there to here. */
  readonly ports: PortSet;
}

export interface BlastRadius {
  readonly workload: WorkloadId;
  /** Other workloads there are. */
  readonly others: number;
  /** By hop, then by name. */
  readonly reached: readonly (Step & { readonly workload: WorkloadId })[];
  /** Null: it cannot be reached, or nobody told of its addresses. */
  readonly host: Step | null;
  /** Stretches of the world; neither it nor the host leads any further. */
  readonly world: readonly (Step & { readonly ranges: readonly IpRange[] })[];
}

/** `workload` must be one of the inventory's. */
export function blastRadius(
  set: PolicySet,
  index: InventoryIndex,
  workload: WorkloadId,
  { hops, ...options }: PathOptions,
): BlastRadius {
  const universe = createUniverse(set, index, options);
  const groups = groupEnds([universe], index);
  const start = groups.find(
    ({ group }) => group.kind === "workloads" && group.workloads.includes(workload),
  );
  const reached: (Step & { readonly workload: WorkloadId })[] = [];
  const world: (Step & { readonly ranges: readonly IpRange[] })[] = [];
  let host: Step | null = null;
  const visited = new Set<GroupedEnd>();
  let standing = start === undefined ? [] : [{ group: start, at: workload }];
  for (let hop = 1; hop <= hops && standing.length > 0; hop++) {
    const further: typeof standing = [];
    for (const here of standing) {
      for (const there of groups) {
        if (visited.has(there) || !canConnect(here.group, there)) continue;
        const ports = permitted(universe, 0, here.group, there);
        if (isEmptyPorts(ports)) continue;
        visited.add(there);
        const step = { hop, via: here.at, ports };
        const ends = everyoneIn(there.group, index);
        // As policies cut them: which single addresses in between are somebody's is another question.
        if (there.group.kind === "world" && ends.length > 0) {
          world.push({ ...step, ranges: there.group.ranges });
        }
        if (there.group.kind === "host") host = step;
        const found = ends.flatMap((end) =>
          end.kind === "workload" && end.workload !== workload ? [end.workload] : [],
        );
        reached.push(...found.map((one) => ({ ...step, workload: one })));
        if (found[0] !== undefined) further.push({ group: there, at: found[0] });
      }
    }
    standing = further;
  }
  const sorted = reached.toSorted((a, b) => a.hop - b.hop || compare(a.workload, b.workload));
  return { workload, others: index.workloads.size - 1, reached: sorted, host, world };
}
