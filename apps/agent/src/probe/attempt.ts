/**
 * The source's side of a probe: one socket, opened inside the source's namespace, that tries the connection once. `look`
 * asks, without waiting, whether an answer or a refusal has come.
 */
import { ICMP, ICMPV6, SCTP, TCP, UDP } from "@bulkhead/model";
import { isKernelError } from "../kernel/kernel-error.ts";
import {
  libc,
  MSG_DONTWAIT,
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
  SO_ERROR,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOCK_RAW,
  SOCK_STREAM,
  SOL_SOCKET,
} from "../kernel/libc.ts";
import { errnoName } from "../kernel/kernel-error.ts";
import { insideNetns } from "../kernel/netns.ts";
import { insideGroup } from "./inside-group.ts";
import { echoPayload, icmpMessage, isSctpAnswer, sctpInit, servicePayload } from "./payloads.ts";
import type { ProbeRequest } from "./probe.ts";
import { isEcho, transportOf, type Responder } from "./responder.ts";
import { domainOf, familyOf, portOf, socketAddress } from "./socket-address.ts";

export type Answer = "none" | "answered" | { readonly refusal: string };

export interface Attempt {
  readonly fd: number;
  /** What tells this attempt from others: source port, or ICMP identifier; 0 where the protocol has nothing. */
  readonly sourcePort: number;
  readonly answerable: boolean;
  /** Sends the first packet; a refusal by the source's own system is the errno name. */
  send(): { readonly refusal: string } | null;
  look(): Answer;
  close(): void;
}

const data = Buffer.alloc(2048);

/** Opens the socket and binds it to the source address; nothing is sent yet. Throws `KernelError`. */
export function openAttempt(
  request: ProbeRequest,
  responder: Responder["kind"],
  nonce: number,
): Attempt {
  const { protocol, source, destination, port } = request;
  const family = familyOf(source);
  const type = protocol === TCP ? SOCK_STREAM : protocol === UDP ? SOCK_DGRAM : SOCK_RAW;
  const open = () =>
    insideGroup(request.sourceCgroup, () =>
      libc().socket(domainOf(family), type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol),
    );
  const fd = request.sourceNetns === undefined ? open() : insideNetns(request.sourceNetns, open);
  const to = socketAddress(destination, type === SOCK_RAW ? 0 : port);
  try {
    libc().bind(fd, socketAddress(source, 0));
    const bound = Buffer.alloc(28);
    libc().getsockname(fd, bound);
    const close = () => libc().close(fd);
    if (protocol === TCP)
      return {
        fd,
        sourcePort: portOf(bound),
        answerable: true,
        send: () => refusalOf(() => void libc().connect(fd, to)),
        look: () => lookAtConnect(fd),
        close,
      };
    if (protocol === UDP) {
      const { payload, answered } =
        responder === "own"
          ? { payload: echoPayload(nonce), answered: true }
          : servicePayload(port, nonce);
      const send = () =>
        refusalOf(() => {
          libc().connect(fd, to);
          libc().sendto(fd, payload, MSG_DONTWAIT, null);
        });
      return {
        fd,
        sourcePort: portOf(bound),
        answerable: answered,
        send,
        look: () => lookForData(fd, () => true),
        close,
      };
    }
    return { fd, ...rawAttempt(request, family, nonce, fd, to), close };
  } catch (error) {
    libc().close(fd);
    throw error;
  }
}

type RawPart = Pick<Attempt, "sourcePort" | "answerable" | "send" | "look">;

function rawAttempt(
  { protocol, port }: ProbeRequest,
  family: 4 | 6,
  nonce: number,
  fd: number,
  to: Buffer,
): RawPart {
  const sendRaw = (payload: Buffer) => () =>
    refusalOf(() => {
      libc().connect(fd, to);
      libc().sendto(fd, payload, MSG_DONTWAIT, null);
    });
  if (protocol === ICMP || protocol === ICMPV6) {
    const identifier = nonce & 0xffff;
    const reply = protocol === ICMP ? 0 : 129;
    const isReply = (packet: Buffer) =>
      packet.length >= 6 && packet.readUInt8(0) === reply && packet.readUInt16BE(4) === identifier;
    return {
      sourcePort: identifier,
      answerable: isEcho(protocol, port),
      send: sendRaw(icmpMessage(family, port, identifier)),
      look: () => lookForData(fd, isReply, family),
    };
  }
  if (protocol === SCTP) {
    // From the range that Linux hands out to clients, so that nobody takes it for a service.
    const sourcePort = 32_768 + (nonce % 28_000);
    return {
      sourcePort,
      answerable: true,
      send: sendRaw(sctpInit(sourcePort, port, (nonce | 1) >>> 0)),
      look: () => lookForData(fd, (packet) => isSctpAnswer(packet, sourcePort, port), family),
    };
  }
  const payload = echoPayload(nonce);
  return {
    sourcePort: 0,
    answerable: true,
    send: sendRaw(payload),
    look: () => lookForData(fd, (packet) => packet.equals(payload), family),
  };
}

function refusalOf(send: () => void): { refusal: string } | null {
  try {
    send();
    return null;
  } catch (error) {
    if (isKernelError(error)) return { refusal: error.code };
    throw error;
  }
}

function lookAtConnect(fd: number): Answer {
  const entry = { fd, events: POLLOUT, revents: 0 };
  if (libc().poll([entry], 0) === 0 || (entry.revents & (POLLOUT | POLLERR | POLLHUP)) === 0)
    return "none";
  const status = Buffer.alloc(4);
  libc().getsockopt(fd, SOL_SOCKET, SO_ERROR, status);
  const errno = status.readInt32LE();
  return errno === 0 ? "answered" : { refusal: errnoName(errno) };
}

/** `family` is given for raw sockets, whose data may begin with an IP header. */
function lookForData(fd: number, isAnswer: (data: Buffer) => boolean, family?: 4 | 6): Answer {
  const entry = { fd, events: POLLIN, revents: 0 };
  if (libc().poll([entry], 0) === 0) return "none";
  for (;;) {
    try {
      const length = libc().recvfrom(fd, data, MSG_DONTWAIT);
      if (length === null) return "none";
      const received = data.subarray(0, Math.min(length, data.length));
      if (isAnswer(family === undefined ? received : transportOf(received, family)))
        return "answered";
    } catch (error) {
      if (isKernelError(error)) return { refusal: error.code };
      throw error;
    }
  }
}
