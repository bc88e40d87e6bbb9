/**
 * Who opened each TCP connection that is there already, told from the sockets at its ends: a socket whose port is being
 * listened on was called, any other one called. Without this, connection tracking takes whoever happens to speak first
 * for the caller, and a policy would cut what it permits.
 */
import type { IpAddress } from "@bulkhead/model";
import { TCP_LISTEN, type ProcSocket } from "../link/proc-net.ts";

/** In its original direction. */
export interface LiveConnection {
  readonly source: IpAddress;
  readonly sourcePort: number;
  readonly destination: IpAddress;
  readonly destinationPort: number;
}

/** States in which data may flow in at least one direction: ESTABLISHED, FIN_WAIT1, FIN_WAIT2, CLOSE_WAIT (tcp_states.h). */
const ALIVE: ReadonlySet<number> = new Set([1, 4, 5, 8]);

/** One list of TCP sockets for each namespace; sorted, each connection once. */
export function originsOf(
  namespaces: readonly (readonly ProcSocket[])[],
): readonly LiveConnection[] {
  const called = new Map<string, LiveConnection>();
  const calling = new Map<string, LiveConnection>();
  for (const sockets of namespaces) {
    const listening = new Set(
      sockets.filter(({ state }) => state === TCP_LISTEN).map(({ localPort }) => localPort),
    );
    for (const socket of sockets) {
      if (!ALIVE.has(socket.state) || socket.local === socket.remote) continue;
      const inbound = listening.has(socket.localPort);
      const connection = inbound ? reversed(seenFrom(socket)) : seenFrom(socket);
      (inbound ? called : calling).set(connectionKey(connection), connection);
    }
  }
  // The side that is listened on knows; the other one may only have lost its listener.
  for (const [key, connection] of calling) {
    if (!called.has(connectionKey(reversed(connection)))) called.set(key, connection);
  }
  return [...called.entries()].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
}

export function connectionKey(connection: LiveConnection): string {
  const { source, sourcePort, destination, destinationPort } = connection;
  return `${source} ${sourcePort} ${destination} ${destinationPort}`;
}

export function reversed(connection: LiveConnection): LiveConnection {
  return {
    source: connection.destination,
    sourcePort: connection.destinationPort,
    destination: connection.source,
    destinationPort: connection.sourcePort,
  };
}

function seenFrom(socket: ProcSocket): LiveConnection {
  return {
    source: socket.local,
    sourcePort: socket.localPort,
    destination: socket.remote,
    destinationPort: socket.remotePort,
  };
}
