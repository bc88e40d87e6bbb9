/**
 * Which control group the socket at an end of a connection was made in, for ends on this machine: all sockets are read
 * at once, and the tree of groups for what they say.
 */
import { TCP, UDP, type CgroupPath, type IpAddress, type ProtocolNumber } from "@bulkhead/model";
import { readCgroupTree } from "../discovery/units/cgroup-tree.ts";
import { cgroup2Mount } from "../kernel/cgroup2.ts";
import { TCP_ESTABLISHED } from "./proc-net.ts";
import { socketsInStates, type DiagSocket } from "./sock-diag.ts";

/** As its own machine sees it. */
export interface SocketEnd {
  readonly protocol: ProtocolNumber;
  readonly local: IpAddress;
  readonly localPort: number;
  readonly remote: IpAddress;
  readonly remotePort: number;
}

/** Null: there is no such socket. Undefined: there is one, and nobody tells whose. */
export type SocketOwners = (end: SocketEnd) => CgroupPath | undefined | null;

/** FIN_WAIT1, FIN_WAIT2, CLOSE_WAIT besides (tcp_states.h). */
const STATES = [TCP_ESTABLISHED, 4, 5, 8];

/** Of the calling thread's own namespace, as they are now. */
export function readSocketOwners(): SocketOwners {
  const mount = cgroup2Mount();
  const numbers = new Map<string, number | undefined>();
  for (const protocol of [TCP, UDP])
    for (const family of [4, 6] as const)
      for (const socket of socketsInStates(protocol, family, STATES) ?? [])
        numbers.set(keyOf({ protocol, ...socket }), socket.cgroup);
  const paths = mount === null ? new Map<number, CgroupPath>() : readCgroupTree(mount).paths;
  return (end) => {
    const key = keyOf(end);
    // A datagram socket need not be connected to whom it speaks to.
    if (!numbers.has(key)) return end.protocol === TCP ? null : undefined;
    const number = numbers.get(key);
    return number === undefined ? undefined : paths.get(number);
  };
}

const keyOf = (end: SocketEnd | (DiagSocket & { readonly protocol: ProtocolNumber })): string =>
  `${end.protocol} ${end.local} ${end.localPort} ${end.remote} ${end.remotePort}`;
