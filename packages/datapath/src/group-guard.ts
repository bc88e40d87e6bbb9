/**
 * Broadcast and multicast that an isolated workload may receive. Such frames are addressed to no workload, so no hook for
 * IP sees whom they reach: what stands in the workload's own ingress policy about these addresses is written out where
 * frames leave for its interface. Who may send them is decided at the sender, as for any other destination.
 */
import {
  GROUP_RANGES,
  MAX_PORT,
  SCTP,
  TCP,
  UDP,
  cidrRange,
  compareIp,
  familyOf,
  rangeToCidrs,
} from "@bulkhead/model";
import type {
  ConfinedEndpoint,
  HostPolicy,
  IpRange,
  OverlayEntry,
  PolicyMap,
  Row,
  RowInterval,
} from "@bulkhead/model";
import { wordsOf } from "./family.ts";

const NAMES: ReadonlyMap<number, string> = new Map([
  [TCP, "tcp"],
  [UDP, "udp"],
  [SCTP, "sctp"],
]);
const IGMP = 2;
const PROTOCOLS = 256;

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

interface Stretch extends IpRange {
  readonly row: string;
}

const rangeOf = (first: string, last: string): IpRange => {
  const family = familyOf(first);
  const bits = family === 4 ? 32 : 128;
  return {
    family,
    first: cidrRange(`${first}/${bits}`).first,
    last: cidrRange(`${last}/${bits}`).first,
  };
};

/** The groups' addresses, cut as the map cuts them. */
const stretches = ({ ranges, defaultRow }: PolicyMap, family: 4 | 6): Stretch[] => {
  const cut = ranges
    .filter(([first]) => familyOf(first) === family)
    .toSorted(([a], [b]) => compareIp(a, b))
    .map(([first, last, row]) => ({ ...rangeOf(first, last), row }));
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

/** A denial that ends by itself. */
interface Denial extends Pick<OverlayEntry, "protocol" | "ports" | "decision"> {
  readonly range: IpRange;
}

/** Whether its time has come is not asked: it is gone when the policy is compiled again, and until then it holds. */
const denialsOf = ({ live }: HostPolicy, { classId }: PolicyMap, family: 4 | 6): Denial[] =>
  live.overlay
    .filter(
      (entry) =>
        entry.classId === classId &&
        entry.direction === "ingress" &&
        !allows(entry) &&
        familyOf(entry.peer[0]) === family,
    )
    .map(({ peer, ...rest }) => ({ ...rest, range: rangeOf(...peer) }));

/** Such that a denial holds for all of a piece or for none of it. */
const cutBy = ({ first, last, ...rest }: Stretch, denials: readonly Denial[]): Stretch[] => {
  const inside = denials
    .flatMap(({ range }) => [range.first, range.last + 1n])
    .filter((start) => start > first && start <= last)
    .toSorted((a, b) => (a < b ? -1 : 1));
  const starts = [...new Set([first, ...inside])];
  return starts.map((start, at) => ({
    ...rest,
    first: start,
    last: (starts[at + 1] ?? last + 1n) - 1n,
  }));
};

/** The row, with what is denied for a time. */
const rowUnder = (row: Row, denials: readonly Denial[]): Row => {
  const protocols = new Map(row.protocols.map(({ protocol, intervals }) => [protocol, intervals]));
  for (const { protocol, ports, decision } of denials) {
    const before = protocols.get(protocol) ?? [{ first: 0, last: MAX_PORT, decision: row.others }];
    const after = before.flatMap((interval): RowInterval[] => [
      { ...interval, last: Math.min(interval.last, ports[0] - 1) },
      {
        first: Math.max(interval.first, ports[0]),
        last: Math.min(interval.last, ports[1]),
        decision,
      },
      { ...interval, first: Math.max(interval.first, ports[1] + 1) },
    ]);
    protocols.set(
      protocol,
      after.filter(({ first, last }) => first <= last),
    );
  }
  return {
    ...row,
    protocols: [...protocols]
      .toSorted(([a], [b]) => a - b)
      .map(([protocol, intervals]) => ({ protocol, intervals })),
  };
};

const allows = ({ decision }: Pick<RowInterval, "decision">): boolean =>
  decision.verdict === "allow";

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
    ...(rest && listed.length < PROTOCOLS ? [`${to} meta l4proto != ${numbers} accept`] : []),
  ];
};

/**
 * Rules that accept; empty where nothing is let in. They have no end of their own, so what is allowed for a time opens
 * nothing here, and what is denied for a time is shut.
 */
export const groupRules = (policy: HostPolicy, endpoint: ConfinedEndpoint): readonly string[] =>
  ([4, 6] as const).flatMap((family) => {
    const map = mapOf(policy, endpoint, family);
    if (map === undefined) return [];
    const denials = denialsOf(policy, map, family);
    const pieces = stretches(map, family).flatMap((stretch) => cutBy(stretch, denials));
    const rules = pieces.flatMap(({ first, last, row: id }) => {
      const found = policy.rows.find((one) => one.id === id);
      if (found === undefined) throw new Error(`row ${id} is used but not given`);
      const row = rowUnder(
        found,
        denials.filter(({ range }) => range.first <= first && last <= range.last),
      );
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
