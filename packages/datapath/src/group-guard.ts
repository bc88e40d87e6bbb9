/**
 * Broadcast and multicast that an isolated workload may receive. Such frames are addressed to no workload, so no hook for
 * IP sees whom they reach: what stands in the workload's own ingress policy about these addresses is written out where
 * frames leave for its interface. Who may send them is decided at the sender, as for any other destination.
 */
import {
  GROUP_RANGES,
  SCTP,
  TCP,
  UDP,
  cidrRange,
  compareIp,
  familyOf,
  rangeToCidrs,
} from "@bulkhead/model";
import type { ConfinedEndpoint, HostPolicy, PolicyMap, Row, RowInterval } from "@bulkhead/model";
import { wordsOf } from "./family.ts";

const NAMES: ReadonlyMap<number, string> = new Map([
  [TCP, "tcp"],
  [UDP, "udp"],
  [SCTP, "sctp"],
]);
const IGMP = 2;

/** Where all addresses of one family are judged by one class, its map; where they are not, nothing is let in. */
const mapOf = (
  { live }: HostPolicy,
  { addresses }: ConfinedEndpoint,
  family: 4 | 6,
): PolicyMap | undefined => {
  const classes = new Set(
    live.subjects.ingress
      .filter(([address]) => familyOf(address) === family && addresses.includes(address))
      .map(([, id]) => id),
  );
  const [id] = classes;
  return classes.size === 1
    ? live.maps.find(({ classId, direction }) => direction === "ingress" && classId === id)
    : undefined;
};

interface Stretch {
  readonly family: 4 | 6;
  readonly first: bigint;
  readonly last: bigint;
  readonly row: string;
}

/** The groups' addresses, cut as the map cuts them. */
const stretches = ({ ranges, defaultRow }: PolicyMap, family: 4 | 6): Stretch[] => {
  const cut = ranges
    .filter(([first]) => familyOf(first) === family)
    .toSorted(([a], [b]) => compareIp(a, b))
    .map(([first, last, row]) => ({
      first: cidrRange(`${first}/${family === 4 ? 32 : 128}`).first,
      last: cidrRange(`${last}/${family === 4 ? 32 : 128}`).first,
      row,
    }));
  return GROUP_RANGES.filter((group) => group.family === family).flatMap((group) => {
    const found: Stretch[] = [];
    let next = group.first;
    const upTo = (last: bigint, row: string): void => {
      if (next <= last) found.push({ family, first: next, last, row });
      next = last + 1n;
    };
    for (const { first, last, row } of cut) {
      if (last < group.first || first > group.last) continue;
      if (first > next) upTo(first - 1n, defaultRow);
      upTo(last < group.last ? last : group.last, row);
    }
    upTo(group.last, defaultRow);
    return found;
  });
};

const allows = ({ decision }: RowInterval): boolean => decision.verdict === "allow";

/** What of a protocol is let in: everything, some ports, or nothing. ICMP only as a whole. */
const protocolRules = (
  { protocol, intervals }: Row["protocols"][number],
  to: string,
): readonly string[] => {
  if (intervals.every(allows)) return [`${to} meta l4proto ${protocol} accept`];
  const name = NAMES.get(protocol);
  if (name === undefined) return [];
  return intervals
    .filter(allows)
    .map(
      ({ first, last }) =>
        `${to} ${name} dport ${first === last ? first : `${first}-${last}`} accept`,
    );
};

const rowRules = ({ protocols, others }: Row, to: string): readonly string[] => {
  const rest = others.verdict === "allow";
  if (rest && protocols.length === 0) return [`${to} accept`];
  const listed = protocols.map(({ protocol }) => protocol);
  const numbers = listed.length === 1 ? `${listed[0]}` : `{ ${listed.join(", ")} }`;
  return [
    ...protocols.flatMap((entry) => protocolRules(entry, to)),
    ...(rest ? [`${to} meta l4proto != ${numbers} accept`] : []),
  ];
};

/** Rules that accept; empty where nothing is let in. Decisions that end by themselves are left out: these rules do not. */
export const groupRules = (policy: HostPolicy, endpoint: ConfinedEndpoint): readonly string[] =>
  ([4, 6] as const).flatMap((family) => {
    const map = mapOf(policy, endpoint, family);
    if (map === undefined) return [];
    const rules = stretches(map, family).flatMap(({ first, last, row: id }) => {
      const row = policy.rows.find((one) => one.id === id);
      if (row === undefined) throw new Error(`row ${id} is used but not given`);
      return rangeToCidrs({ family, first, last }).flatMap((cidr) => {
        const [address, bits] = cidr.split("/");
        const whole = Number(bits) === (family === 4 ? 32 : 128);
        return rowRules(row, `${wordsOf(family).packetDestination} ${whole ? address : cidr}`);
      });
    });
    // Who listens must be able to say so when a bridge or router asks (RFC 3376); MLD is let in anyway.
    return family === 4 && rules.some((rule) => !rule.includes(" 255.255.255.255 "))
      ? [...rules, `ip daddr 224.0.0.0/4 meta l4proto ${IGMP} accept`]
      : rules;
  });
