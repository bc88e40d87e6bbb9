/**
 * Sockets as the kernel's socket diagnostics give them (sock_diag(7)): all in the states asked for, or the one of a
 * connection; each with its owner and the control group it was made in. Reading /proc/net/tcp instead walks the whole
 * machine's connection table, 5 ms a file here, whatever is in it.
 */
import { formatIp, parseIp, TCP, type IpAddress, type ProtocolNumber } from "@bulkhead/model";
import { isKernelError, KernelError } from "../kernel/kernel-error.ts";
import { attributesOf } from "../kernel/netlink-message.ts";
import { NETLINK_SOCK_DIAG, openNetlink, type NetlinkSocket } from "../kernel/netlink-socket.ts";
import type { ProcSocket } from "./proc-net.ts";

const SOCK_DIAG_BY_FAMILY = 20;
const AF_INET = 2;
const AF_INET6 = 10;
/** sizeof(struct inet_diag_req_v2) and of inet_diag_msg (linux/inet_diag.h). */
const REQUEST = 56;
const ANSWER = 72;

/** `idiag_timer` while a segment waits to be heard (inet_diag.c). */
const RETRANSMISSION_TIMER = 1;

/** Attributes of an answer (linux/inet_diag.h). */
const INET_DIAG_SKV6ONLY = 11;
const INET_DIAG_CGROUP_ID = 21;

export interface DiagSocket extends ProcSocket {
  /** Whose the socket is: who made it, or was given it by fchown(2). */
  readonly uid: number;
  /** Number of the control group (version 2) that the socket was made in; absent where the kernel does not tell it. */
  readonly cgroup?: number;
  /** Of IPv6 sockets that wait: takes no IPv4. */
  readonly v6Only?: boolean;
  /** How often the same was sent again without being heard, while something waits to be; absent at 0. */
  readonly retransmits?: number;
  /** The interface it is bound to, 0 for none. */
  readonly ifindex: number;
}

/** The sockets of the calling thread's namespace; null when this kernel cannot be asked so. */
export function socketsInState(
  protocol: ProtocolNumber,
  family: 4 | 6,
  state: number,
): readonly DiagSocket[] | null {
  return socketsInStates(protocol, family, [state]);
}

/** As `socketsInState`, in any of these states. */
export function socketsInStates(
  protocol: ProtocolNumber,
  family: 4 | 6,
  states: readonly number[],
): readonly DiagSocket[] | null {
  const found: DiagSocket[] = [];
  const bits = states.reduce((sum, state) => sum | (1 << state), 0);
  const request = requestOf(protocol, family, bits);
  return asking((socket) => {
    socket.dump("reading sockets", SOCK_DIAG_BY_FAMILY, request, [], (type, buffer, start, end) => {
      if (type === SOCK_DIAG_BY_FAMILY && end - start >= ANSWER)
        found.push(socketAt(buffer, start, end, family));
    });
    return found;
  });
}

/** One end of a connection as its own machine sees it. */
export interface SocketName {
  readonly local: IpAddress;
  readonly localPort: number;
  readonly remote: IpAddress;
  readonly remotePort: number;
}

/**
 * The socket that packets of this connection go to: the connected one, or else the one that waits for them. Null when there
 * is none, or this kernel cannot be asked so. Costs a look-up, however many sockets there are.
 */
