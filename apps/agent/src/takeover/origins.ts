/**
 * Who opened each connection that is there already, told from the sockets at its ends: a socket whose port is being
 * listened on was called, any other one called. Without this, connection tracking takes whoever happens to speak first
 * for the caller, and a policy would cut what it permits. Where sockets contradict each other, or only a listener can
 * have had that port, nobody can tell; then it is said that it is a guess.
 */
import { TCP, UDP, type IpAddress } from "@bulkhead/model";
import { looksInverted } from "../collector/packet.ts";
import { TCP_ESTABLISHED, TCP_LISTEN, type ProcSocket } from "../link/proc-net.ts";

/** In its original direction. */
export interface LiveConnection {
  readonly protocol: number;
  readonly source: IpAddress;
  readonly sourcePort: number;
  readonly destination: IpAddress;
  readonly destinationPort: number;
}

export interface Origin {
  readonly connection: LiveConnection;
  /** False: it may as well have been opened by the other end. */
  readonly sure: boolean;
}

/** Of one network namespace, in any state. */
export interface Sockets {
  readonly tcp: readonly ProcSocket[];
  readonly udp: readonly ProcSocket[];
}

/** States in which data may flow in at least one direction: ESTABLISHED, FIN_WAIT1, FIN_WAIT2, CLOSE_WAIT (tcp_states.h). */
export const ALIVE: readonly number[] = [TCP_ESTABLISHED, 4, 5, 8];

interface Claims {
  /** As the first of its sockets has it. */
  readonly connection: LiveConnection;
  /** Directions that listeners vouch for, as seen from `connection`. */
  readonly called: Set<Way>;
  readonly calling: Set<Way>;
}
type Way = "forward" | "backward";

/** Sorted, each connection once. */
export function originsOf(namespaces: readonly Sockets[]): readonly Origin[] {
  const claims = new Map<string, Claims>();
  const claim = (connection: LiveConnection, kind: "called" | "calling"): void => {
    const known = claims.get(connectionKey(connection));
    const other = claims.get(connectionKey(reversed(connection)));
    if (known === undefined && other === undefined) {
      const fresh: Claims = { connection, called: new Set(), calling: new Set() };
      fresh[kind].add("forward");
      claims.set(connectionKey(connection), fresh);
    } else if (known !== undefined) known[kind].add("forward");
    else other?.[kind].add("backward");
  };
  for (const { tcp, udp } of namespaces) {
    const listening = bindings(tcp.filter(({ state }) => state === TCP_LISTEN));
    for (const socket of tcp) {
      if (!ALIVE.includes(socket.state) || isToItself(socket)) continue;
      if (listening(socket)) claim(reversed(seenFrom(socket, TCP)), "called");
      else claim(seenFrom(socket, TCP), "calling");
    }
    // Anybody may connect a datagram socket to anybody: such sockets only ever speak for what they send themselves.
    const bound = bindings(udp.filter(({ remotePort }) => remotePort === 0));
    for (const socket of udp) {
      if (socket.remotePort === 0 || bound(socket) || isToItself(socket)) continue;
      claim(seenFrom(socket, UDP), "calling");
    }
  }
  return [...claims.entries()]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([, one]) => originOf(one));
}

function originOf({ connection, called, calling }: Claims): Origin {
  // The side that is listened on knows; the other one may only have lost its listener.
  const [way, contradiction] = called.size > 0 ? called : calling;
  const told = way === "backward" ? reversed(connection) : connection;
  const inverted = looksInverted(told.sourcePort, told.destinationPort);
  if (called.size === 1) return { connection: told, sure: true };
  if (contradiction !== undefined)
    return { connection: inverted ? reversed(told) : told, sure: false };
  return { connection: told, sure: told.protocol !== TCP || !inverted };
}

export function connectionKey(connection: LiveConnection): string {
  const { protocol, source, sourcePort, destination, destinationPort } = connection;
  return `${protocol} ${source} ${sourcePort} ${destination} ${destinationPort}`;
}

export function reversed(connection: LiveConnection): LiveConnection {
  return {
    protocol: connection.protocol,
    source: connection.destination,
    sourcePort: connection.destinationPort,
    destination: connection.source,
    destinationPort: connection.sourcePort,
  };
}

const ANY: ReadonlySet<IpAddress> = new Set(["0.0.0.0", "::"]);

/** Whether somebody takes from anyone at the local end of a socket. */
function bindings(takers: readonly ProcSocket[]): (socket: ProcSocket) => boolean {
  const bound = new Set(
    takers.map(({ local, localPort }) =>
      ANY.has(local) ? `${localPort}` : `${localPort} ${local}`,
    ),
  );
  return ({ local, localPort }) => bound.has(`${localPort}`) || bound.has(`${localPort} ${local}`);
}

const isToItself = (socket: ProcSocket): boolean =>
  socket.local === socket.remote && socket.localPort === socket.remotePort;

function seenFrom(socket: ProcSocket, protocol: number): LiveConnection {
  return {
    protocol,
    source: socket.local,
    sourcePort: socket.localPort,
    destination: socket.remote,
    destinationPort: socket.remotePort,
  };
}
