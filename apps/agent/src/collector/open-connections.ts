/**
 * The connections under way at this moment, from connection tracking: what a policy would cut in mid-stream. Like
 * connections are counted together; a question and its answer that are through are not under way, although the kernel
 * remembers them for a while.
 */
import type { IpAddress } from "@bulkhead/model";
import type { OpenConnections } from "@bulkhead/wire";
import { nfgenHeader, NLMSG_HEADER } from "../kernel/netlink-message.ts";
import { NETLINK_NETFILTER, openNetlink } from "../kernel/netlink-socket.ts";
import {
  CONNTRACK_GET,
  decodeConnection,
  emptyConnection,
  isEstablished,
  isHandshaking,
  type Connection,
} from "./conntrack-message.ts";
import { createAddressTexts } from "./flow-records.ts";
import { looksInverted, swapEnds } from "./packet.ts";

export interface FoundOpen {
  readonly connections: readonly OpenConnections[];
  /** So many kinds found no room. */
  readonly leftOut: number;
}

/** More than a person reads; the answer stays far below what one message may hold. */
const MAX_KINDS = 20_000;
const ONE_EXCHANGE = 2;

/** Of these addresses, in the calling thread's own namespace. */
export function openConnections(
  addresses: ReadonlySet<IpAddress>,
  room: number = MAX_KINDS,
): FoundOpen {
  const texts = createAddressTexts();
  const connection = emptyConnection();
  const found = new Map<string, OpenConnections>();
  const beyond = new Set<string>();
  const take = (): void => {
    const { ends } = connection;
    if (connection.pickedUp && looksInverted(ends.sourcePort, ends.port)) swapEnds(ends);
    const source = texts.text(ends.family, ends.s0, ends.s1, ends.s2, ends.s3);
    const destination = texts.text(ends.family, ends.d0, ends.d1, ends.d2, ends.d3);
    if (!addresses.has(source) && !addresses.has(destination)) return;
    const { protocol, port } = ends;
    const key = `${source} ${destination} ${protocol} ${port}`;
    const known = found.get(key);
    if (known === undefined && found.size >= room) beyond.add(key);
    else {
      const connections = (known?.connections ?? 0) + 1;
      found.set(key, { source, destination, protocol, port, connections });
    }
  };
  const socket = openNetlink(NETLINK_NETFILTER);
  try {
    socket.dump(
      "reading tracked connections",
      CONNTRACK_GET,
      nfgenHeader(0),
      [],
      (_type, buffer, start, end) => {
        const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.length);
        if (!decodeConnection(view, start - NLMSG_HEADER, end, connection)) return;
        if (isUnderWay(connection)) take();
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
