/**
 * A row as the kernel asks it: a few intervals one after the other; where there are more, single ports by hash and the rest by
 * prefix, over each protocol's most common decision. What several of them say about a port is the same.
 */
import { MAX_PORT } from "@bulkhead/model";
import type { ProtocolNumber, Row, RowDecision, RowInterval } from "@bulkhead/model";

export interface ProtocolInterval extends RowInterval {
  readonly protocol: ProtocolNumber;
}

/** Ports whose first `length` bits are those of `port`. */
export interface PortPrefix {
  readonly protocol: ProtocolNumber;
  readonly port: number;
  readonly length: number;
  readonly decision: RowDecision;
}

export interface RowParts {
  readonly few: readonly ProtocolInterval[];
  readonly ports: readonly ProtocolInterval[];
  readonly ranges: readonly PortPrefix[];
}

const BITS = 16;

const same = (a: RowDecision, b: RowDecision): boolean =>
  a.verdict === b.verdict && a.cookie === b.cookie;

/** The shortest list of prefixes that covers exactly these ports. */
const prefixesOf = (protocol: ProtocolNumber, interval: RowInterval): PortPrefix[] => {
  const { last, decision } = interval;
  const found: PortPrefix[] = [];
  for (let port = interval.first; port <= last;) {
    let bits = 0;
    while (bits < BITS && port % 2 ** (bits + 1) === 0 && port + 2 ** (bits + 1) - 1 <= last)
      bits += 1;
    found.push({ protocol, port, length: BITS - bits, decision });
    port += 2 ** bits;
  }
  return found;
};

/** What most ports of a protocol say. */
const baseOf = (intervals: readonly RowInterval[]): RowDecision => {
  const sizes = new Map<string, { decision: RowDecision; size: number }>();
  for (const { first, last, decision } of intervals) {
    const key = `${decision.verdict} ${decision.cookie}`;
    const size = (sizes.get(key)?.size ?? 0) + last - first + 1;
    sizes.set(key, { decision, size });
  }
  const [most] = [...sizes.values()].toSorted((a, b) => b.size - a.size);
  if (most === undefined) throw new Error("a listed protocol has no intervals");
  return most.decision;
};

/** `room`: how many are compared one after the other. */
export const rowParts = ({ protocols, others }: Row, room: number): RowParts => {
  const all = protocols.flatMap(({ protocol, intervals }) => {
    const base = baseOf(intervals);
    return [
      ...intervals
        .filter(({ decision }) => !same(decision, base))
        .map((interval) => ({ protocol, ...interval })),
      ...(same(base, others) ? [] : [{ protocol, first: 0, last: MAX_PORT, decision: base }]),
    ];
  });
  if (all.length <= room) return { few: all, ports: [], ranges: [] };
  const single = all.filter(({ first, last }) => first === last);
  const wide = all.filter(({ first, last }) => first !== last);
  return {
    few: [],
    ports: single,
    ranges: wide.flatMap(({ protocol, ...interval }) => prefixesOf(protocol, interval)),
  };
};
