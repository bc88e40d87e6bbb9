/** Who was at the other end of the connections that a rule decided: workloads as they were, or addresses of nobody's. */
import type { Ends, Place } from "@bulkhead/engine";
import {
  DAY_MS,
  type Direction,
  type Edge,
  type ProtocolNumber,
  type Workload,
} from "@bulkhead/model";

export interface SeenPeer {
  readonly place: Place;
  readonly workload: Workload | undefined;
  readonly firstSeen: number;
  readonly lastSeen: number;
  /** One of the ports on which it was. */
  readonly protocol: ProtocolNumber;
  readonly port: number;
}

export interface PeerUse {
  credit(rule: string, direction: Direction, edge: Edge, ends: () => Ends): void;
  of(rule: string): readonly SeenPeer[];
}

export function createPeerUse(): PeerUse {
  const used = new Map<string, Map<string, SeenPeer>>();
  return {
    credit(rule, direction, edge, ends) {
      const end = direction === "egress" ? edge.destination : edge.source;
      const own = used.get(rule) ?? new Map<string, SeenPeer>();
      used.set(rule, own);
      const key = end.workload ?? end.address;
      const known = own.get(key);
      const { firstSeen, lastSeen, protocol, port } = edge;
      if (known === undefined) {
        const place = direction === "egress" ? ends().destination : ends().source;
        const { workload } = place;
        own.set(key, { place, workload, firstSeen, lastSeen, protocol, port });
      } else if (firstSeen < known.firstSeen || lastSeen > known.lastSeen) {
        own.set(key, {
          ...known,
          firstSeen: Math.min(firstSeen, known.firstSeen),
          lastSeen: Math.max(lastSeen, known.lastSeen),
        });
      }
    },
    of: (rule) => [...(used.get(rule)?.values() ?? [])],
  };
}

/** All of it was on one day. */
export function onOneDay(seen: readonly Pick<SeenPeer, "firstSeen" | "lastSeen">[]): boolean {
  const days = seen.flatMap(({ firstSeen, lastSeen }) => [dayOf(firstSeen), dayOf(lastSeen)]);
  return new Set(days).size <= 1;
}

const dayOf = (time: number): number => Math.floor(time / DAY_MS);
