/**
 * Who can reach whom, over sets and not over pairs: work is in groups squared, and pairs are written out only when
 * somebody asks for them. A workload's way to itself is left out.
 */
import {
  equalPorts,
  isEmptyPorts,
  subtract,
  type IpRange,
  type PolicySet,
  type PortSet,
  type WorkloadId,
} from "@bulkhead/model";
import type { InventoryIndex } from "../inventory-index.ts";
import type { View } from "../judge-stage.ts";
import { pairs, permitted } from "./permitted.ts";
import { groupEnds, type GroupedEnd, type ReachGroup } from "./reach-groups.ts";
import { createUniverse } from "./reach-universe.ts";
import { compare } from "../order.ts";

/** Every member of `from` may open connections to every other member of `to`, on these ports and no others. */
export interface Connection {
  readonly from: ReachGroup;
  readonly to: ReachGroup;
  readonly ports: PortSet;
}

/** All permitted connections with a workload at one end at least. Pairs without any are not listed. */
export function reach(
  set: PolicySet,
  index: InventoryIndex,
  now: number,
  view: View = "live",
): Connection[] {
  const universe = createUniverse(set, index, { now, view });
  const found: Connection[] = [];
  for (const { from, to } of pairs(groupEnds([universe], index))) {
    const ports = permitted(universe, 0, from, to);
    if (!isEmptyPorts(ports)) found.push({ from: from.group, to: to.group, ports });
  }
  return found;
}

export interface ConnectionDiff {
  readonly added: readonly Connection[];
  readonly removed: readonly Connection[];
}

/**
 * What the new set permits and the old one does not, and the other way round. `oldIndex` tells who is there before the
 * change, where the change relabels them too: the same ids and addresses, with other labels or namespaces.
 */
export function diffSets(
  oldSet: PolicySet,
  newSet: PolicySet,
  index: InventoryIndex,
  now: number,
  view: View = "live",
  oldIndex: InventoryIndex = index,
): ConnectionDiff {
  const before = createUniverse(oldSet, oldIndex, { now, view });
  const after = createUniverse(newSet, index, { now, view });
  const added: Connection[] = [];
  const removed: Connection[] = [];
  for (const { from, to } of pairs(groupEnds([before, after], index))) {
    const was = permitted(before, 0, from, to);
    const is = permitted(after, 1, from, to);
    added.push(...connection(from, to, subtract(is, was)));
    removed.push(...connection(from, to, subtract(was, is)));
  }
  return { added, removed };
}

function connection({ group: from }: GroupedEnd, { group: to }: GroupedEnd, ports: PortSet) {
  return isEmptyPorts(ports) ? [] : [{ from, to, ports }];
}

/** One end of a connection written out. */
export type ReachEnd =
  | { readonly kind: "workload"; readonly workload: WorkloadId }
  | { readonly kind: "host" }
  | { readonly kind: "world"; readonly range: IpRange };

export interface PairConnection {
  readonly from: ReachEnd;
  readonly to: ReachEnd;
  readonly ports: PortSet;
}

/** Every pair on its own, sorted by name; world ranges that are neighbours and permit the same are one. */
export function expandConnections(connections: readonly Connection[]): PairConnection[] {
  const out: PairConnection[] = [];
  const worldly = new Map<string, PairConnection[]>();
  for (const { from, to, ports } of connections) {
    for (const source of endsOf(from)) {
      for (const destination of endsOf(to)) {
        const pair = { from: source, to: destination, ports };
        if (source.kind === "workload" && destination.kind === "workload") {
          if (source.workload !== destination.workload) out.push(pair);
        } else if (source.kind === "world" || destination.kind === "world") {
          const key = `${endText(source)} ${endText(destination)}`;
          const others = worldly.get(key);
          if (others === undefined) worldly.set(key, [pair]);
          else others.push(pair);
        } else {
          out.push(pair);
        }
      }
    }
  }
  out.push(...[...worldly.values()].flatMap(mergeNeighbours));
  const text = ({ from, to }: PairConnection) => `${endText(from)} ${endText(to)}`;
  return out.toSorted((a, b) => compare(text(a), text(b)));
}

function endsOf(group: ReachGroup): ReachEnd[] {
  switch (group.kind) {
    case "workloads":
      return group.workloads.map((workload) => ({ kind: "workload", workload }));
    case "host":
      return [group];
    case "world":
      return group.ranges.map((range) => ({ kind: "world", range }));
  }
}

function endText(end: ReachEnd): string {
  return end.kind === "workload" ? end.workload : end.kind;
}

/** Pairs of one workload with stretches of the world. */
function mergeNeighbours(found: readonly PairConnection[]): PairConnection[] {
  const range = ({ from, to }: PairConnection): IpRange =>
    from.kind === "world" ? from.range : to.kind === "world" ? to.range : unreachable();
  const sorted = found.toSorted((a, b) => compareRanges(range(a), range(b)));
  const merged: PairConnection[] = [];
  for (const pair of sorted) {
    const previous = merged.at(-1);
    const adjoins =
      previous !== undefined &&
      range(previous).family === range(pair).family &&
      range(previous).last + 1n === range(pair).first &&
      equalPorts(previous.ports, pair.ports);
    if (!adjoins) merged.push(pair);
    else merged[merged.length - 1] = upTo(previous, range(pair).last);
  }
  return merged;
}

function unreachable(): never {
  throw new Error("a pair without the world among the world's pairs");
}

function upTo(pair: PairConnection, last: bigint): PairConnection {
  const widen = (end: ReachEnd): ReachEnd =>
    end.kind === "world" ? { kind: "world", range: { ...end.range, last } } : end;
  return { ...pair, from: widen(pair.from), to: widen(pair.to) };
}

function compareRanges(a: IpRange, b: IpRange): number {
  return compare(a.family, b.family) || compare(a.first, b.first);
}
