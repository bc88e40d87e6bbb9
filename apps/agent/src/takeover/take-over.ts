/**
 * Taking over a live machine: every packet is judged by its connection's original direction, and for connections that
 * were there before us the kernel can only guess it. So the sockets at the ends are asked, connections not yet tracked
 * are entered the right way round, and those that were picked up the wrong way round are turned.
 */
import { readFileSync } from "node:fs";
import type { IpAddress } from "@bulkhead/model";
import { insideNetns } from "../kernel/netns.ts";
import { NETLINK_NETFILTER, openNetlink, type NetlinkSocket } from "../kernel/netlink-socket.ts";
import { TCP_LISTEN, parseProcNet, type ProcSocket } from "../link/proc-net.ts";
import { connectionKey, originsOf, reversed, type LiveConnection } from "./origins.ts";
import { track, trackedConnections, untrack } from "./tracked.ts";

export interface TakeOver {
  /** Connections found alive at the workloads' ends. */
  readonly alive: number;
  readonly entered: number;
  readonly turned: number;
}

/** A workload is asked about connections from its own addresses only: its root can make sockets that claim any other. */
export interface WorkloadEnd {
  readonly netnsPath: string;
  readonly addresses: readonly IpAddress[];
}

/** Works on the tracking table of the calling thread's own namespace. */
export function takeOverConnections(ends: readonly WorkloadEnd[]): TakeOver {
  const believed = new Map<string, Set<IpAddress>>();
  for (const { netnsPath, addresses } of ends)
    believed.set(netnsPath, new Set([...(believed.get(netnsPath) ?? []), ...addresses]));
  const sockets = [...believed].map(([netnsPath, addresses]) =>
    tcpSocketsIn(netnsPath).filter(
      ({ local, state }) => state === TCP_LISTEN || addresses.has(local),
    ),
  );
  const origins = originsOf(sockets).filter(crossesTheWire);
  if (origins.length === 0) return { alive: 0, entered: 0, turned: 0 };
  const claimed = new Set(origins.map(connectionKey));
  let entered = 0;
  let turned = 0;
  const socket = openNetlink(NETLINK_NETFILTER);
  try {
    const tracked = trackedConnections(socket);
    for (const origin of origins) {
      if (claimed.has(connectionKey(reversed(origin)))) {
        // Both ends say that they were called, so one of them lies: it begins anew, or not at all.
        if (tracked.has(connectionKey(origin))) untrack(socket, origin);
        continue;
      }
      if (tracked.has(connectionKey(origin))) continue;
      const wrongWayRound = tracked.has(connectionKey(reversed(origin)));
      if (!(wrongWayRound ? turn(socket, origin) : track(socket, origin))) continue;
      if (wrongWayRound) turned += 1;
      else entered += 1;
    }
  } finally {
    socket.close();
  }
  return { alive: origins.length, entered, turned };
}

/** A packet in between may make the wrong entry anew; a busy connection needs more than one try. */
const TURNS = 10;

function turn(socket: NetlinkSocket, origin: LiveConnection): boolean {
  for (let attempt = 0; attempt < TURNS; attempt += 1) {
    if (!untrack(socket, reversed(origin)) && attempt === 0) return false;
    if (track(socket, origin)) return true;
  }
  return false;
}

/** A namespace that has vanished has no sockets. */
function tcpSocketsIn(netnsPath: string): readonly ProcSocket[] {
  try {
    return insideNetns(netnsPath, () => [...read("tcp", 4), ...read("tcp6", 6)]);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

function read(file: "tcp" | "tcp6", family: 4 | 6): readonly ProcSocket[] {
  try {
    return parseProcNet(readFileSync(`/proc/thread-self/net/${file}`, "utf8"), family);
  } catch (error) {
    if (isMissing(error)) return []; // a kernel without IPv6
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

function crossesTheWire({ source, destination }: LiveConnection): boolean {
  return ![source, destination].some((address) => address === "::1" || address.startsWith("127."));
}
