/**
 * The far end of a probe where nobody else answers: a listener on the very port, for as long as the probe takes. A service
 * that has the port keeps it and is used instead. Echo requests are answered by the kernel.
 */
import { ICMP, ICMPV6, SCTP, TCP, UDP } from "@bulkhead/model";
import { isKernelError } from "../kernel/kernel-error.ts";
import {
  libc,
  MSG_DONTWAIT,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOCK_RAW,
  SOCK_STREAM,
  SOL_SOCKET,
} from "../kernel/libc.ts";
import { insideNetns } from "../kernel/netns.ts";
import { insideGroup } from "./inside-group.ts";
import { sctpAnswer } from "./payloads.ts";
import type { ProbeRequest } from "./probe.ts";
import { domainOf, familyOf, socketAddress } from "./socket-address.ts";

export interface Responder {
  readonly fd: number | null;
  /** `own`: we listen; `service`: someone has the port; `kernel`: it answers by itself, or nothing does. */
  readonly kind: "own" | "service" | "kernel";
  /** Answers what waits. */
  serve(): void;
  close(): void;
}

const SO_LINGER = 13;
/** `struct linger`: on, zero seconds. */
const RESET_ON_CLOSE = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]);
const data = Buffer.alloc(2048);
const ECHO_REQUEST = 8 << 8;
const ECHO_REQUEST_V6 = 128 << 8;

/** Does the kernel answer this ICMP message by itself? */
export function isEcho(protocol: number, port: number): boolean {
  return (
    (protocol === ICMP && port === ECHO_REQUEST) ||
    (protocol === ICMPV6 && port === ECHO_REQUEST_V6)
  );
}

/** Opens the listener in the given namespace (absent: the agent's own). Throws EADDRNOTAVAIL when the address is not there (any more). */
export function openResponder(request: ProbeRequest, netns: string | undefined): Responder {
  const { protocol, destination, port } = request;
  if (protocol === ICMP || protocol === ICMPV6)
    return { fd: null, kind: "kernel", serve: () => undefined, close: () => undefined };
  const family = familyOf(destination);
  const type = protocol === TCP ? SOCK_STREAM : protocol === UDP ? SOCK_DGRAM : SOCK_RAW;
  const open = () =>
    insideGroup(request.destinationCgroup, () =>
      libc().socket(domainOf(family), type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol),
    );
  const fd = netns === undefined ? open() : insideNetns(netns, open);
  try {
    libc().bind(fd, socketAddress(destination, type === SOCK_RAW ? 0 : port));
    if (protocol === TCP) libc().listen(fd, 64);
  } catch (error) {
    libc().close(fd);
    if (isKernelError(error, "EADDRINUSE"))
      return { fd: null, kind: "service", serve: () => undefined, close: () => undefined };
    throw error;
  }
  const close = () => libc().close(fd);
  switch (protocol) {
    case TCP:
      return tcpResponder(fd);
    case UDP:
      return { fd, kind: "own", serve: () => echoAll(fd, (data) => data), close };
    case SCTP:
      return {
        fd,
        kind: "own",
        serve: () =>
          echoAll(fd, (data) =>
            sctpAnswer(transportOf(data, family), (Math.random() * 0xffff_fffe + 1) >>> 0),
          ),
        close,
      };
    default:
      return {
        fd,
        kind: "own",
        serve: () => echoAll(fd, (data) => transportOf(data, family)),
        close,
      };
  }
}

/** Raw IPv4 sockets deliver the IP header as well, raw IPv6 sockets do not. */
export function transportOf(data: Buffer, family: 4 | 6): Buffer {
  return family === 4 && data.length > 0 ? data.subarray((data.readUInt8(0) & 0x0f) * 4) : data;
}

/**
 * Lets the probe close first, and resets what is left in the end: whoever closes first keeps the port in TIME_WAIT, and a
 * service that starts a moment later must find it free.
 */
function tcpResponder(fd: number): Responder {
  const accepted = new Set<number>();
  const end = (connection: number): void => {
    accepted.delete(connection);
    libc().close(connection);
  };
  return {
    fd,
    kind: "own",
    serve() {
      for (;;) {
        const connection = libc().accept(fd, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (connection === null) break;
        libc().setsockopt(connection, SOL_SOCKET, SO_LINGER, RESET_ON_CLOSE);
        accepted.add(connection);
      }
      for (const connection of accepted) if (hasEnded(connection)) end(connection);
    },
    close() {
      for (const connection of accepted) end(connection);
      libc().close(fd);
    },
  };
}

/** Has the other side closed or reset the connection? Probes send nothing, so whatever comes is the end. */
function hasEnded(connection: number): boolean {
  try {
    return libc().recvfrom(connection, data, MSG_DONTWAIT) === 0;
  } catch (error) {
    if (isKernelError(error)) return true;
    throw error;
  }
}

const from = Buffer.alloc(28);

function echoAll(fd: number, answer: (data: Buffer) => Buffer | null): void {
  try {
    for (;;) {
      const length = libc().recvfrom(fd, data, MSG_DONTWAIT, from);
      if (length === null) return;
      const reply = answer(data.subarray(0, Math.min(length, data.length)));
      const address = from.readUInt16LE(0) === domainOf(4) ? from.subarray(0, 16) : from;
      if (reply !== null) libc().sendto(fd, reply, MSG_DONTWAIT, address);
    }
  } catch (error) {
    // An ICMP error about an answer of ours, or an answer that the policy forbids: the prober's side notices, and the
    // next turn goes on with what still waits.
    if (!isKernelError(error)) throw error;
  }
}
