/**
 * Addresses for ends that no file gives any: manifests say who runs, not where. A stand-in is in no prefix that a policy
 * names, save those that hold every address of their family, so that nothing but being somebody is decided by it. They
 * are never printed (`docs/decisions/0075-stand-in-addresses.md`).
 */
import {
  cidrRange,
  formatIp,
  GROUP_RANGES,
  LAST_ADDRESS,
  type IpAddress,
  type IpFamily,
  type IpRange,
  type Peer,
  type PolicySet,
} from "@bulkhead/model";

/** Where stand-ins are looked for first: reserved for future use (RFC 1112 §4), and discard-only (RFC 6666). */
const PREFERRED: Readonly<Record<IpFamily, bigint>> = {
  4: cidrRange("240.0.0.0/4").first,
  6: cidrRange("100::/64").first,
};
/** The machine to itself, everybody, nobody; and in ::/64 also what is IPv4 by another name. */
const TAKEN: readonly IpRange[] = [
  ...GROUP_RANGES,
  ...(["0.0.0.0/8", "127.0.0.0/8", "::/64"] as const).map(cidrRange),
];

/** Prefixes and their exceptions, wherever a rule of any of the sets names them. */
export function namedRanges(sets: readonly PolicySet[]): IpRange[] {
  const peers = sets.flatMap(({ stages }) =>
    stages.flatMap(({ blocks }) =>
      blocks.flatMap(({ rules }) => rules.flatMap((rule): readonly Peer[] => rule.peers)),
    ),
  );
  return peers.flatMap((peer) =>
    peer.kind === "cidr" ? [peer.cidr, ...peer.except].map(cidrRange) : [],
  );
}

/**
 * So many addresses of a family, one after the other, in none of the ranges. Where the ranges leave too few (somebody
 * wrote 0.0.0.0/1 and 128.0.0.0/1 for everybody) the rest comes from among them.
 */
export function standIns(
  family: IpFamily,
  count: number,
  named: readonly IpRange[],
): readonly IpAddress[] {
  const last = LAST_ADDRESS[family];
  const isWhole = (range: IpRange): boolean => range.first === 0n && range.last === last;
  const outside = named.filter((range) => range.family === family && !isWhole(range));
  const reserved = TAKEN.filter((range) => range.family === family);
  const found = new Set<bigint>();
  for (const taken of [[...outside, ...reserved], reserved]) {
    const free = gaps(taken, last);
    const preferred = free.map(({ first, last: end }) => ({
      first: first < PREFERRED[family] ? PREFERRED[family] : first,
      last: end,
    }));
    for (const gap of [...preferred, ...free]) {
      for (let at = gap.first; at <= gap.last && found.size < count; at++) found.add(at);
    }
  }
  return [...found].map((value) => formatIp(family, value));
}

/** What the ranges leave of a family's addresses. */
function gaps(
  taken: readonly IpRange[],
  last: bigint,
): { readonly first: bigint; readonly last: bigint }[] {
  const left: { readonly first: bigint; readonly last: bigint }[] = [];
  let from = 0n;
  for (const range of taken.toSorted((a, b) => (a.first < b.first ? -1 : 1))) {
    if (from < range.first) left.push({ first: from, last: range.first - 1n });
    if (range.last >= from) from = range.last + 1n;
  }
  if (from <= last) left.push({ first: from, last });
  return left;
}
