/**
 * Who can reach whom, directly and hop by hop, now and with some workloads confined to those they are known to talk to: what
 * confining them is worth. Found between groups that policies treat alike, so that it costs what groups cost.
 */
import { isEmptyPorts, type PolicySet, type WorkloadId } from "@bulkhead/model";
import type { InventoryIndex } from "../inventory-index.ts";
import { canConnect, permitted } from "../reach/permitted.ts";
import { groupEnds } from "../reach/reach-groups.ts";
import { createUniverse } from "../reach/reach-universe.ts";
import type { PathOptions } from "./paths.ts";

/** Whoever is confined is called by these alone, and calls these alone. */
export interface Confinement {
  readonly callers: ReadonlySet<WorkloadId>;
  readonly calls: ReadonlySet<WorkloadId>;
}

export interface Reach {
  /** Other workloads that may open a connection to it. */
  readonly direct: number;
  /** Those from which it can be reached in any number of hops. */
  readonly paths: number;
  /** What an intruder in it can reach, hop by hop: its blast radius. */
  readonly blast: number;
}

export interface ReachGraph {
  readonly workloads: number;
  /** Without the node's own workloads, which no policy holds. */
  has(workload: WorkloadId): boolean;
  /** May addresses that are nobody's open a connection to it? */
  isOpenToWorld(workload: WorkloadId): boolean;
  reachOf(workload: WorkloadId, confined: ReadonlyMap<WorkloadId, Confinement>): Reach;
  /** How many others a workload reaches hop by hop, on average over all of them. */
  averageBlast(confined: ReadonlyMap<WorkloadId, Confinement>): number;
}

/** Workloads alike: all of a group, or one that is told apart. */
interface Cell {
  readonly group: number;
  readonly size: number;
  readonly only?: WorkloadId;
  /** Of one who is confined. */
  readonly wall?: Wall;
}

interface Wall extends Confinement {
  /** Groups that are known whole. */
  readonly callerGroups: ReadonlySet<number>;
  readonly callGroups: ReadonlySet<number>;
}

interface Layout {
  /** By group. */
  readonly cells: readonly (readonly Cell[])[];
  readonly count: number;
}

export const NOBODY_CONFINED: ReadonlyMap<WorkloadId, Confinement> = new Map();

