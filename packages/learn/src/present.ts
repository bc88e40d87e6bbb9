/** Who is there now, by role, and what sets hold: over them it is counted what a rule permits. */
import { cidrRange, type Inventory, type Labels, type SuggestedNetworkSet } from "@bulkhead/model";
import type { Need } from "./drafts.ts";
import type { Grouping, Member } from "./groups.ts";
import { groupBy, push } from "./order.ts";

/** Everybody who is there, and what sets hold. */
export interface Present {
  readonly grouping: Grouping;
  /** By namespace. */
  readonly kinds: ReadonlyMap<string, readonly Kind[]>;
  readonly ids: ReadonlySet<string>;
  /** By full name, `shop/api.example.com`. */
  readonly sets: ReadonlyMap<string, SuggestedNetworkSet>;
}

/** Those of a role, whom a peer of a rule names all or none; whoever has no role is one by himself. */
interface Kind {
  /** Of the role; empty without. */
  readonly key: string;
  readonly labels: Labels;
  readonly size: number;
}

export function presentOf(
  members: readonly Member[],
  inventory: Inventory,
  grouping: Grouping,
  networkSets: readonly SuggestedNetworkSet[],
): Present {
  const known = new Set(inventory.workloads.map(({ id }) => id));
  const there = known.size === 0 ? members : members.filter(({ id }) => known.has(id));
  const kinds = new Map<string, Kind[]>();
  for (const own of groupBy(
    there,
    ({ id }) => grouping.groupOf.get(id)?.id ?? `\n${id}`,
  ).values()) {
    const [first] = own;
    if (first === undefined) continue;
    const { id, namespace, labels } = first;
    const key = grouping.groupOf.get(id)?.id ?? "";
    push(kinds, namespace, { key, labels, size: own.length });
  }
  return {
    grouping,
    kinds,
    ids: new Set(there.map(({ id }) => id)),
    sets: new Map(networkSets.map((set) => [`${set.namespace}/${set.name}`, set])),
  };
}

/** Its prefixes are disjoint. */
export function addressesIn({ cidrs }: SuggestedNetworkSet): number {
  return cidrs.reduce((sum, cidr) => {
    const { first, last } = cidrRange(cidr);
    return sum + Number(last - first + 1n);
  }, 0);
}

/** How many somebodies an end of a rule is. */
export function sizeOf(end: Need["source"], { ids, sets }: Present): number {
  switch (end.kind) {
    case "host":
      return 1;
    case "set": {
      const set = sets.get(end.name);
      return set === undefined ? 1 : addressesIn(set);
    }
    case "group":
      return end.group.members.reduce((count, id) => count + (ids.has(id) ? 1 : 0), 0);
  }
}
