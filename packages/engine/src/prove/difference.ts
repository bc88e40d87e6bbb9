/**
 * What one policy set permits and another does not: the first packet, or none. Both judge the same ends, each by the labels
 * that its own inventory gives them, address by address: that the other one permits the port between two other addresses of
 * the same ends is no excuse.
 */
import {
  isEmptyPorts,
  subtract,
  type FlowQuery,
  type PolicySet,
  type PortInterval,
  type PortSet,
} from "@bulkhead/model";
import { decide } from "../decide.ts";
import type { InventoryIndex } from "../inventory-index.ts";
import type { DecideOptions } from "../judge-stage.ts";
import { facetPairs, pairs, permittedAt, resolverPorts } from "../reach/permitted.ts";
import { groupEnds, type GroupedEnd } from "../reach/reach-groups.ts";
import type { ReachEnd } from "../reach/reach.ts";
import { createUniverse } from "../reach/reach-universe.ts";
import { findPacket, packetBetween, type Hop } from "./packet.ts";
import { everyoneIn, isSameEnd } from "./selection.ts";

/** A policy set with who is there. */
export interface Side {
  readonly set: PolicySet;
  readonly index: InventoryIndex;
}

/**
 * A packet that `one` permits and `other` does not; null: `other` permits all that `one` does. Ids and addresses of both
 * inventories must be the same, and every workload needs an address.
 */
export function findDifference(one: Side, other: Side, options: DecideOptions): Hop | null {
  const [here, there] = [one, other].map(({ set, index }) => createUniverse(set, index, options));
  const allows = ({ set, index }: Side, query: FlowQuery) =>
    decide(set, index, query, options).verdict === "allow";
  const tells = (query: FlowQuery) => allows(one, query) && !allows(other, query);
  const without = rememberedDifference();
  const everyone = new Map<GroupedEnd, readonly ReachEnd[]>();
  const members = (end: GroupedEnd): readonly ReachEnd[] => {
    let found = everyone.get(end);
    if (found === undefined) everyone.set(end, (found = everyoneIn(end.group, one.index)));
    return found;
  };
  for (const { from, to } of pairs(groupEnds([here!, there!], one.index))) {
    const [source, destination] = [members(from), members(to)];
    const first = source[0];
    const second = destination.find((end) => first !== undefined && !isSameEnd(first, end));
    if (first === undefined || second === undefined) continue;
    for (const met of facetPairs(from, to)) {
      const was = permittedAt(here!, 0, from, met.source, to, met.destination);
      const is = permittedAt(there!, 1, from, met.source, to, met.destination);
      const missing = without(was, is);
      // Only at the resolver's own address are these exempt, and sets tell no addresses apart there.
      const unsure =
        to.group.kind === "host" || to.isProcess
          ? [here!, there!].map((universe) => resolverPorts(universe, from.facets))
          : [];
      const sure = unsure.reduce((left, ports) => subtract(left, ports), missing);
      if (!isEmptyPorts(sure)) {
        const packet = packetBetween(one.index, first, second, sure, tells);
        return { from: first, to: second, ports: sure, packet };
      }
      const single = unsure.flatMap(({ byProtocol }) =>
        byProtocol.flatMap(({ protocol, intervals }) =>
          intervals.flatMap((interval) => everyPort(protocol, interval)),
        ),
      );
      for (const ports of single) {
        const packet = findPacket(one.index, first, second, ports, tells);
        if (packet !== null) return { from: first, to: second, ports, packet };
      }
    }
  }
  return null;
}

/** The same few sets of ports meet again and again. */
function rememberedDifference(): (a: PortSet, b: PortSet) => PortSet {
  const known = new WeakMap<PortSet, WeakMap<PortSet, PortSet>>();
  return (a, b) => {
    const ofA = known.get(a) ?? new WeakMap<PortSet, PortSet>();
    let found = ofA.get(b);
    if (found === undefined) known.set(a, ofA.set(b, (found = subtract(a, b))));
    return found;
  };
}

function everyPort(protocol: number, { first, last }: PortInterval): PortSet[] {
  const numbers = Array.from({ length: last - first + 1 }, (_, at) => first + at);
  return numbers.map((port) => ({
    byProtocol: [{ protocol, intervals: [{ first: port, last: port }] }],
    others: false,
  }));
}
