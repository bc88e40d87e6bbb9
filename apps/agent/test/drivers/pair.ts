/**
 * One long-lived connection between two namespaces, both ends in hand: what a revocation must cut, a lost conntrack
 * entry must not turn around, and NAT must not disguise.
 */
import { familyOf } from "@bulkhead/model";
import { KernelError } from "../../src/kernel/kernel-error.ts";
import {
  MSG_DONTWAIT,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOL_SOCKET,
  libc,
} from "../../src/kernel/libc.ts";
import { socketAddress } from "../../src/probe/socket-address.ts";
import { openSocket, sleep } from "./traffic.ts";

export interface Pair {
  /** Did bytes from the client reach the server (or the other way) within the patience? */
  toServer(patience?: number): Promise<boolean>;
  toClient(patience?: number): Promise<boolean>;
  close(): void;
}

const NO_SIGNAL = 0x4000;
const buffer = Buffer.alloc(70_000);

const wait = async <T>(patience: number, look: () => T | null): Promise<T | null> => {
  const end = performance.now() + patience;
  for (;;) {
    const found = look();
    if (found !== null || performance.now() > end) return found;
    await sleep(2);
  }
};

/** Sends one numbered message and says whether that very message (or, for TCP, any bytes) came out at the other end. */
const carry = async (
  from: number,
  to: number,
  target: Buffer | null,
  text: string,
  patience: number,
): Promise<boolean> => {
  while (drain(to) !== null) continue;
  try {
    libc().sendto(from, Buffer.from(text), MSG_DONTWAIT | NO_SIGNAL, target);
  } catch (error) {
    if (error instanceof KernelError) return false;
    throw error;
  }
  const arrived = await wait(patience, () => {
    const size = drain(to);
    return size !== null && size > 0 && buffer.subarray(0, size).includes(text) ? true : null;
  });
  return arrived === true;
};

const drain = (fd: number): number | null => {
  try {
    return libc().recvfrom(fd, buffer, MSG_DONTWAIT);
  } catch (error) {
    if (error instanceof KernelError) return null;
    throw error;
  }
};

const one = Buffer.from([1, 0, 0, 0]);

/** `at`: where the server really listens; `address`: what the client connects to (they differ under NAT). */
export const openPair = async (options: {
  readonly protocol: "tcp" | "udp";
  readonly client: string;
  readonly server: string;
  readonly address: string;
  readonly port: number;
  readonly at?: { readonly address: string; readonly port: number };
  readonly size?: number;
  /** Where each end's sockets are made, for those who look at that: in a control group, say. */
  readonly clientIn?: (make: () => number) => number;
  readonly serverIn?: (make: () => number) => number;
}): Promise<Pair | null> => {
  const { protocol, client: clientPath, server: serverPath, address, port } = options;
  const at = options.at ?? { address, port };
  const family = familyOf(address);
  const here = (make: () => number): number => make();
  const { clientIn = here, serverIn = here } = options;
  const listener = serverIn(() => openSocket(serverPath, protocol, family));
  libc().setsockopt(listener, SOL_SOCKET, 2, one);
  libc().bind(listener, socketAddress(at.address, at.port));
  const client = clientIn(() => openSocket(clientPath, protocol, family));
  const fds = [listener, client];
  const close = (): void => {
    for (const fd of fds.splice(0)) libc().close(fd);
  };
  let count = 0;
  const next = (): string => {
    count += 1;
    return `message ${count};`.padEnd(options.size ?? 0, ".");
  };
  if (protocol === "tcp") libc().listen(listener, 8);
  try {
    libc().connect(client, socketAddress(address, port));
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    close();
    return null;
  }
  if (protocol === "tcp") {
    const accepted = await wait(600, () => libc().accept(listener, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (accepted === null) {
      close();
      return null;
    }
    fds.push(accepted);
    await sleep(5);
    return {
      toServer: (patience = 250) => carry(client, accepted, null, next(), patience),
      toClient: (patience = 250) => carry(accepted, client, null, next(), patience),
      close,
    };
  }
  const from = Buffer.alloc(family === 4 ? 16 : 28);
  libc().sendto(client, Buffer.from("hello"), MSG_DONTWAIT, null);
  const heard = await wait(400, () => libc().recvfrom(listener, buffer, MSG_DONTWAIT, from));
  if (heard === null) {
    close();
    return null;
  }
  return {
    toServer: (patience = 250) => carry(client, listener, null, next(), patience),
    toClient: (patience = 250) => carry(listener, client, from, next(), patience),
    close,
  };
};

/** On a busy machine a connection may take more than one try to come about. */
export const patiently = async (open: () => Promise<Pair | null>): Promise<Pair> => {
  for (let again = 20; again > 0; again -= 1) {
    const pair = await open();
    if (pair !== null) return pair;
  }
  throw new Error("no connection");
};
