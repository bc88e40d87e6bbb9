/** Who talks most: edges added up by the ends they have, each end in both of its parts. */
import type { Edge, FlowEnd } from "@bulkhead/model";
import { isDenied } from "./outcome.ts";

export const RANKS = ["bytes", "connections", "failed", "denied"] as const;
export type Rank = (typeof RANKS)[number];

export interface Talker {
  /** `shop/web`, `host`, or an address of nobody we know. */
  readonly name: string;
  /** Both ways, in what it began and in what came to it. */
  readonly bytes: number;
  readonly packets: number;
  /** New connections, those denied included. */
  readonly connections: number;
  /** Of these: begun by it, and come to it. Its own to itself are in both. */
  readonly begun: number;
  readonly received: number;
  readonly failed: number;
  /** Of the connections: dropped, rejected, or refused as spoofed. */
  readonly denied: number;
  /** Others it had to do with. */
  readonly peers: number;
  readonly lastSeen: number;
}

export interface TalkersAnswer {
  readonly by: Rank;
  /** The most first. */
  readonly talkers: readonly Talker[];
  /** Of all that was seen, so that a share can be told. Not the sum of the talkers: every flow has two ends. */
  readonly total: {
    readonly talkers: number;
    readonly bytes: number;
    readonly packets: number;
    readonly connections: number;
    readonly failed: number;
    readonly denied: number;
  };
}

interface Sum {
  bytes: number;
  packets: number;
  connections: number;
  begun: number;
  received: number;
  failed: number;
  denied: number;
  lastSeen: number;
  readonly peers: Set<string>;
}

export function topTalkers(edges: readonly Edge[], by: Rank, count: number): TalkersAnswer {
  const sums = new Map<string, Sum>();
  const total = { bytes: 0, packets: 0, connections: 0, failed: 0, denied: 0 };
  for (const edge of edges) {
    const [from, to] = [talkerName(edge.source), talkerName(edge.destination)];
    const denied = isDenied(edge.verdict) ? edge.connections : 0;
    total.bytes += edge.bytes;
    total.packets += edge.packets;
    total.connections += edge.connections;
    total.failed += edge.failed;
    total.denied += denied;
    for (const name of new Set([from, to])) {
      const sum = sums.get(name) ?? silent();
      sums.set(name, sum);
      sum.bytes += edge.bytes;
      sum.packets += edge.packets;
      sum.connections += edge.connections;
      sum.failed += edge.failed;
      sum.denied += denied;
      sum.lastSeen = Math.max(sum.lastSeen, edge.lastSeen);
      if (name === from) sum.begun += edge.connections;
      if (name === to) sum.received += edge.connections;
      if (from !== to) sum.peers.add(name === from ? to : from);
    }
  }
  const talkers = [...sums]
    .map(([name, sum]): Talker => ({ name, ...sum, peers: sum.peers.size }))
    .filter((talker) => talker[by] > 0)
    .toSorted(
      (a, b) => b[by] - a[by] || b.connections - a.connections || (a.name < b.name ? -1 : 1),
    );
  return {
    by,
    talkers: count === 0 ? talkers : talkers.slice(0, count),
    total: { talkers: talkers.length, ...total },
  };
}

/** The world is many: there the address tells who it was. */
function talkerName({ name, address }: FlowEnd): string {
  return name === "world" && address !== name ? `world (${address})` : name;
}

function silent(): Sum {
  const none = { bytes: 0, packets: 0, connections: 0, begun: 0, received: 0, failed: 0 };
  return { ...none, denied: 0, lastSeen: 0, peers: new Set() };
}
