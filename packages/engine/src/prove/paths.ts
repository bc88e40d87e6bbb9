/**
 * Ways from some ends to others: directly, or through workloads on the way, each of which may open connections of its own.
 * Searched over groups, so the work grows with what policies tell apart and not with workloads; the shortest way is found.
 */
import { allPorts, emptyPorts, isEmptyPorts, type PolicySet, type PortSet } from "@bulkhead/model";
import { decide } from "../decide.ts";
import type { InventoryIndex } from "../inventory-index.ts";
import type { DecideOptions } from "../judge-stage.ts";
import { canConnect, permitted } from "../reach/permitted.ts";
import { groupEnds, type Facet, type GroupedEnd } from "../reach/reach-groups.ts";
import { createUniverse, type Universe } from "../reach/reach-universe.ts";
import type { ReachEnd } from "../reach/reach.ts";
import { packetBetween, type Hop } from "./packet.ts";
import { everyoneIn, isSameEnd, membersOf, type Selection } from "./selection.ts";

export interface PathOptions extends DecideOptions {
  /** At most so many connections one after the other: 1 = directly. */
  readonly hops: number;
}

/** Ends of one group, at least one. */
interface Spot {
  readonly group: GroupedEnd;
  readonly ends: readonly ReachEnd[];
}

/** Where somebody can be, and where he came from. */
interface Standing extends Spot {
  readonly before: Standing | null;
}

/** The shortest way, hop by hop, each with a packet that `decide` allows; null: there is none. Workloads need addresses. */
export function findPath(
  set: PolicySet,
  index: InventoryIndex,
  from: Selection,
  to: Selection,
  { hops, ...options }: PathOptions,
): readonly Hop[] | null {
  const universe = createUniverse(set, index, options);
  const groups = groupEnds([universe], index);
  const chosen = (selection: Selection) =>
    groups
      .map((group) => ({ group, ends: membersOf(group.group, selection, index) }))
      .filter(({ ends }) => ends.length > 0);
  const connects = (one: GroupedEnd, other: GroupedEnd) =>
    !isEmptyPorts(between(universe, one, other));

  const targets = chosen(to);
  const visited = new Set<GroupedEnd>();
  let standing: Standing[] = chosen(from).map((start) => ({ ...start, before: null }));
  for (let hop = 1; hop <= hops && standing.length > 0; hop++) {
    for (const here of standing) {
      for (const target of targets) {
        const last = distinctPair(here.ends, target.ends);
        if (last === null || !connects(here.group, target.group)) continue;
        const way = [...wayTo({ ...here, ends: [last[0]] }), { ...target, ends: [last[1]] }];
        return way.slice(1).map((next, at) => hopBetween(universe, way[at]!, next, options));
      }
    }
    // Who is in the group already can open nothing to others by being in it twice.
    standing = standing.flatMap((here) =>
      groups
        .filter((group) => group !== here.group && group.group.kind === "workloads")
        .filter((group) => !visited.has(group) && connects(here.group, group))
        .map((group): Standing => {
          visited.add(group);
          return { group, ends: everyoneIn(group.group, index), before: here };
        }),
    );
  }
  return null;
}

function wayTo(standing: Standing): Spot[] {
  return standing.before === null ? [standing] : [...wayTo(standing.before), standing];
}

function hopBetween(universe: Universe, here: Spot, next: Spot, options: DecideOptions): Hop {
  const { set, index } = universe;
  const [from, to] = [here.ends[0]!, next.ends[0]!];
  const ports = between(universe, here.group, next.group);
  const packet = packetBetween(
    index,
    from,
    to,
    ports,
    (query) => decide(set, index, query, options).verdict === "allow",
  );
  return { from, to, ports, packet };
}

/** Where no workload is at either end, nobody judges: the machine and the world speak as they like. */
function between(universe: Universe, from: GroupedEnd, to: GroupedEnd): PortSet {
  const judged = from.group.kind === "workloads" || to.group.kind === "workloads";
  if (!judged) return from.facets.some(meets(to)) ? allPorts : emptyPorts;
  return canConnect(from, to) ? permitted(universe, 0, from, to) : emptyPorts;
}

const meets = (to: GroupedEnd) => (source: Facet) =>
  to.facets.some(({ family }) => family === source.family);

/** One of each that are not the same end. */
function distinctPair(
  ones: readonly ReachEnd[],
  others: readonly ReachEnd[],
): readonly [ReachEnd, ReachEnd] | null {
  for (const one of ones.slice(0, 2)) {
    const other = others.find((end) => !isSameEnd(one, end));
    if (other !== undefined) return [one, other];
  }
  return null;
}