export function reachGraph(
  set: PolicySet,
  index: InventoryIndex,
  options: Omit<PathOptions, "hops">,
): ReachGraph {
  const universe = createUniverse(set, index, options);
  const ends = groupEnds([universe], index);
  const groups = ends.flatMap((end) =>
    end.group.kind === "workloads" ? [{ end, members: end.group.workloads }] : [],
  );
  const mayOpen = (from: (typeof ends)[number], to: (typeof ends)[number]): boolean =>
    canConnect(from, to) && !isEmptyPorts(permitted(universe, 0, from, to));
  /** Groups that may be opened from each, and those from which it may be opened. */
  const onwards = groups.map(({ end: from }) =>
    groups.flatMap(({ end: to }, at) => (mayOpen(from, to) ? [at] : [])),
  );
  const back: readonly number[][] = groups.map(() => []);
  for (const [from, list] of onwards.entries()) for (const to of list) back[to]?.push(from);
  const world = ends.filter(({ group }) => group.kind === "world");
  const exposed = groups.map(({ end }) => world.some((outside) => mayOpen(outside, end)));
  const groupOf = new Map(
    groups.flatMap(({ members }, at) => members.map((member) => [member, at] as const)),
  );
  const total = groupOf.size;
  const unconfined = new Map<number, Reach>();

  /** Groups of which everybody but the one who is confined is in the set: they need not be told apart. */
  function wholeGroups(set: ReadonlySet<WorkloadId>, self: WorkloadId): ReadonlySet<number> {
    const counts = new Map<number, number>();
    for (const one of new Set([...set, self])) {
      const group = groupOf.get(one);
      if (group !== undefined) counts.set(group, (counts.get(group) ?? 0) + 1);
    }
    return new Set(
      [...counts].flatMap(([group, count]) =>
        count === groups[group]?.members.length ? [group] : [],
      ),
    );
  }

  /** Who is confined stands alone, and so do those whom it knows of a group that it does not know whole. */
  function layOut(
    confined: ReadonlyMap<WorkloadId, Confinement>,
    besides: WorkloadId | undefined,
  ): Layout {
    const apart = new Set<WorkloadId>(besides === undefined ? [] : [besides]);
    const walls = new Map<WorkloadId, Wall>();
    for (const [workload, { callers, calls }] of confined) {
      const wall = {
        callers,
        calls,
        callerGroups: wholeGroups(callers, workload),
        callGroups: wholeGroups(calls, workload),
      };
      walls.set(workload, wall);
      apart.add(workload);
      for (const one of callers) if (!wall.callerGroups.has(groupOf.get(one) ?? -1)) apart.add(one);
      for (const one of calls) if (!wall.callGroups.has(groupOf.get(one) ?? -1)) apart.add(one);
    }
    const cells = groups.map((): Cell[] => []);
    const left = groups.map(({ members }) => members.length);
    for (const only of apart) {
      const group = groupOf.get(only);
      if (group === undefined) continue;
      left[group]! -= 1;
      const wall = walls.get(only);
      cells[group]!.push({ group, size: 1, only, ...(wall === undefined ? {} : { wall }) });
    }
    for (const [group, size] of left.entries()) if (size > 0) cells[group]!.push({ group, size });
    return { cells, count: cells.reduce((sum, list) => sum + list.length, 0) };
  }

  /** Besides what policies say, which the groups have told already. */
  function passes(from: Cell, to: Cell): boolean {
    if (from === to && from.size < 2) return false;
    const { wall: out } = from;
    if (
      out !== undefined &&
      !(to.only === undefined ? out.callGroups.has(to.group) : out.calls.has(to.only))
    )
      return false;
    const { wall: into } = to;
    return (
      into === undefined ||
      (from.only === undefined ? into.callerGroups.has(from.group) : into.callers.has(from.only))
    );
  }

  /** How many workloads besides itself are met from there, in one hop or in any number, along the arrows or against them. */
  function count(
    start: Cell,
    { cells, count: all }: Layout,
    against: boolean,
    hops: number,
  ): number {
    const met = new Set<Cell>();
    let sum = 0;
    let standing: readonly Cell[] = [start];
    for (let hop = 0; hop < hops && standing.length > 0; hop++) {
      const further: Cell[] = [];
      for (const here of standing) {
        if (met.size === all) return sum;
        for (const group of (against ? back : onwards)[here.group] ?? []) {
          for (const there of cells[group] ?? []) {
            if (met.has(there) || !(against ? passes(there, here) : passes(here, there))) continue;
            met.add(there);
            sum += there === start ? there.size - 1 : there.size;
            further.push(there);
          }
        }
      }
      standing = further;
    }
    return sum;
  }

  return {
    workloads: total,
    has: (workload) => groupOf.has(workload),
    isOpenToWorld: (workload) => exposed[groupOf.get(workload) ?? -1] === true,
    reachOf(workload, confined) {
      // While nobody is confined, all of a group reach the same.
      const group = confined.size === 0 ? groupOf.get(workload) : undefined;
      const known = group === undefined ? undefined : unconfined.get(group);
      if (known !== undefined) return known;
      const layout = layOut(confined, workload);
      const start = layout.cells[groupOf.get(workload) ?? -1]?.find(
        ({ only }) => only === workload,
      );
      if (start === undefined) return { direct: 0, paths: 0, blast: 0 };
      const reach = {
        direct: count(start, layout, true, 1),
        paths: count(start, layout, true, Infinity),
        blast: count(start, layout, false, Infinity),
      };
      if (group !== undefined) unconfined.set(group, reach);
      return reach;
    },
    averageBlast(confined) {
      if (total === 0) return 0;
      const layout = layOut(confined, undefined);
      const sum = layout.cells
        .flat()
        .reduce((all, cell) => all + cell.size * count(cell, layout, false, Infinity), 0);
      return sum / total;
    },
  };
}
