/**
 * All permitted connections of a desk, between parties: sets of workloads that policies treat alike, and stretches of
 * the world. As many as there are classes, not pods; `pairs.ts` writes them out.
 */
import { reach, type Connection, type ReachGroup } from "@bulkhead/engine";
import {
  allPorts,
  wholeRange,
  type IpRange,
  type PolicySet,
  type PortSet,
  type WorkloadId,
} from "@bulkhead/model";
import type { Desk, Seats } from "./desk.ts";
import { namedConnections } from "./domains.ts";
import { HOST_NAME, workloadName } from "./end-names.ts";
import { CONTROLLER, CONTROLLER_ID, ledIn, type BarredWay } from "./ways-in.ts";

export type Party =
  /** Sorted, each once. Another party may have the same name: pods of one owner whose labels differ. */
  | { readonly kind: "workloads"; readonly names: readonly string[] }
  /** Sorted, disjoint. */
  | { readonly kind: "world"; readonly ranges: readonly IpRange[] };

/** From every member of one to every member of the other that is called otherwise. */
export interface PartyConnection {
  readonly from: Party;
  readonly to: Party;
  readonly ports: PortSet;
}

export interface Connectivity {
  /** Names of all workloads, also of those that may talk to nobody. */
  readonly workloads: ReadonlySet<string>;
  readonly connections: readonly PartyConnection[];
  /** Whom an Ingress or a route leads to, and no policy lets anybody unknown reach there. */
  readonly barred: readonly BarredWay[];
  /** Names of owners whose pods are told apart by policies: a line holds for some of them. Sorted. */
  readonly torn: readonly string[];
}

export function connectivityOf(desk: Desk, now: number): Connectivity {
  const { set, workloads, built } = desk;
  const seats = built.waysIn.length === 0 ? desk : desk.withOthers(CONTROLLER);
  const found = connectionsAmong(set, seats, isMachineDeclared(desk), now);
  const led = ledIn(desk, seats, found.reached);
  const named = namedConnections(
    set,
    seats.index,
    found.connections,
    (other) => connectionsAmong(other, seats, isMachineDeclared(desk), now).connections,
  );
  const names = new Set([...workloads.values()].map(workloadName));
  return {
    workloads: names,
    connections: [...found.connections, ...named, ...led.connections],
    torn: found.torn,
    barred: led.barred,
  };
}

/** Has an Inventory given the addresses of the machine? */
export function isMachineDeclared({ built }: Desk): boolean {
  return built.inventory.hostAddresses.length > 0;
}

interface Found {
  readonly reached: readonly Connection[];
  readonly connections: readonly PartyConnection[];
  readonly torn: readonly string[];
}

/** Of whoever sits there; an ingress controller that nobody knows is not told of. */
export function connectionsAmong(
  set: PolicySet,
  { index, workloads, nodeOf }: Seats,
  withMachine: boolean,
  now: number,
): Found {
  const onNode = [...workloads.values()].filter(({ id }) => !index.workloads.has(id));
  const nameOf = (id: WorkloadId): string => workloadName(workloads.get(id)!);
  const atNode = Map.groupBy(onNode, ({ id }) => nodeOf(id));
  const somewhere = (atNode.get(undefined) ?? []).map(workloadName);
  const namesOf = (id: WorkloadId): readonly string[] => [
    nameOf(id),
    ...(atNode.get(id) ?? []).map(workloadName),
  ];
  const host = workloadParty([...somewhere, ...(withMachine ? [HOST_NAME] : [])]);
  const partyOf = (group: ReachGroup): Party => {
    switch (group.kind) {
      case "workloads":
        return workloadParty(group.workloads.filter((id) => id !== CONTROLLER_ID).flatMap(namesOf));
      case "host":
        return host;
      case "world":
        return group;
    }
  };
  const parties = new Map<ReachGroup, Party>();
  const party = (group: ReachGroup): Party => {
    let known = parties.get(group);
    if (known === undefined) parties.set(group, (known = partyOf(group)));
    return known;
  };
  const reached = reach(set, index, now);
  const connections = reached
    .map(({ from, to, ports }): PartyConnection => ({ from: party(from), to: party(to), ports }))
    .filter(({ from, to }) => !isNobody(from) && !isNobody(to));
  if (somewhere.length > 0) connections.push(...unjudged(somewhere));
  for (const [node, there] of atNode) {
    if (node === undefined) continue;
    const together = workloadParty([nameOf(node), ...there.map(workloadName)]);
    connections.push({ from: together, to: together, ports: allPorts });
  }
  const torn = tornNames([...parties.values()].filter((one) => one !== host));
  return { reached, connections, torn };
}

export function workloadParty(names: readonly string[]): Party {
  return { kind: "workloads", names: [...new Set(names)].toSorted() };
}

function isNobody(party: Party): boolean {
  return party.kind === "workloads" && party.names.length === 0;
}

/** Nobody judges what goes between nodes, and between nodes and the world. */
function unjudged(names: readonly string[]): readonly PartyConnection[] {
  const nodes = workloadParty(names);
  const world: Party = { kind: "world", ranges: [wholeRange(4), wholeRange(6)] };
  return [
    { from: nodes, to: nodes, ports: allPorts },
    { from: nodes, to: world, ports: allPorts },
    { from: world, to: nodes, ports: allPorts },
  ];
}

function tornNames(parties: readonly Party[]): readonly string[] {
  const met = new Set<string>();
  const torn = new Set<string>();
  for (const party of parties) {
    if (party.kind === "world") continue;
    for (const name of party.names) {
      if (met.has(name)) torn.add(name);
      met.add(name);
    }
  }
  return [...torn].toSorted();
}
