/**
 * Sockets as the kernel's socket diagnostics give them (sock_diag(7)): only those in the state asked for. Reading
 * /proc/net/tcp instead walks the whole machine's connection table, 5 ms a file here, whatever is in it.
 */
import { formatIp, type IpAddress } from "@bulkhead/model";
import { KernelError } from "../kernel/kernel-error.ts";
import { NETLINK_SOCK_DIAG, openNetlink } from "../kernel/netlink-socket.ts";
import type { ProcSocket } from "./proc-net.ts";

const SOCK_DIAG_BY_FAMILY = 20;
const AF_INET = 2;
const AF_INET6 = 10;
/** sizeof(struct inet_diag_req_v2) and of inet_diag_msg (linux/inet_diag.h). */
const REQUEST = 56;
const ANSWER = 72;

/** The sockets of the calling thread's namespace; null when this kernel cannot be asked so. */
export function socketsInState(
  protocol: number,
  family: 4 | 6,
  state: number,
): readonly ProcSocket[] | null {
  const found: ProcSocket[] = [];
  const request = Buffer.alloc(REQUEST);
  request[0] = family === 4 ? AF_INET : AF_INET6;
  request[1] = protocol;
  request.writeUInt32LE(1 << state, 4);
  try {
    const socket = openNetlink(NETLINK_SOCK_DIAG);
    try {
      socket.dump(
        "reading sockets",
        SOCK_DIAG_BY_FAMILY,
        request,
        [],
        (type, buffer, start, end) => {
          if (type === SOCK_DIAG_BY_FAMILY && end - start >= ANSWER)
            found.push(socketAt(buffer, start, family));
        },
      );
    } finally {
      socket.close();
    }
  } catch (error) {
    // Compiled out, wholly or for this protocol.
    if (error instanceof KernelError && UNSUPPORTED.has(error.code)) return null;
    throw error;
  }
  return found;
}

const UNSUPPORTED: ReadonlySet<string> = new Set(["ENOENT", "EPROTONOSUPPORT", "EINVAL"]);

function socketAt(buffer: Buffer, start: number, family: 4 | 6): ProcSocket {
  return {
    state: buffer.readUInt8(start + 1),
    localPort: buffer.readUInt16BE(start + 4),
    remotePort: buffer.readUInt16BE(start + 6),
    local: addressAt(buffer, start + 8, family),
    remote: addressAt(buffer, start + 24, family),
    inode: buffer.readUInt32LE(start + 68),
  };
}

/** IPv4-mapped addresses of an IPv6 socket come out as IPv4, as from /proc. */
function addressAt(buffer: Buffer, at: number, family: 4 | 6): IpAddress {
  if (family === 4) return formatIp(4, BigInt(buffer.readUInt32BE(at)));
  const value = (buffer.readBigUInt64BE(at) << 64n) | buffer.readBigUInt64BE(at + 8);
  if (value >> 32n === 0xffffn) return formatIp(4, value & 0xffffffffn);
  return formatIp(6, value);
}
