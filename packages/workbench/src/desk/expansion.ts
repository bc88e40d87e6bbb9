/**
 * Connectivity by name: what one end reaches, found for all ends of the same parties at once and remembered. Nothing
 * is held for pairs: ten thousand workloads that may all talk are a hundred million of them.
 */
import { isEmptyPorts, union, type PortSet } from "@bulkhead/model";
import type { Connectivity, Party, PartyConnection } from "./connectivity.ts";
import { worldPieces, type WorldPiece } from "./world-pieces.ts";

/** By the rank of the other end's name among all names. */
export type Row = readonly (PortSet | undefined)[];

export interface Expansion {
  /** Of workloads; sorted. */
  readonly names: readonly string[];
  /** -1: it is not among the names. */
  rankOf(name: string): number;
  /** What it reaches, itself perhaps included. The same array for all that reach the same. */
  rowOf(name: string): Row;
  /** Stretches of the world that it reaches, and that reach it. */
  worldOf(name: string, way: "to" | "from"): readonly WorldPiece[];
}

interface Profile {
  readonly parties: readonly Party[];
  row?: Row;
  to?: readonly WorldPiece[];
  from?: readonly WorldPiece[];
}

/** What of connections is looked at. */
export interface Sight {
  /** What of the ports; all of them, if absent. */
  readonly project?: (ports: PortSet) => PortSet;
  /** Which names; all of them, if absent. */
  readonly sees?: (name: string) => boolean;
}

export function expand(
  { connections: given }: Pick<Connectivity, "connections">,
  { project = (ports) => ports, sees = () => true }: Sight = {},
): Expansion {
  const connections = given
    .map((one) => ({ ...one, ports: project(one.ports) }))
    .filter(({ ports }) => !isEmptyPorts(ports));
  const parties = [...new Set(given.flatMap(({ from, to }) => [from, to]))];
  const namesOf = (party: Party): readonly string[] =>
    party.kind === "world" ? [] : party.names.filter(sees);
  const profiles = profilesOf(parties, namesOf);
  const names = [...profiles.keys()].toSorted();
  const rankOf = new Map(names.map((name, rank) => [name, rank]));
  const ranksOf = new Map(
    parties.map((one) => [one, namesOf(one).map((name) => rankOf.get(name)!)]),
  );
  const bySource = grouped(connections, ({ from }) => from);
  const byDestination = grouped(connections, ({ to }) => to);
  const leaving = ({ parties: own }: Profile) => own.flatMap((one) => bySource.get(one) ?? []);
  const arriving = ({ parties: own }: Profile) =>
    own.flatMap((one) => byDestination.get(one) ?? []);
  return {
    names,
    rankOf: (name) => rankOf.get(name) ?? -1,
    rowOf(name) {
      const profile = profiles.get(name);
      if (profile === undefined) return [];
      return (profile.row ??= rowOf(leaving(profile), ranksOf));
    },
    worldOf(name, way) {
      const profile = profiles.get(name);
      if (profile === undefined) return [];
      return (profile[way] ??=
        way === "to"
          ? worldPieces(leaving(profile).flatMap(({ to, ports }) => stretches(to, ports)))
          : worldPieces(arriving(profile).flatMap(({ from, ports }) => stretches(from, ports))));
    },
  };
}

/** Names that belong to the same parties share one. */
function profilesOf(
  parties: readonly Party[],
  namesOf: (party: Party) => readonly string[],
): ReadonlyMap<string, Profile> {
  const homes = new Map<string, number[]>();
  for (const [number, party] of parties.entries()) {
    for (const name of namesOf(party)) {
      const home = homes.get(name);
      if (home === undefined) homes.set(name, [number]);
      else home.push(number);
    }
  }
  const byHome = new Map<string, Profile>();
  return new Map(
    [...homes].map(([name, home]) => {
      const key = home.join();
      let profile = byHome.get(key);
      if (profile === undefined) {
        profile = { parties: home.map((number) => parties[number]!) };
        byHome.set(key, profile);
      }
      return [name, profile];
    }),
  );
}

function rowOf(
  leaving: readonly PartyConnection[],
  ranksOf: ReadonlyMap<Party, readonly number[]>,
): Row {
  const row: (PortSet | undefined)[] = [];
  for (const { to, ports } of leaving) {
    for (const rank of ranksOf.get(to)!) {
      const before = row[rank];
      row[rank] = before === undefined ? ports : union(before, ports);
    }
  }
  return row;
}

function stretches(party: Party, ports: PortSet): readonly WorldPiece[] {
  return party.kind === "world" ? party.ranges.map((range) => ({ range, ports })) : [];
}

function grouped(
  all: readonly PartyConnection[],
  keyOf: (one: PartyConnection) => Party,
): ReadonlyMap<Party, readonly PartyConnection[]> {
  const groups = new Map<Party, PartyConnection[]>();
  for (const one of all) {
    const key = keyOf(one);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [one]);
    else group.push(one);
  }
  return groups;
}
