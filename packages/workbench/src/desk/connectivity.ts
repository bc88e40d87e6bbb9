/**
 * All permitted connections of a desk, between parties: sets of workloads that policies treat alike, and stretches of
 * the world. As many as there are classes, not pods; `pairs.ts` writes them out.
 */
import { reach, type ReachGroup } from "@bulkhead/engine";
import { allPorts, wholeRange, type IpRange, type PortSet } from "@bulkhead/model";
import type { Desk } from "./desk.ts";
import { HOST_NAME, workloadName } from "./end-names.ts";

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
  /** Names of owners whose pods are told apart by policies: a line holds for some of them. Sorted. */
  readonly torn: readonly string[];
}

export function connectivityOf(desk: Desk, now: number): Connectivity {
  const { set, index, workloads, built } = desk;
  const onNode = [...workloads.values()].filter(({ id }) => !index.workloads.has(id));
  const machine = built.inventory.hostAddresses.length > 0 ? [HOST_NAME] : [];
  const host: Party = workloadParty([...onNode.map(workloadName), ...machine]);
  const parties = new Map<ReachGroup, Party>();
  const party = (group: ReachGroup): Party => {
    let found = parties.get(group);
    if (found === undefined) parties.set(group, (found = partyOf(group, desk, host)));
    return found;
  };
  const found = reach(set, index, now).map(({ from, to, ports }): PartyConnection => ({
    from: party(from),
    to: party(to),
    ports,
  }));
  const connections = found.filter(({ from, to }) => !isNobody(from) && !isNobody(to));
  if (onNode.length > 0) connections.push(...unjudged(onNode.map(workloadName)));
  const torn = tornNames([...parties.values()].filter((one) => one !== host));
  return { workloads: new Set([...workloads.values()].map(workloadName)), connections, torn };
}

function partyOf(group: ReachGroup, { workloads }: Desk, host: Party): Party {
  switch (group.kind) {
    case "workloads":
      return workloadParty(group.workloads.map((id) => workloadName(workloads.get(id)!)));
    case "host":
      return host;
    case "world":
      return group;
  }
}

function workloadParty(names: readonly string[]): Party {
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
