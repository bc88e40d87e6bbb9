/**
 * Protocols and port sets. A port set says, for every IP protocol, which 16-bit "ports" it holds:
 * destination ports for TCP, UDP and SCTP; `type * 256 + code` for ICMP and ICMPv6; 0 for protocols without ports.
 */

/** IANA protocol number, 0..255. */
export type ProtocolNumber = number;

export const TCP = 6;
export const UDP = 17;
export const SCTP = 132;
export const ICMP = 1;
export const ICMPV6 = 58;

/** A closed interval of ports, 0..65535. */
export interface PortInterval {
  readonly first: number;
  readonly last: number;
}

/**
 * Canonical port set: `byProtocol` sorted by protocol, intervals sorted, disjoint and merged;
 * `others` holds for every protocol that is not listed (all of its ports). A listed protocol whose
 * content equals `others` does not occur, and `others` is what more of the 256 protocols are: all of their ports, or none.
 */
export interface PortSet {
  readonly byProtocol: readonly {
    readonly protocol: ProtocolNumber;
    readonly intervals: readonly PortInterval[];
  }[];
  readonly others: boolean;
}

/** One entry of a rule's `ports`, before named ports are resolved on the destination. */
export type PortMatch =
  | { readonly kind: "all" }
  | {
      readonly kind: "range";
      readonly protocol: ProtocolNumber;
      readonly first: number;
      readonly last: number;
    }
  | { readonly kind: "protocol"; readonly protocol: ProtocolNumber }
  | { readonly kind: "named"; readonly protocol: ProtocolNumber; readonly name: string };

type Intervals = readonly PortInterval[];

export const MAX_PORT = 65535;
const FULL: Intervals = [{ first: 0, last: MAX_PORT }];
const NONE: Intervals = [];

export const emptyPorts: PortSet = { byProtocol: [], others: false };
export const allPorts: PortSet = { byProtocol: [], others: true };

const isFull = (intervals: Intervals): boolean =>
  intervals.length === 1 && intervals[0]?.first === 0 && intervals[0].last === MAX_PORT;

const normalize = (intervals: Intervals): Intervals => {
  if (intervals.length < 2) return intervals;
  const sorted = [...intervals].toSorted((a, b) => a.first - b.first);
  const out: { first: number; last: number }[] = [];
  for (const { first, last } of sorted) {
    const previous = out.at(-1);
    if (previous !== undefined && first <= previous.last + 1) {
      previous.last = Math.max(previous.last, last);
    } else out.push({ first, last });
  }
  return out;
};

const both = (a: Intervals, b: Intervals): Intervals => {
  const out: PortInterval[] = [];
  let i = 0;
  let j = 0;
  for (;;) {
    const left = a[i];
    const right = b[j];
    if (left === undefined || right === undefined) return out;
    const first = Math.max(left.first, right.first);
    const last = Math.min(left.last, right.last);
    if (first <= last) out.push({ first, last });
    if (left.last < right.last) i += 1;
    else j += 1;
  }
};

const complement = (a: Intervals): Intervals => {
  const out: PortInterval[] = [];
  let next = 0;
  for (const { first, last } of a) {
    if (first > next) out.push({ first: next, last: first - 1 });
    next = last + 1;
  }
  if (next <= MAX_PORT) out.push({ first: next, last: MAX_PORT });
  return out;
};

/** The ports of one protocol that the set holds, canonical. */
export const portsOfProtocol = (set: PortSet, protocol: ProtocolNumber): Intervals => {
  for (const entry of set.byProtocol) {
    if (entry.protocol === protocol) return entry.intervals;
    if (entry.protocol > protocol) break;
  }
  return set.others ? FULL : NONE;
};

const PROTOCOLS = 256;

/**
 * A set whose `others` may be either way: with most protocols listed the same could be said with it the other way, and is said
 * the shorter one.
 */
