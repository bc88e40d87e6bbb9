/**
 * The ends that a question of proof is about: workloads, the machine, stretches of the world. A group of ends holds some of
 * them, and what of a stretch of the world is really nobody's is told here: policies group all addresses, owned ones too.
 */
import { LAST_ADDRESS, type IpRange, type WorkloadId } from "@bulkhead/model";
import type { InventoryIndex } from "../inventory-index.ts";
import type { ReachGroup } from "../reach/reach-groups.ts";
import type { ReachEnd } from "../reach/reach.ts";
import { LOOPBACK } from "../socket-owners.ts";
import { typicalFirst } from "./typical-address.ts";

export interface Selection {
  readonly workloads: ReadonlySet<WorkloadId>;
  /** The machine itself. */
  readonly host: boolean;
  /** Of the world; they may overlap. Addresses in them that somebody owns are not meant. */
  readonly ranges: readonly IpRange[];
}

/** Those of the group that are selected; the most telling first. */
export function membersOf(
  group: ReachGroup,
  { workloads, host, ranges }: Selection,
  index: InventoryIndex,
): ReachEnd[] {
  switch (group.kind) {
    case "workloads":
      return group.workloads
        .filter((workload) => workloads.has(workload))
        .map((workload) => ({ kind: "workload", workload }));
    case "host":
      return host ? [{ kind: "host" }] : [];
    case "world": {
      const asked = group.ranges.flatMap((range) => ranges.flatMap((one) => common(range, one)));
      return typicalFirst(ownerless(asked, index)).map((range) => ({ kind: "world", range }));
    }
  }
}

/** Everyone in the group. */
export function everyoneIn(group: ReachGroup, index: InventoryIndex): ReachEnd[] {
  switch (group.kind) {
    case "workloads":
      return group.workloads.map((workload) => ({ kind: "workload", workload }));
    case "host":
      return [{ kind: "host" }];
    case "world":
      return typicalFirst(ownerless(group.ranges, index)).map((range) => ({
        kind: "world",
        range,
      }));
  }
}

export function isSameEnd(a: ReachEnd, b: ReachEnd): boolean {
  if (a.kind === "workload") return b.kind === "workload" && a.workload === b.workload;
  return a.kind === "host" && b.kind === "host";
}

function common(a: IpRange, b: IpRange): IpRange[] {
  if (a.family !== b.family) return [];
  const first = a.first > b.first ? a.first : b.first;
  const last = a.last < b.last ? a.last : b.last;
  return first <= last ? [{ family: a.family, first, last }] : [];
}

/** The ranges without the addresses of workloads and of the machine, of which loopback is one. */
function ownerless(ranges: readonly IpRange[], { known }: InventoryIndex): IpRange[] {
  return ranges.flatMap(abroad).flatMap((range) => {
    const left: IpRange[] = [];
    let { first } = range;
    for (let at = firstFrom(known, range); at < known.length; at++) {
      const { family, value } = known[at]!;
      if (family !== range.family || value > range.last) break;
      if (first < value) left.push({ ...range, first, last: value - 1n });
      first = value + 1n;
    }
    if (first <= range.last) left.push({ ...range, first });
    return left;
  });
}

function abroad(range: IpRange): IpRange[] {
  const { family } = range;
  const below = { family, first: 0n, last: LOOPBACK[family].first - 1n };
  const above = { family, first: LOOPBACK[family].last + 1n, last: LAST_ADDRESS[family] };
  return [...common(range, below), ...common(range, above)];
}

/** Position of the first known address that is not below the range. */
function firstFrom(known: InventoryIndex["known"], { family, first }: IpRange): number {
  let [low, high] = [0, known.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const place = known[middle]!;
    const isBelow = place.family < family || (place.family === family && place.value < first);
    if (isBelow) low = middle + 1;
    else high = middle;
  }
  return low;
}
