/** NetworkSets in force that hold the addresses of a domain name, as their annotation says, and prefixes that a person said. */
import { cidrRange, DNS_NAME_ANNOTATION, type Cidr } from "@bulkhead/model";
import { DEFAULT_NAMESPACE } from "@bulkhead/dialects";
import type { HeldResource } from "./candidate.ts";

export interface DomainSet {
  /** As policies name it: `shop/api.example.com`. */
  readonly name: string;
  readonly domain: string;
  readonly cidrs: readonly Cidr[];
}

/** Domain names by the sets that stand for them. */
export const namesOf = (sets: readonly DomainSet[]): ReadonlyMap<string, string> =>
  new Map(sets.map(({ name, domain }) => [name, domain]));

export function domainSetsOf(held: readonly HeldResource[]): readonly DomainSet[] {
  return held.flatMap(({ resource }): readonly DomainSet[] => {
    if (resource.dialect !== "native" || resource.object.kind !== "NetworkSet") return [];
    const { metadata, spec } = resource.object;
    const domain = metadata.annotations?.[DNS_NAME_ANNOTATION];
    if (domain === undefined) return [];
    const name = `${metadata.namespace ?? DEFAULT_NAMESPACE}/${metadata.name}`;
    return [{ name, domain: domain.toLowerCase(), cidrs: spec.cidrs }];
  });
}

/** What only a person can have said: a suggestion names single addresses. */
export function saidRanges(held: readonly HeldResource[]): readonly Cidr[] {
  return held.flatMap(({ resource }): readonly Cidr[] => {
    if (resource.dialect !== "native" || resource.object.kind !== "NetworkSet") return [];
    return resource.object.spec.cidrs.filter((cidr) => {
      const { first, last } = cidrRange(cidr);
      return first !== last;
    });
  });
}
