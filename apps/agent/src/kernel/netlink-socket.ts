/**
 * One netlink socket: opening, joining groups, requests that end in an acknowledgement, and dumps. It belongs to the
 * network namespace of the thread that opened it, for its whole life, wherever that thread goes afterwards.
 * Reading event streams at speed is `batch-receiver.ts`.
 */
import { KernelError, isKernelError } from "./kernel-error.ts";
import {
  AF_NETLINK,
  libc,
  MSG_DONTWAIT,
  POLLIN,
  SO_MEMINFO,
  SO_RCVBUF,
  SO_RCVBUFFORCE,
  SOCK_CLOEXEC,
  SOCK_RAW,
  SOL_NETLINK,
  SOL_SOCKET,
} from "./libc.ts";
import {
  type Attribute,
  encodeMessage,
  i32le,
  messagesOf,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLM_F_REQUEST,
  NLMSG_DONE,
  NLMSG_ERROR,
  NLMSG_NOOP,
  u32le,
} from "./netlink-message.ts";

export const NETLINK_ROUTE = 0;
export const NETLINK_SOCK_DIAG = 4;
export const NETLINK_NETFILTER = 12;
const NETLINK_ADD_MEMBERSHIP = 1;
const NETLINK_GET_STRICT_CHK = 12;
const REQUEST_TIMEOUT_MS = 3000;
const DUMP_ATTEMPTS = 5;
/** Position of the drop counter among the numbers of SO_MEMINFO (`SK_MEMINFO_DROPS`). */
const MEMINFO_DROPS = 8;

/** A netlink answer: the family header and attributes lie in `buffer` from `start` to `end`, valid during the callback only. */
export type AnswerVisitor = (type: number, buffer: Buffer, start: number, end: number) => void;

export interface NetlinkSocket {
  readonly fd: number;
  join(group: number): void;
  /** Sets the receive buffer, beyond the system's limit where permitted; returns what the kernel granted. */
  growReceiveBuffer(bytes: number): number;
  /** Datagrams the kernel dropped for this socket because its buffer was full, since it was opened. */
  drops(): number;
  /**
   * Sends one request, waits for its acknowledgement, and hands over whatever answers come before. `flags` are added to
   * those of every request. Throws `KernelError` on refusal.
   */
  request(
    doing: string,
    type: number,
    header: Buffer,
    attributes?: readonly Attribute[],
    visit?: AnswerVisitor,
    flags?: number,
  ): void;
  /** Asks for a whole table. A dump that changed underneath is repeated; `restart` tells the caller to forget what came. */
  dump(
    doing: string,
    type: number,
    header: Buffer,
    attributes: readonly Attribute[],
    visit: AnswerVisitor,
    restart?: () => void,
  ): void;
  close(): void;
}

/** Netlink's address structure: family, padding, port id 0 (the kernel picks one), groups 0. */
function anyAddress(): Buffer {
  const address = Buffer.alloc(12);
  address.writeUInt16LE(AF_NETLINK);
  return address;
}

export function openNetlink(
  protocol: typeof NETLINK_ROUTE | typeof NETLINK_SOCK_DIAG | typeof NETLINK_NETFILTER,
): NetlinkSocket {
  const c = libc();
  const fd = c.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
  try {
    c.bind(fd, anyAddress());
    // Strict checking makes the kernel honour filters in dump requests instead of ignoring them; only rtnetlink has it.
    if (protocol === NETLINK_ROUTE) c.setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, i32le(1));
  } catch (error) {
    c.close(fd);
    throw error;
  }
  return new Socket(fd);
}

class Socket implements NetlinkSocket {
  readonly fd: number;
  #sequence = 1;
  #buffer = Buffer.alloc(64 * 1024);
  #closed = false;

  constructor(fd: number) {
    this.fd = fd;
  }

  join(group: number): void {
    libc().setsockopt(this.fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, u32le(group));
  }

  growReceiveBuffer(bytes: number): number {
    try {
      libc().setsockopt(this.fd, SOL_SOCKET, SO_RCVBUFFORCE, i32le(bytes));
    } catch (error) {
      if (!isKernelError(error, "EPERM")) throw error;
      libc().setsockopt(this.fd, SOL_SOCKET, SO_RCVBUF, i32le(bytes));
    }
    const value = Buffer.alloc(4);
    libc().getsockopt(this.fd, SOL_SOCKET, SO_RCVBUF, value);
    return value.readInt32LE();
  }

  drops(): number {
    return socketDrops(this.fd);
  }

  request(
    doing: string,
    type: number,
    header: Buffer,
    attributes: readonly Attribute[] = [],
    visit?: AnswerVisitor,
    flags = 0,
  ): void {
    this.#exchange(doing, type, NLM_F_REQUEST | NLM_F_ACK | flags, header, attributes, visit);
  }

  dump(
    doing: string,
    type: number,
    header: Buffer,
    attributes: readonly Attribute[],
    visit: AnswerVisitor,
    restart?: () => void,
  ): void {
    for (let attempt = 0; attempt < DUMP_ATTEMPTS; attempt++) {
      if (attempt > 0) restart?.();
      const interrupted = this.#exchange(
        doing,
        type,
        NLM_F_REQUEST | NLM_F_DUMP,
        header,
        attributes,
        visit,
      );
      if (!interrupted || restart === undefined) return;
    }
    // Still changing under our hands after several rounds: what the last round gave is as good as it gets.
  }

  /** True when the kernel flagged the dump as inconsistent. */
  #exchange(
    doing: string,
    type: number,
    flags: number,
    header: Buffer,
    attributes: readonly Attribute[],
    visit?: AnswerVisitor,
  ): boolean {
    const sequence = this.#sequence++;
    libc().sendto(
      this.fd,
      encodeMessage(type, flags, sequence, header, attributes),
      0,
      anyAddress(),
    );
    const entry = { fd: this.fd, events: POLLIN, revents: 0 };
    let interrupted = false;
    for (;;) {
      if (libc().poll([entry], REQUEST_TIMEOUT_MS) === 0)
        throw new Error(`${doing}: the kernel did not answer within ${REQUEST_TIMEOUT_MS} ms`);
      const length = libc().recvfrom(this.fd, this.#buffer, MSG_DONTWAIT);
      if (length === null) continue;
      for (const message of messagesOf(this.#buffer, length)) {
        // Events of joined groups and leftovers of an earlier request that timed out carry other numbers.
        if (message.sequence !== sequence) continue;
        if ((message.flags & NLM_F_DUMP_INTR) !== 0) interrupted = true;
        if (message.type === NLMSG_DONE) {
          const status =
            message.end - message.start >= 4 ? this.#buffer.readInt32LE(message.start) : 0;
          if (status < 0) throw new KernelError("netlink", -status, doing);
          return interrupted;
        }
        if (message.type === NLMSG_ERROR) {
          const status = this.#buffer.readInt32LE(message.start);
          if (status < 0) throw new KernelError("netlink", -status, doing);
          return interrupted;
        }
        if (message.type !== NLMSG_NOOP)
          visit?.(message.type, this.#buffer, message.start, message.end);
      }
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    libc().close(this.fd);
  }
}

/** Datagrams dropped for the socket so far; wraps at 2^32. */
export function socketDrops(fd: number): number {
  const value = Buffer.alloc(9 * 4);
  libc().getsockopt(fd, SOL_SOCKET, SO_MEMINFO, value);
  return value.readUInt32LE(MEMINFO_DROPS * 4);
}
