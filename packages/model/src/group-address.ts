/**
 * Addresses that are nobody's: whoever listens on the link receives what is sent there. They belong to the entities
 * `broadcast` and `multicast`, never to `world`. Of broadcast addresses only that of every network is known by itself
 * (RFC 919); which address ends a subnet, the subnet's prefix would have to say.
 */
import { cidrRange, rangeContains, type Cidr, type IpRange } from "./cidr.ts";
import { parseIp, type IpAddress, type IpFamily } from "./ip.ts";

export const GROUPS = {
  broadcast: ["255.255.255.255/32"],
  /** RFC 5771, RFC 4291 §2.7. */
  multicast: ["224.0.0.0/4", "ff00::/8"],
} as const satisfies Readonly<Record<string, readonly Cidr[]>>;

export type GroupEntity = keyof typeof GROUPS;

const RANGES = (["broadcast", "multicast"] as const).flatMap((entity) =>
  GROUPS[entity].map((cidr) => ({ entity, range: cidrRange(cidr) })),
);

/** In the order of addresses. */
export const GROUP_RANGES: readonly IpRange[] = RANGES.map(({ range }) => range).toSorted(
  (a, b) => a.family - b.family || (a.first < b.first ? -1 : 1),
);

export const groupAt = (address: {
  readonly family: IpFamily;
  readonly value: bigint;
}): GroupEntity | null => RANGES.find(({ range }) => rangeContains(range, address))?.entity ?? null;

/** Null also for text that is no address. */
export const groupEntityOf = (address: IpAddress): GroupEntity | null => {
  const parsed = parseIp(address);
  return parsed === null ? null : groupAt(parsed);
};
