/**
 * The connections under way at this moment, from connection tracking: what a policy would cut in mid-stream. Like
 * connections are counted together; a question and its answer that are through are not under way, although the kernel
 * remembers them for a while.
 */
import type { IpAddress } from "@bulkhead/model";
import type { OpenConnections } from "@bulkhead/wire";
import type { SocketOwners } from "../link/socket-owners.ts";
import { NETLINK_NETFILTER, openNetlink } from "../kernel/netlink-socket.ts";
import { isEstablished, isHandshaking, type Connection } from "./conntrack-message.ts";
import { createAddressTexts } from "./flow-records.ts";
import { looksInverted, swapEnds } from "./packet.ts";
import { eachTracked } from "./tracked-connections.ts";

export interface FoundOpen {
  readonly connections: readonly OpenConnections[];
  /** So many kinds found no room. */
  readonly leftOut: number;
}

/** More than a person reads; the answer stays far below what one message may hold. */
const MAX_KINDS = 20_000;
const ONE_EXCHANGE = 2;

/** The machine itself, where its processes are told apart. */
export interface Machine {
  readonly addresses: ReadonlySet<IpAddress>;
  readonly ownerOf: SocketOwners;
}

/** Of these addresses and of the machine's own, in the calling thread's own namespace. */
export function openConnections(
  addresses: ReadonlySet<IpAddress>,
  room: number = MAX_KINDS,
  machine?: Machine,
): FoundOpen {
  const texts = createAddressTexts();
  const found = new Map<string, OpenConnections>();
  const beyond = new Set<string>();
  const take = ({ ends, pickedUp, translated }: Connection): void => {
    if (pickedUp && looksInverted(ends.sourcePort, ends.port)) swapEnds(ends);
    const source = texts.text(ends.family, ends.s0, ends.s1, ends.s2, ends.s3);
    const destination = texts.text(ends.family, ends.d0, ends.d1, ends.d2, ends.d3);
    // The socket of a translated connection knows the other end by another name.
    const own = translated ? undefined : machine;
    const isOwn = (address: IpAddress): boolean => own?.addresses.has(address) === true;
    const { protocol, port, sourcePort } = ends;
    if (![source, destination].some((one) => addresses.has(one) || machine?.addresses.has(one)))
      return;
    const near = { protocol, local: source, localPort: sourcePort };
    const far = { protocol, local: destination, localPort: port };
    const from = isOwn(source)
      ? own?.ownerOf({ ...near, remote: destination, remotePort: port })
      : undefined;
    const to = isOwn(destination)
      ? own?.ownerOf({ ...far, remote: source, remotePort: sourcePort })
      : undefined;
    // Its socket is gone already; what is left of it is the kernel's.
    if (from === null || to === null) return;
    const owners = {
      ...(from === undefined ? {} : { sourceCgroup: from }),
      ...(to === undefined ? {} : { destinationCgroup: to }),
    };
    const key = JSON.stringify([source, destination, protocol, port, from, to]);
    const known = found.get(key);
    if (known === undefined && found.size >= room) beyond.add(key);
    else {
      const connections = (known?.connections ?? 0) + 1;
      found.set(key, { source, destination, protocol, port, connections, ...owners });
    }
  };
  const socket = openNetlink(NETLINK_NETFILTER);
  try {
    eachTracked(
      socket,
      (connection) => {
        if (isUnderWay(connection)) take(connection);
      },
      () => {
        found.clear();
        beyond.clear();
      },
    );
  } finally {
    socket.close();
  }
  return { connections: [...found.values()], leftOut: beyond.size };
}

function isUnderWay(connection: Connection): boolean {
  const { ends, over, closed, assured, packets } = connection;
  if (isHandshaking(ends.protocol)) return isEstablished(connection) && !over && !closed;
  return assured || packets > ONE_EXCHANGE;
}
