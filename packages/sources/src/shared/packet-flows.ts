/**
 * Flows of sources that tell of packets: those of one connection are told apart by its ports and are one flow, given out at
 * the end, or when so many connections are newer. In whatever order packets come, the same flows come out, as long as the
 * connections under way fit.
 */
import type { FlowEnd, FlowOrigin, FlowVerdict } from "@bulkhead/model";
import type { FlowSink } from "../flow-format.ts";

export interface ToldPacket {
  readonly time: number;
  /** Of the connection, not of the packet: a reply has been turned round. */
  readonly source: FlowEnd;
  readonly destination: FlowEnd;
  readonly protocol: number;
  readonly port: number;
  readonly sourcePort: number;
  readonly verdict: FlowVerdict;
  /** What the packet shows of the connection. */
  readonly shows: "opened" | "answered" | "refused" | "more";
  /** Where it differs from one connection to another. */
  readonly origin?: FlowOrigin;
}

interface Connection {
  /** Of the latest packet: labels may change while packets are told. */
  latest: ToldPacket;
  sourceNames: ReadonlySet<string>;
  destinationNames: ReadonlySet<string>;
  start: number;
  packets: number;
  bytes: number;
  shown: Shown;
}

/** What was answered once stays so, whatever ended it. */
const SHOWN = ["opened", "refused", "answered"] as const;
type Shown = (typeof SHOWN)[number];

const MOST_CONNECTIONS = 200_000;
/** After so long a silence the same ports are another connection. */
const REUSED_MS = 1_800_000;

export interface PacketFlows {
  take(packet: ToldPacket, bytes: number): void;
  end(): void;
}

export interface PacketFlowsOptions {
  readonly origin: FlowOrigin;
  /** Names that DNS gave the destination, for the source. */
  readonly namesOf?: (source: FlowEnd, destination: FlowEnd) => Iterable<string>;
  readonly most?: number;
}

export function createPacketFlows(
  sink: FlowSink,
  { origin, namesOf = () => [], most = MOST_CONNECTIONS }: PacketFlowsOptions,
): PacketFlows {
  const connections = new Map<string, Connection>();

  function give({ latest, start, packets, bytes, shown, ...names }: Connection): void {
    const { time, source, destination, shows: _shows, origin: own = origin, ...rest } = latest;
    const passed = rest.verdict === "forwarded" || rest.verdict === "audit";
    const told = namesOf(source, destination);
    sink.flow({
      ...rest,
      start,
      end: time,
      source: withNames(source, names.sourceNames),
      destination: withNames(destination, [...names.destinationNames, ...told]),
      connections: 1,
      established: passed && shown === "answered" ? 1 : 0,
      failed: passed && shown !== "refused" ? 0 : 1,
      bytes,
      packets,
      origin: own,
    });
  }

  return {
    take(packet, bytes) {
      const key = keyOf(packet);
      const before = connections.get(key);
      const isReused = before !== undefined && packet.time - before.latest.time > REUSED_MS;
      if (isReused) give(before);
      const known = isReused ? undefined : before;
      const shows = packet.shows === "more" ? "opened" : packet.shows;
      if (known === undefined) {
        if (!isReused && connections.size >= most) {
          const [oldest] = connections;
          if (oldest !== undefined) {
            give(oldest[1]);
            connections.delete(oldest[0]);
          }
        }
        connections.set(key, {
          latest: packet,
          sourceNames: new Set(packet.source.names),
          destinationNames: new Set(packet.destination.names),
          start: packet.time,
          packets: 1,
          bytes,
          shown: shows,
        });
        return;
      }
      if (isLater(packet, known.latest)) known.latest = packet;
      known.sourceNames = joined(known.sourceNames, packet.source.names);
      known.destinationNames = joined(known.destinationNames, packet.destination.names);
      known.start = Math.min(known.start, packet.time);
      known.packets += 1;
      known.bytes += bytes;
      if (SHOWN.indexOf(shows) > SHOWN.indexOf(known.shown)) known.shown = shows;
      // The busy ones stay: those that were silent longest are given out first.
      connections.delete(key);
      connections.set(key, known);
    },
    end() {
      for (const connection of connections.values()) give(connection);
      connections.clear();
    },
  };
}

function keyOf({ source, destination, protocol, port, sourcePort, verdict }: ToldPacket): string {
  return `${source.address} ${sourcePort} ${destination.address} ${protocol} ${port} ${verdict} ${source.name} ${destination.name}`;
}

/** Of one moment, the order of records must not matter. */
function isLater(a: ToldPacket, b: ToldPacket): boolean {
  if (a.time !== b.time) return a.time > b.time;
  if (a.source === b.source && a.destination === b.destination) return false;
  return JSON.stringify([a.source, a.destination]) > JSON.stringify([b.source, b.destination]);
}

function joined(
  known: ReadonlySet<string>,
  names: readonly string[] | undefined,
): ReadonlySet<string> {
  if (names === undefined || names.every((name) => known.has(name))) return known;
  return new Set([...known, ...names]);
}

function withNames(end: FlowEnd, names: Iterable<string>): FlowEnd {
  if (end.workload !== undefined) return end;
  const sorted = [...new Set(names)].toSorted();
  return sorted.length === 0 ? end : { ...end, names: sorted };
}
