/**
 * A row as the kernel asks it: a few intervals one after the other; where there are more, single ports by hash and the rest by
 * prefix, over each protocol's most common decision. What several of them say about a port is the same.
 */
import { MAX_PORT } from "@bulkhead/model";
import { mostCommon, sameDecision } from "../port-intervals.ts";
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

/** `room`: how many are compared one after the other. */
export const rowParts = ({ protocols, others }: Row, room: number): RowParts => {
  const all = protocols.flatMap(({ protocol, intervals }) => {
    const base = mostCommon(intervals);
    return [
      ...intervals
        .filter(({ decision }) => !sameDecision(decision, base))
        .map((interval) => ({ protocol, ...interval })),
      ...(sameDecision(base, others)
        ? []
        : [{ protocol, first: 0, last: MAX_PORT, decision: base }]),
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
