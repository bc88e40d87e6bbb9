/**
 * One packet that stands for what was found over sets: real addresses of both ends and one port, found by asking the
 * reference, so that every counterexample is one by `decide` as well.
 */
import {
  familyOf,
  ICMP,
  ICMPV6,
  portsOfProtocol,
  SCTP,
  TCP,
  UDP,
  type FlowQuery,
  type PortSet,
} from "@bulkhead/model";
import { askedHost, askedWorkload, questionsBetween, type AskedEnd } from "../asked-end.ts";
import type { InventoryIndex } from "../inventory-index.ts";
import type { ReachEnd } from "../reach/reach.ts";
import { typicalAddress } from "./typical-address.ts";

type PortOf = Pick<FlowQuery, "protocol" | "port">;

/** A way between two ends, with all the ports that it stands for, and one packet that takes it. */
export interface Hop {
  readonly from: ReachEnd;
  readonly to: ReachEnd;
  readonly ports: PortSet;
  readonly packet: FlowQuery;
}

/** The first packet from `from` to `to` on one of these ports that answers `isWanted`. There must be one. */
export function packetBetween(
  index: InventoryIndex,
  from: ReachEnd,
  to: ReachEnd,
  ports: PortSet,
  isWanted: (query: FlowQuery) => boolean,
): FlowQuery {
  const found = findPacket(index, from, to, ports, isWanted);
  if (found !== null) return found;
  throw new Error(`sets and pairs disagree about ${textOf(from)} → ${textOf(to)}`);
}

export function findPacket(
  index: InventoryIndex,
  from: ReachEnd,
  to: ReachEnd,
  ports: PortSet,
  isWanted: (query: FlowQuery) => boolean,
): FlowQuery | null {
  const [source, destination] = [askedEnd(from, index), askedEnd(to, index)];
  for (const one of typicalPorts(ports)) {
    for (const query of everyQuestion(index, source, destination, one)) {
      if (isWanted(query)) return query;
    }
  }
  return null;
}

function askedEnd(end: ReachEnd, index: InventoryIndex): AskedEnd {
  switch (end.kind) {
    case "workload":
      return askedWorkload(end.workload, index);
    case "host":
      return askedHost(index);
    case "world":
      return { addresses: [typicalAddress(end.range)], isProcess: false };
  }
}

/** Processes also meet at the machine's addresses, where these differ. */
function everyQuestion(
  index: InventoryIndex,
  from: AskedEnd,
  to: AskedEnd,
  port: PortOf,
): FlowQuery[] {
  const usual = questionsBetween(index, from, to, port);
  if (!from.isProcess && !to.isProcess) return usual;
  const who = {
    ...(from.process === undefined ? {} : { sourceProcess: from.process }),
    ...(to.process === undefined ? {} : { destinationProcess: to.process }),
  };
  const crossed = from.addresses.flatMap((source) =>
    to.addresses
      .filter((destination) => familyOf(source) === familyOf(destination))
      .map((destination) => ({ source, destination, ...port, ...who })),
  );
  return [...usual, ...crossed];
}

/** What people know, in the order in which it is asked for. */
const FAMILIAR = new Map([
  [TCP, [80, 443, 22]],
  [UDP, [53, 443]],
  [SCTP, []],
  [ICMP, [8 * 256]],
  [ICMPV6, [128 * 256]],
]);

/** One port of every stretch. */
function* typicalPorts(ports: PortSet): Iterable<PortOf> {
  const named = ports.byProtocol.map(({ protocol }) => protocol);
  const others = ports.others ? Array.from({ length: 256 }, (_, protocol) => protocol) : [];
  for (const protocol of new Set([...FAMILIAR.keys(), ...named, ...others])) {
    for (const { first, last } of portsOfProtocol(ports, protocol)) {
      const known = FAMILIAR.get(protocol)?.find((port) => first <= port && port <= last);
      yield { protocol, port: known ?? (first === 0 && last > 0 ? 1 : first) };
    }
  }
}

function textOf(end: ReachEnd): string {
  return end.kind === "workload" ? end.workload : end.kind;
}
