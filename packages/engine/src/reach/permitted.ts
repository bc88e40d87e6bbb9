/** What one group of ends may open to another: the ports that egress permits there and ingress permits from there. */
import {
  allPorts,
  emptyPorts,
  familyOf,
  portsOf,
  TCP,
  UDP,
  union,
  type PortSet,
} from "@bulkhead/model";
import { ownResolvers } from "../compile/exempt-facts.ts";
import type { ClassNumber, Facet, GroupedEnd } from "./reach-groups.ts";
import type { Universe } from "./reach-universe.ts";

/** All pairs of groups with workloads at one end at least, and two different ends among them. */
export function* pairs(
  ends: readonly GroupedEnd[],
): Iterable<{ readonly from: GroupedEnd; readonly to: GroupedEnd }> {
  for (const from of ends) {
    for (const to of ends) if (canConnect(from, to)) yield { from, to };
  }
}

export function canConnect(from: GroupedEnd, to: GroupedEnd): boolean {
  const concerned = from.group.kind === "workloads" || to.group.kind === "workloads";
  const alone = from === to && from.group.kind === "workloads" && from.group.workloads.length < 2;
  return concerned && !alone;
}

/** Over all pairs of addresses that can meet. `number` is the universe's among those that the ends were grouped by. */
export function permitted(
  universe: Universe,
  number: number,
  from: GroupedEnd,
  to: GroupedEnd,
): PortSet {
  let ports: PortSet = emptyPorts;
  let [before, beyond]: (readonly number[] | undefined)[] = [];
  for (const source of from.facets) {
    for (const destination of to.facets) {
      if (!canMeet(source, destination)) continue;
      // Most ends look the same in either family.
      if (source.rows === before && destination.rows === beyond && !to.isProcess) continue;
      [before, beyond] = [source.rows, destination.rows];
      const met = permittedAt(universe, number, from, source, to, destination);
      if (met !== ports) ports = ports === emptyPorts ? met : union(ports, met);
    }
  }
  return to.group.kind === "host" ? union(ports, resolverPorts(universe, from.facets)) : ports;
}

/** Every way in which addresses of the two ends can meet. */
export function facetPairs(
  from: GroupedEnd,
  to: GroupedEnd,
): { readonly source: Facet; readonly destination: Facet }[] {
  return from.facets.flatMap((source) =>
    to.facets
      .filter((destination) => canMeet(source, destination))
      .map((destination) => ({ source, destination })),
  );
}

/** Between addresses that look like this. Of the machine's resolver only what its processes are exempt from. */
export function permittedAt(
  universe: Universe,
  number: number,
  from: GroupedEnd,
  source: Facet,
  to: GroupedEnd,
  destination: Facet,
): PortSet {
  const judgeOut = from.judges[number]!.egress;
  const ownNode = to.runsOn[number] ?? null;
  const isNode = from.isNode[number]! || (ownNode !== null && from.hosts[number] === ownNode);
  const exempt = universe.set.profile.nodeExempt && isNode && !to.isProcess;
  const judgeIn = exempt ? null : to.judges[number]!.ingress;
  const out = seenBy(universe, judgeOut, destination);
  const exempted = to.isProcess ? union(out, resolverPorts(universe, [source])) : out;
  return universe.both(exempted, seenBy(universe, judgeIn, source));
}

function seenBy(universe: Universe, judge: ClassNumber, facet: Facet): PortSet {
  return judge === null ? allPorts : universe.permitted(facet.rows[judge]!);
}

/** What is exempt from egress policy towards the machine itself. Leases (`dhcp`) connect nothing and are left out. */
export function resolverPorts({ set, index }: Universe, from: readonly Facet[]): PortSet {
  const open = ownResolvers(set.profile, index).filter(({ address }) =>
    from.some(({ family }) => family === null || family === familyOf(address)),
  );
  const matches = open.flatMap(({ port }) =>
    [UDP, TCP].map((protocol) => ({ kind: "range" as const, protocol, first: port, last: port })),
  );
  return portsOf(matches, () => []);
}

function canMeet(a: Facet, b: Facet): boolean {
  return a.family === null || b.family === null || a.family === b.family;
}
