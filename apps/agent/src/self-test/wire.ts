/**
 * Sockets of the self-test: senders and receivers inside scratch namespaces, and waiting for what must arrive. Waiting
 * always ends on an event, or on a patience that only a broken kernel uses up.
 */
import type { IpAddress } from "@bulkhead/model";
import {
  insideNetns,
  libc,
  MSG_DONTWAIT,
  monotonicMs,
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
  SO_ERROR,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_SOCKET,
} from "../kernel/index.ts";
import { domainOf, familyOf, portOf, socketAddress } from "../probe/socket-address.ts";

export const PATIENCE_MS = 3000;
const SO_REUSEADDR = 2;
const ON = Buffer.from([1, 0, 0, 0]);
const FLAGS = SOCK_NONBLOCK | SOCK_CLOEXEC;

export interface Received {
  readonly text: string;
  readonly from: Buffer;
}

/** All sockets of one self-test; closed together. */
export class Sockets {
  readonly #open: number[] = [];

  udp(netns: string, address: IpAddress, port: number): number {
    return this.#socket(netns, SOCK_DGRAM, address, port);
  }

  listener(netns: string, address: IpAddress, port: number): number {
    const fd = this.#socket(netns, SOCK_STREAM, address, port);
    libc().listen(fd, 8);
    return fd;
  }

  /** A connection under way; `connected` tells how it went. */
  connect(netns: string, from: IpAddress, to: IpAddress, port: number): number {
    const fd = this.caller(netns, from);
    connectTo(fd, socketAddress(to, port));
    return fd;
  }

  /** One that calls nobody yet. */
  caller(netns: string, from: IpAddress): number {
    return this.#socket(netns, SOCK_STREAM, from, 0);
  }

  accept(listener: number): number | null {
    const fd = libc().accept(listener, FLAGS);
    if (fd !== null) this.#open.push(fd);
    return fd;
  }

  close(): void {
    for (const fd of this.#open.splice(0)) libc().close(fd);
  }

  #socket(netns: string, type: number, address: IpAddress, port: number): number {
    return insideNetns(netns, () => {
      const fd = libc().socket(domainOf(familyOf(address)), type | FLAGS, 0);
      this.#open.push(fd);
      libc().setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, ON);
      libc().bind(fd, socketAddress(address, port));
      return fd;
    });
  }
}

export function connectTo(fd: number, there: Buffer): void {
  libc().connect(fd, there);
}

export function send(fd: number, text: string, to?: Buffer): void {
  libc().sendto(fd, Buffer.from(text), MSG_DONTWAIT, to ?? null);
}

export const to = (address: IpAddress, port: number): Buffer => socketAddress(address, port);

const buffer = Buffer.alloc(70_000);

/** What waits there now, or null; an error of the connection counts as nothing. */
export function take(fd: number): Received | null {
  if (libc().poll([{ fd, events: POLLIN, revents: 0 }], 0) === 0) return null;
  const from = Buffer.alloc(28);
  const length = libc().recvfrom(fd, buffer, MSG_DONTWAIT, from);
  if (length === null) return null;
  const size = portOf(from) === 0 ? 0 : from.readUInt16LE(0) === 2 ? 16 : 28;
  return { text: buffer.toString("latin1", 0, length), from: from.subarray(0, size) };
}

/** Waits for something to read. */
export function arrives(fd: number): Received | null {
  wait(fd, POLLIN);
  return take(fd);
}

/** Waits for the end of connecting; false when it was refused or nothing came of it. */
export function connects(fd: number): boolean {
  if ((wait(fd, POLLOUT) & (POLLERR | POLLHUP)) !== 0) return false;
  return isConnected(fd);
}

export function isConnected(fd: number): boolean {
  const entry = { fd, events: POLLOUT, revents: 0 };
  if (libc().poll([entry], 0) === 0) return false;
  const status = Buffer.alloc(4);
  libc().getsockopt(fd, SOL_SOCKET, SO_ERROR, status);
  return status.readInt32LE() === 0 && (entry.revents & (POLLERR | POLLHUP)) === 0;
}

function wait(fd: number, events: number): number {
  const entry = { fd, events, revents: 0 };
  for (const end = monotonicMs() + PATIENCE_MS; monotonicMs() < end;) {
    if (libc().poll([entry], Math.ceil(end - monotonicMs())) > 0) return entry.revents;
  }
  return 0;
}
