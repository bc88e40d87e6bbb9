/** All connections that the kernel tracks in one namespace, one after another, as it has them now. */
import { nfgenHeader, NLMSG_HEADER } from "../kernel/netlink-message.ts";
import type { NetlinkSocket } from "../kernel/netlink-socket.ts";
import {
  CONNTRACK_GET,
  decodeConnection,
  emptyConnection,
  type Connection,
} from "./conntrack-message.ts";

/**
 * `take` is given the same object each time and keeps nothing of it. `again`: the kernel's table changed under the listing,
 * which starts anew.
 */
export function eachTracked(
  socket: NetlinkSocket,
  take: (connection: Connection) => void,
  again: () => void,
): void {
  const connection = emptyConnection();
  socket.dump(
    "reading tracked connections",
    CONNTRACK_GET,
    nfgenHeader(0),
    [],
    (_type, buffer, start, end) => {
      const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.length);
      if (decodeConnection(view, start - NLMSG_HEADER, end, connection)) take(connection);
    },
    again,
  );
}
