/**
 * Rules by domain name hold the addresses that were seen behind the name; DNS may give others any day. This watches what
 * flows tell of names against the sets in force, and says so while there are addresses that a set lacks.
 */
import { cidrRange, parseIp, rangeContains, type Flow, type IpAddress } from "@bulkhead/model";
import type { DomainSet } from "../policy/domain-sets.ts";

export interface NameWatch {
  /** What is in force from now on. */
  adopt(sets: readonly DomainSet[]): void;
  see(flows: readonly Flow[]): void;
  /** One sentence a set that lacks addresses, in order of their names. */
  notices(): readonly string[];
}

/** More would be told as one number anyway. */
const MOST_REMEMBERED = 100;
const SHOWN = 2;

export function createNameWatch(): NameWatch {
  let byDomain = new Map<string, DomainSet[]>();
  let missing = new Map<string, { readonly set: DomainSet; readonly addresses: Set<IpAddress> }>();

  function miss(set: DomainSet, address: IpAddress): void {
    const known = missing.get(set.name) ?? { set, addresses: new Set<IpAddress>() };
    missing.set(set.name, known);
    if (known.addresses.size < MOST_REMEMBERED) known.addresses.add(address);
  }

  return {
    adopt(sets) {
      byDomain = new Map();
      for (const set of sets) {
        byDomain.set(set.domain, [...(byDomain.get(set.domain) ?? []), set]);
      }
      const before = missing;
      missing = new Map();
      for (const set of sets) {
        for (const address of before.get(set.name)?.addresses ?? []) {
          if (!holds(set, address)) miss(set, address);
        }
      }
    },
    see(flows) {
      if (byDomain.size === 0) return;
      for (const { source, destination } of flows) {
        const namespace = source.workload?.split("/")[0];
        if (namespace === undefined) continue;
        for (const name of destination.names ?? []) {
          for (const set of byDomain.get(name) ?? []) {
            // Sets of a namespace are for its workloads; others have their own of the same name.
            if (!set.name.startsWith(`${namespace}/`) || holds(set, destination.address)) continue;
            miss(set, destination.address);
          }
        }
      }
    },
    notices() {
      return [...missing.values()]
        .map(({ set, addresses }) => {
          const some = [...addresses].toSorted().slice(0, SHOWN).join(", ");
          const rest = addresses.size > SHOWN ? ` and ${addresses.size - SHOWN} more` : "";
          return `\`${set.domain}\` stands for ${some}${rest} too, which \`NetworkSet/${set.name}\` does not hold: rules that name the set do not allow them; \`bulkhead suggest\` proposes them`;
        })
        .toSorted();
    },
  };
}

function holds({ cidrs }: DomainSet, address: IpAddress): boolean {
  const parsed = parseIp(address);
  if (parsed === null) return false;
  return cidrs.some((cidr) => {
    const range = cidrRange(cidr);
    return range.family === parsed.family && rangeContains(range, parsed);
  });
}