export const turnedPorts = ({ byProtocol, others }: PortSet): PortSet => {
  if (byProtocol.length < PROTOCOLS / 2) return { byProtocol, others };
  const equal = byProtocol.filter(({ intervals }) =>
    others ? intervals.length === 0 : isFull(intervals),
  ).length;
  const rest = PROTOCOLS - byProtocol.length;
  const [full, empty] = others ? [rest, equal] : [equal, rest];
  const wanted = full > empty;
  if (wanted === others) return { byProtocol, others };
  const known = new Map(byProtocol.map(({ protocol, intervals }) => [protocol, intervals]));
  const all = Array.from({ length: PROTOCOLS }, (_, protocol) => ({
    protocol,
    intervals: known.get(protocol) ?? (others ? FULL : NONE),
  }));
  return {
    byProtocol: all.filter(({ intervals }) => (wanted ? !isFull(intervals) : intervals.length > 0)),
    others: wanted,
  };
};

const build = (
  entries: Iterable<readonly [ProtocolNumber, Intervals]>,
  others: boolean,
): PortSet => {
  const byProtocol = [...entries]
    .filter(([, intervals]) => (others ? !isFull(intervals) : intervals.length > 0))
    .toSorted(([a], [b]) => a - b)
    .map(([protocol, intervals]) => ({ protocol, intervals }));
  return turnedPorts({ byProtocol, others });
};

const combine = (
  a: PortSet,
  b: PortSet,
  ports: (left: Intervals, right: Intervals) => Intervals,
  others: boolean,
): PortSet => {
  const protocols = new Set<ProtocolNumber>();
  for (const { protocol } of a.byProtocol) protocols.add(protocol);
  for (const { protocol } of b.byProtocol) protocols.add(protocol);
  return build(
    [...protocols].map((protocol): readonly [ProtocolNumber, Intervals] => [
      protocol,
      ports(portsOfProtocol(a, protocol), portsOfProtocol(b, protocol)),
    ]),
    others,
  );
};

export const union = (a: PortSet, b: PortSet): PortSet =>
  combine(a, b, (left, right) => normalize([...left, ...right]), a.others || b.others);

export const intersect = (a: PortSet, b: PortSet): PortSet =>
  combine(a, b, both, a.others && b.others);

/** What `a` holds and `b` does not. */
export const subtract = (a: PortSet, b: PortSet): PortSet =>
  combine(a, b, (left, right) => both(left, complement(right)), a.others && !b.others);

export const equalPorts = (a: PortSet, b: PortSet): boolean =>
  a.others === b.others &&
  a.byProtocol.length === b.byProtocol.length &&
  a.byProtocol.every(({ protocol, intervals }, i) => {
    const other = b.byProtocol[i];
    return (
      other !== undefined &&
      other.protocol === protocol &&
      other.intervals.length === intervals.length &&
      intervals.every(
        ({ first, last }, j) =>
          other.intervals[j]?.first === first && other.intervals[j]?.last === last,
      )
    );
  });

export const isEmptyPorts = (set: PortSet): boolean => !set.others && set.byProtocol.length === 0;

/** Does `a` hold everything that `b` holds? */
export const coversPorts = (a: PortSet, b: PortSet): boolean => isEmptyPorts(subtract(b, a));

export const hasPort = (set: PortSet, protocol: ProtocolNumber, port: number): boolean => {
  for (const { first, last } of portsOfProtocol(set, protocol)) {
    if (port <= last) return port >= first;
  }
  return false;
};

/** The ports that a name stands for on one destination; none when the destination has no such name. */
export type ResolveNamedPort = (name: string, protocol: ProtocolNumber) => readonly number[];

/** The union of the matches. Named ports go through `resolveNamed` (SEMANTICS trap 4: on the destination). */
export const portsOf = (matches: readonly PortMatch[], resolveNamed: ResolveNamedPort): PortSet => {
  const byProtocol = new Map<ProtocolNumber, PortInterval[]>();
  const add = (protocol: ProtocolNumber, first: number, last: number): void => {
    const list = byProtocol.get(protocol);
    if (list === undefined) byProtocol.set(protocol, [{ first, last }]);
    else list.push({ first, last });
  };
  for (const match of matches) {
    switch (match.kind) {
      case "all":
        return allPorts;
      case "range":
        add(match.protocol, match.first, match.last);
        break;
      case "protocol":
        add(match.protocol, 0, MAX_PORT);
        break;
      case "named":
        for (const port of resolveNamed(match.name, match.protocol)) {
          add(match.protocol, port, port);
        }
        break;
    }
  }
  return build(
    [...byProtocol].map(([protocol, list]): readonly [ProtocolNumber, Intervals] => [
      protocol,
      normalize(list),
    ]),
    false,
  );
};
