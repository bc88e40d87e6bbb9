/**
 * Taking over a live machine: every packet is judged by its connection's original direction, and for connections that
 * were there before us the kernel can only guess it. So the sockets at the ends are asked, connections not yet tracked
 * are entered the right way round, and those that were picked up the wrong way round are turned. What the kernel has
 * tracked since its first packet it knows best. Where nobody knows, either direction will do, for a while.
 */
import { readFileSync } from "node:fs";
import { TCP, UDP, type IpAddress } from "@bulkhead/model";
import { insideNetns } from "../kernel/netns.ts";
import { NETLINK_NETFILTER, openNetlink, type NetlinkSocket } from "../kernel/netlink-socket.ts";
import { TCP_LISTEN, UDP_UNCONNECTED, parseProcNet, type ProcSocket } from "../link/proc-net.ts";
import { socketsInStates } from "../link/sock-diag.ts";
import {
  ALIVE,
  connectionKey,
  originsOf,
  reversed,
  type LiveConnection,
  type Sockets,
} from "./origins.ts";
import { track, trackedConnections, untrack, vouch, type Tracked } from "./tracked.ts";
import type { UndecidedConnections } from "./undecided.ts";

export interface TakeOver {
  /** Connections found alive at these ends. */
  readonly alive: number;
  readonly entered: number;
  readonly turned: number;
  /** Nobody could tell who opened them; one direction is permitted, the other is not. */
  readonly undecided: number;
}

/** Whose sockets are asked. */
export interface End {
  readonly netnsPath: string;
  /**
   * A workload is asked about connections from its own addresses only: its root can make sockets that claim any other.
   * Absent for the namespace in which connections are tracked: it is asked about all, those to itself included.
   */
  readonly addresses?: readonly IpAddress[];
}

export interface Judging {
  /** By the policy that is to be enforced. */
  permits(connection: LiveConnection): boolean;
  readonly undecided: UndecidedConnections;
}

/** Works on the tracking table of the calling thread's own namespace. */
export function takeOverConnections(
  ends: readonly End[],
  { permits, undecided }: Judging,
): TakeOver {
  const seen = socketsOf(ends);
  const origins = originsOf(seen.sockets);
  const counts = { entered: 0, turned: 0 };
  const doubtful: LiveConnection[] = [];
  const socket = openNetlink(NETLINK_NETFILTER);
  try {
    const tracked = trackedConnections(socket, new Set([TCP, UDP]));
    const known = new Set<string>();
    for (const { connection, sure } of origins) {
      known.add(connectionKey(connection)).add(connectionKey(reversed(connection)));
      if (isKnown(tracked, connection)) continue;
      if (sure) set(socket, tracked, connection, true, counts);
      else doubtful.push(connection);
    }
    for (const [key, { connection, guess }] of tracked) {
      const addresses = [connection.source, connection.destination];
      // Where its end could be looked at and has no socket, it is over.
      const unseen = addresses.some((one) => seen.unread.has(one));
      const over = addresses.some((one) => seen.read.has(one));
      if (guess && unseen && !over && !known.has(key)) doubtful.push(connection);
    }
    const either = doubtful.filter((one) => {
      const [way, other] = [permits(one), permits(reversed(one))];
      // What is permitted both ways needs no grace, and what is in neither gets none.
      if (way === other && way) set(socket, tracked, one, false, counts);
      return way !== other;
    });
    for (const one of either) {
      const right = permits(one) ? one : reversed(one);
      if (undecided.mayGoOn(right)) set(socket, tracked, right, false, counts);
      else forget(socket, right);
    }
    undecided.keepOnly(either);
  } finally {
    socket.close();
  }
  const listed = undecided.list().length;
  return { alive: origins.length, ...counts, undecided: listed };
}

/** Ends those whose time is over, in the calling thread's own namespace. */
export function endUndecided(undecided: UndecidedConnections): void {
  const over = undecided.over();
  if (over.length === 0) return;
  const socket = openNetlink(NETLINK_NETFILTER);
  try {
    for (const connection of over) forget(socket, connection);
  } finally {
    socket.close();
  }
}