export function socketOf(protocol: ProtocolNumber, name: SocketName): DiagSocket | null {
  const local = parseIp(name.local);
  const remote = parseIp(name.remote);
  if (local === null || remote === null || local.family !== remote.family) return null;
  const { family } = local;
  const request = requestOf(protocol, family, 0xffffffff);
  // For a datagram protocol the kernel looks up whoever receives a packet, so there source and destination are the other way.
  const [near, far] =
    protocol === TCP
      ? ([local.value, remote.value] as const)
      : ([remote.value, local.value] as const);
  const [nearPort, farPort] =
    protocol === TCP ? [name.localPort, name.remotePort] : [name.remotePort, name.localPort];
  request.writeUInt16BE(nearPort, 8);
  request.writeUInt16BE(farPort, 10);
  writeAddress(request, 12, family, near);
  writeAddress(request, 28, family, far);
  // No cookie: any socket of that name.
  request.fill(0xff, 48, 56);
  let found: DiagSocket | null = null;
  return asking((socket) => {
    try {
      socket.request(
        "looking up a socket",
        SOCK_DIAG_BY_FAMILY,
        request,
        [],
        (type, buffer, start, end) => {
          if (type === SOCK_DIAG_BY_FAMILY && end - start >= ANSWER)
            found = socketAt(buffer, start, end, family);
        },
      );
    } catch (error) {
      if (!isKernelError(error, "ENOENT")) throw error;
    }
    return found;
  });
}

function requestOf(protocol: ProtocolNumber, family: 4 | 6, states: number): Buffer {
  const request = Buffer.alloc(REQUEST);
  request[0] = family === 4 ? AF_INET : AF_INET6;
  request[1] = protocol;
  request.writeUInt32LE(states >>> 0, 4);
  return request;
}

function asking<T>(ask: (socket: NetlinkSocket) => T): T | null {
  try {
    const socket = openNetlink(NETLINK_SOCK_DIAG);
    try {
      return ask(socket);
    } finally {
      socket.close();
    }
  } catch (error) {
    // Compiled out, wholly or for this protocol.
    if (error instanceof KernelError && UNSUPPORTED.has(error.code)) return null;
    throw error;
  }
}

const UNSUPPORTED: ReadonlySet<string> = new Set(["ENOENT", "EPROTONOSUPPORT", "EINVAL"]);

function socketAt(buffer: Buffer, start: number, end: number, family: 4 | 6): DiagSocket {
  const attributes = attributesOf(buffer, start + ANSWER, end);
  const v6Only = attributes.get(INET_DIAG_SKV6ONLY)?.readUInt8();
  // Ids are the inodes of control groups' folders: past 2^53 only after two million rounds of 32 bits.
  const cgroup = attributes.get(INET_DIAG_CGROUP_ID)?.readBigUInt64LE();
  const resending = buffer.readUInt8(start + 2) === RETRANSMISSION_TIMER;
  const retransmits = resending ? buffer.readUInt8(start + 3) : 0;
  return {
    state: buffer.readUInt8(start + 1),
    localPort: buffer.readUInt16BE(start + 4),
    remotePort: buffer.readUInt16BE(start + 6),
    local: addressAt(buffer, start + 8, family),
    remote: addressAt(buffer, start + 24, family),
    ifindex: buffer.readUInt32LE(start + 40),
    uid: buffer.readUInt32LE(start + 64),
    inode: buffer.readUInt32LE(start + 68),
    ...(retransmits === 0 ? {} : { retransmits }),
    ...(cgroup === undefined ? {} : { cgroup: Number(cgroup) }),
    ...(v6Only === undefined ? {} : { v6Only: v6Only !== 0 }),
  };
}

function writeAddress(buffer: Buffer, at: number, family: 4 | 6, value: bigint): void {
  if (family === 4) {
    buffer.writeUInt32BE(Number(value), at);
    return;
  }
  buffer.writeBigUInt64BE(value >> 64n, at);
  buffer.writeBigUInt64BE(value & 0xffff_ffff_ffff_ffffn, at + 8);
}

/** IPv4-mapped addresses of an IPv6 socket come out as IPv4, as from /proc. */
function addressAt(buffer: Buffer, at: number, family: 4 | 6): IpAddress {
  if (family === 4) return formatIp(4, BigInt(buffer.readUInt32BE(at)));
  const value = (buffer.readBigUInt64BE(at) << 64n) | buffer.readBigUInt64BE(at + 8);
  if (value >> 32n === 0xffffn) return formatIp(4, value & 0xffffffffn);
  return formatIp(6, value);
}
