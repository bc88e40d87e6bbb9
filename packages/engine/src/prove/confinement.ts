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
  const open = groups.map(({ end: from }) => groups.map(({ end: to }) => mayOpen(from, to)));
  const world = ends.filter(({ group }) => group.kind === "world");
  const exposed = groups.map(({ end }) => world.some((outside) => mayOpen(outside, end)));
  const groupOf = new Map(
    groups.flatMap(({ members }, at) => members.map((member) => [member, at] as const)),
  );
  const total = groupOf.size;

  /** Everybody who is confined, or whom one of them knows, stands alone. */
  function cellsOf(
    confined: ReadonlyMap<WorkloadId, Confinement>,
    besides: WorkloadId | undefined,
  ): readonly Cell[] {
    const apart = new Set<WorkloadId>(besides === undefined ? [] : [besides]);
    for (const [workload, { callers, calls }] of confined) {
      for (const one of [workload, ...callers, ...calls]) if (groupOf.has(one)) apart.add(one);
    }
    const left = groups.map(({ members }) => members.length);
    const singles = [...apart].flatMap((only): Cell[] => {
      const group = groupOf.get(only);
      if (group === undefined) return [];
      left[group]! -= 1;
      return [{ group, size: 1, only }];
    });
    const rest = left.flatMap((size, group): Cell[] => (size === 0 ? [] : [{ group, size }]));
    return [...singles, ...rest];
  }

  function connects(from: Cell, to: Cell, confined: ReadonlyMap<WorkloadId, Confinement>): boolean {
    if (open[from.group]?.[to.group] !== true || (from === to && from.size < 2)) return false;
    const source = from.only === undefined ? undefined : confined.get(from.only);
    if (source !== undefined && (to.only === undefined || !source.calls.has(to.only))) return false;
    const target = to.only === undefined ? undefined : confined.get(to.only);
    return target === undefined || (from.only !== undefined && target.callers.has(from.only));
  }

  /** How many workloads besides itself are met from there, in one hop or in any number, along the arrows or against them. */
  function count(
    start: Cell,
    cells: readonly Cell[],
    leads: (from: Cell, to: Cell) => boolean,
    hops: number,
  ): number {
    const met = new Set<Cell>();
    let standing: readonly Cell[] = [start];
    for (let hop = 0; hop < hops && standing.length > 0; hop++) {
      const further: Cell[] = [];
      for (const here of standing) {
        for (const there of cells) {
          if (met.has(there) || !leads(here, there)) continue;
          met.add(there);
          further.push(there);
        }
      }
      standing = further;
    }
    const sum = [...met].reduce((reached, { size }) => reached + size, 0);
    return met.has(start) ? sum - 1 : sum;
  }

  return {
    workloads: total,
    has: (workload) => groupOf.has(workload),
    isOpenToWorld: (workload) => exposed[groupOf.get(workload) ?? -1] === true,
    reachOf(workload, confined) {
      const cells = cellsOf(confined, workload);
      const start = cells.find(({ only }) => only === workload);
      if (start === undefined) return { direct: 0, paths: 0, blast: 0 };
      const onwards = (from: Cell, to: Cell): boolean => connects(from, to, confined);
      const back = (to: Cell, from: Cell): boolean => connects(from, to, confined);
      return {
        direct: count(start, cells, back, 1),
        paths: count(start, cells, back, Infinity),
        blast: count(start, cells, onwards, Infinity),
      };
    },
    averageBlast(confined) {
      if (total === 0) return 0;
      const cells = cellsOf(confined, undefined);
      const leads = (from: Cell, to: Cell): boolean => connects(from, to, confined);
      const sum = cells.reduce(
        (all, cell) => all + cell.size * count(cell, cells, leads, Infinity),
        0,
      );
      return sum / total;
    },
  };
}