/** A packet of a connection that is not tracked, and does not open one, is dropped where policy is enforced. */
function forget(socket: NetlinkSocket, connection: LiveConnection): void {
  untrack(socket, connection);
  untrack(socket, reversed(connection));
}

/** The kernel has seen it begin, or has it from us. Of datagrams nothing tells how they began: what is there stays. */
function isKnown(tracked: Tracked, connection: LiveConnection): boolean {
  return [connection, reversed(connection)].some((one) => {
    const found = tracked.get(connectionKey(one));
    return found !== undefined && (!found.guess || one.protocol !== TCP);
  });
}

interface Counts {
  entered: number;
  turned: number;
}

/** Has it tracked in this direction. */
function set(
  socket: NetlinkSocket,
  tracked: Tracked,
  connection: LiveConnection,
  sure: boolean,
  counts: Counts,
): void {
  if (tracked.has(connectionKey(connection))) {
    if (sure) vouch(socket, connection);
    return;
  }
  if (tracked.has(connectionKey(reversed(connection)))) {
    if (turn(socket, connection, sure)) counts.turned += 1;
  } else if (track(socket, connection, sure)) counts.entered += 1;
}

/** A packet in between may make the wrong entry anew; a busy connection needs more than one try. */
const TURNS = 10;

function turn(socket: NetlinkSocket, connection: LiveConnection, sure: boolean): boolean {
  for (let attempt = 0; attempt < TURNS; attempt += 1) {
    if (!untrack(socket, reversed(connection)) && attempt === 0) return false;
    if (track(socket, connection, sure)) return true;
  }
  return false;
}

interface Seen {
  readonly sockets: readonly Sockets[];
  /** Addresses of ends that could be looked at, and of those that could not. */
  readonly read: ReadonlySet<IpAddress>;
  readonly unread: ReadonlySet<IpAddress>;
}

function socketsOf(ends: readonly End[]): Seen {
  const believed = new Map<string, Set<IpAddress> | undefined>();
  for (const { netnsPath, addresses } of ends) {
    const known = believed.get(netnsPath) ?? [];
    believed.set(netnsPath, addresses && new Set([...known, ...addresses]));
  }
  const read = new Set<IpAddress>();
  const unread = new Set<IpAddress>();
  const sockets = [...believed].flatMap(([netnsPath, addresses]): readonly Sockets[] => {
    const found = socketsIn(netnsPath);
    for (const address of addresses ?? []) (found === null ? unread : read).add(address);
    if (found === null || addresses === undefined) return found === null ? [] : [found];
    const ours = ({ local, remote, remotePort }: ProcSocket): boolean =>
      remotePort === 0 || (addresses.has(local) && local !== remote && crossesTheWire(remote));
    return [{ tcp: found.tcp.filter(ours), udp: found.udp.filter(ours) }];
  });
  return { sockets, read, unread };
}

/** Null for a namespace that has vanished. */
function socketsIn(netnsPath: string): Sockets | null {
  try {
    return insideNetns(netnsPath, () => ({
      tcp: [...read("tcp", 4), ...read("tcp", 6)],
      udp: [...read("udp", 4), ...read("udp", 6)],
    }));
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

const KINDS = {
  tcp: { protocol: TCP, states: [...ALIVE, TCP_LISTEN] },
  // A connected datagram socket is in the state of an established connection.
  udp: { protocol: UDP, states: [1, UDP_UNCONNECTED] },
} as const;

function read(kind: "tcp" | "udp", family: 4 | 6): readonly ProcSocket[] {
  const { protocol, states } = KINDS[kind];
  const found = socketsInStates(protocol, family, states);
  if (found !== null) return found;
  try {
    const file = `/proc/thread-self/net/${kind}${family === 4 ? "" : "6"}`;
    return parseProcNet(readFileSync(file, "utf8"), family);
  } catch (error) {
    if (isMissing(error)) return []; // a kernel without IPv6
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

const crossesTheWire = (address: IpAddress): boolean =>
  address !== "::1" && !address.startsWith("127.");
