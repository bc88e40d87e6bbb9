/** A map of a cluster's class in the words of a PolicyMap: entries by address, where what lies beneath says something else. */
import {
  formatIp,
  parseIp,
  type IpAddress,
  type IpFamily,
  type IpValue,
  type Profile,
} from "@bulkhead/model";
import { byAddress } from "../inventory-index.ts";
import { isLoopback } from "../socket-owners.ts";
import type { ClusterMap } from "./cluster-map.ts";
import type { MapMaker } from "./map-maker.ts";
import type { Roster } from "./roster.ts";

/** Rows are numbers; else as in a PolicyMap. */
export interface ExpandedMap {
  readonly exact: readonly (readonly [IpAddress, number])[];
  readonly ranges: readonly (readonly [IpAddress, IpAddress, number])[];
  readonly defaultRow: number;
}

interface Found extends IpValue {
  readonly address: IpAddress;
  readonly row: number;
}

export function expand(
  map: ClusterMap,
  maker: MapMaker,
  roster: Roster,
  hostAddresses: readonly IpAddress[],
  { nodeExempt }: Profile,
): ExpandedMap {
  const found: Found[] = [];
  const add = (place: IpValue & { readonly address: IpAddress }, row: number) => {
    if (row !== map.beneath(place)) found.push({ ...place, row });
  };
  if (map.isUneven) {
    const rows = new Map(map.hits.map((group, at) => [group, map.rows[at]!]));
    for (const address of roster.addresses) {
      const place = placeOf(address);
      const group = roster.at(address)!;
      const inside = map.prefixesAt(place);
      const row = inside.length === 0 ? rows.get(group) : maker.rowOf(map, group, inside);
      add(place, row ?? map.known);
    }
  } else {
    for (const [at, { members }] of map.hits.entries()) {
      for (const address of members) add(placeOf(address), map.rows[at]!);
    }
  }
  if (!(nodeExempt && map.direction === "ingress")) {
    for (const address of new Set(hostAddresses)) {
      const place = placeOf(address);
      if (roster.at(address) !== undefined || isLoopback(place)) continue;
      add(place, map.hostRow(place));
    }
  }
  return {
    exact: found.toSorted(byAddress).map(({ address, row }) => [address, row]),
    ranges: rangesOf(map),
    defaultRow: map.elsewhere,
  };
}

function rangesOf({ world, elsewhere }: ClusterMap): [IpAddress, IpAddress, number][] {
  const merged: { family: IpFamily; first: bigint; last: bigint; row: number }[] = [];
  for (const { family, first, last, row } of world) {
    const previous = merged.at(-1);
    if (row === elsewhere) continue;
    if (previous?.family === family && previous.last + 1n === first && previous.row === row) {
      previous.last = last;
    } else merged.push({ family, first, last, row });
  }
  return merged.map(({ family, first, last, row }) => [
    formatIp(family, first),
    formatIp(family, last),
    row,
  ]);
}

function placeOf(address: IpAddress): IpValue & { readonly address: IpAddress } {
  const parsed = parseIp(address);
  if (parsed === null) throw new TypeError(`not an IP address: \`${address}\``);
  return { address, family: parsed.family, value: parsed.value };
}
