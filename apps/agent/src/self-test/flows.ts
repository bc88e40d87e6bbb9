/** Flows of the self-test: those that are allowed, those that must not get through, and what tells the one from the other. */
import type { IpAddress } from "@bulkhead/model";
import type { ScratchNetwork } from "./scratch-network.ts";
import { ALLOWED_PORT } from "./scratch-policy.ts";
import { arrives, connects, isConnected, send, take, to, type Sockets } from "./wire.ts";

/** Something that this kernel was asked for and did not do. */
export class FeatureFailure extends Error {}

export function must(condition: boolean, detail: string): asserts condition {
  if (!condition) throw new FeatureFailure(detail);
}

/** From the client to one peer in one family. */
export interface Way {
  readonly name: string;
  readonly from: IpAddress;
  readonly to: IpAddress;
  readonly peer: string;
}

export function waysOf({ client, near, far, ipv6, bridged }: ScratchNetwork): readonly Way[] {
  return [far, near].flatMap((peer) => {
    const kind = peer === near && bridged ? "over a bridge" : "routed";
    const v4 = { name: `IPv4 ${kind}`, from: client.v4, to: peer.v4, peer: peer.netns };
    const v6 = { name: `IPv6 ${kind}`, from: client.v6, to: peer.v6, peer: peer.netns };
    return ipv6 ? [v4, v6] : [v4];
  });
}

/** A flow under way. Datagrams name their receiver each time, connections know it. */
export interface Flow {
  readonly client: number;
  readonly server: number;
  readonly there: Buffer | undefined;
  readonly back: Buffer | undefined;
}

/** Null when it did not come about within the patience. */
export function openDatagrams(
  sockets: Sockets,
  netns: string,
  way: Way,
  port: number,
): Flow | null {
  const server = sockets.udp(way.peer, way.to, port);
  const client = sockets.udp(netns, way.from, 0);
  const there = to(way.to, port);
  send(client, "question", there);
  const asked = arrives(server);
  if (asked?.text !== "question") return null;
  send(server, "answer", asked.from);
  if (arrives(client)?.text !== "answer") return null;
  return { client, server, there, back: asked.from };
}

/** As `openDatagrams`. */
export function openConnection(
  sockets: Sockets,
  netns: string,
  way: Way,
  port: number,
): Flow | null {
  const listener = sockets.listener(way.peer, way.to, port);
  const client = sockets.connect(netns, way.from, way.to, port);
  if (!connects(client)) return null;
  const server = sockets.accept(listener);
  if (server === null) return null;
  send(client, "question");
  if (arrives(server)?.text !== "question") return null;
  return { client, server, there: undefined, back: undefined };
}

/** Both ends speak once more. */
export function speak({ client, server, there, back }: Flow): void {
  send(client, "late", there);
  send(server, "late", back);
}

/** True when neither end has heard anything. */
export const isSilent = ({ client, server }: Flow): boolean =>
  take(client) === null && take(server) === null;

/** Fragments of one datagram, each of which must get through. */
export function passesWhole({ client, server, there }: Flow): boolean {
  const whole = "x".repeat(4000);
  send(client, whole, there);
  return arrives(server)?.text === whole;
}

/** Attempts that must not get through, and those who would see it. */
export interface Trespass {
  /** Packets sent, each of which must be dropped. */
  readonly count: number;
  succeeded(): boolean;
}

export function trespass(
  sockets: Sockets,
  netns: string,
  way: Way,
  ports: readonly number[],
): Trespass {
  const attempts = ports.map((port) => {
    const receiver = sockets.udp(way.peer, way.to, port);
    const listener = sockets.listener(way.peer, way.to, port);
    const datagrams = sockets.udp(netns, way.from, 0);
    send(datagrams, "trespass", to(way.to, port));
    const connection = sockets.connect(netns, way.from, way.to, port);
    return { receiver, listener, connection };
  });
  return {
    count: attempts.length * 2,
    succeeded: () =>
      attempts.some(
        ({ receiver, listener, connection }) =>
          take(receiver) !== null || sockets.accept(listener) !== null || isConnected(connection),
      ),
  };
}

/** A datagram in another's name; true when it was received. */
export function forge(
  sockets: Sockets,
  { client, far, unlisted }: ScratchNetwork,
  receiver: Flow,
): () => boolean {
  send(sockets.udp(client.netns, unlisted, 0), "forged", to(far.v4, ALLOWED_PORT));
  return () => take(receiver.server) !== null;
}
