/**
 * Names for addresses, for people: the workload, the host, the narrowest NetworkSet that holds it, broadcast, multicast, or the world. The
 * same end is the same object for as long as nothing changes, so that its labels are serialised once.
 */
import {
  groupAt,
  parseCidr,
  parseIp,
  type Cidr,
  type FlowEnd,
  type IpAddress,
  type IpRange,
} from "@bulkhead/model";
import type { World } from "./world.ts";

export interface NamedSet {
  /** As policies name it. */
  readonly name: string;
  readonly cidrs: readonly Cidr[];
}

export type Namer = (address: IpAddress) => FlowEnd;

const MAX_NAMES = 100_000;

export function createNamer(world: World, sets: readonly NamedSet[]): Namer {
  const known = new Map<IpAddress, FlowEnd>();
  const ranges = sets
    .flatMap((set) => set.cidrs.flatMap((text) => rangeOf(set.name, text)))
    .toSorted((a, b) => Number(a.size - b.size) || (a.name < b.name ? -1 : 1));

  function nameOutside(address: IpAddress): string {
    const parsed = parseIp(address);
    if (parsed === null) return "world";
    const group = groupAt(parsed);
    const found = ranges.find(
      ({ range }) =>
        range.family === parsed.family && range.first <= parsed.value && parsed.value <= range.last,
    );
    return found?.name ?? group ?? "world";
  }

  return (address) => {
    const before = known.get(address);
    if (before !== undefined) return before;
    const place = world.index.at(address);
    const end: FlowEnd =
      place.kind === "workload"
        ? {
            address,
            workload: place.workload.id,
            name: place.workload.id,
            labels: place.workload.labels,
          }
        : { address, name: place.kind === "host" ? "host" : nameOutside(address), labels: {} };
    // The outside has more addresses than memory.
    if (known.size >= MAX_NAMES) known.clear();
    known.set(address, end);
    return end;
  };
}

function rangeOf(name: string, text: string): { name: string; range: IpRange; size: bigint }[] {
  const parsed = parseCidr(text);
  if (parsed === null) return [];
  const { range } = parsed;
  return [{ name, range, size: range.last - range.first }];
}
