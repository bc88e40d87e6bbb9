/**
 * Real packets between namespaces, from one process: sockets are opened inside the namespaces and then polled. Every
 * attempt is observed at both ends, so that "denied" never rests on a missing answer alone.
 */
import { ICMP, ICMPV6, SCTP, TCP, UDP, familyOf } from "@bulkhead/model";
import { KernelError, errnoName } from "../../src/kernel/kernel-error.ts";
import {
  AF_INET,
  AF_INET6,
  MSG_DONTWAIT,
  POLLERR,
  POLLHUP,
  POLLOUT,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOCK_RAW,
  SOCK_STREAM,
  SOL_SOCKET,
  SO_ERROR,
  libc,
} from "../../src/kernel/libc.ts";
import { insideNetns } from "../../src/kernel/netns.ts";
import { icmpMessage, isSctpAnswer, sctpAnswer, sctpInit } from "../../src/probe/payloads.ts";
import { portOf, socketAddress } from "../../src/probe/socket-address.ts";

export type ProtocolName = "tcp" | "udp" | "sctp" | "icmp";

/** `passed`: an answer came. `silent`: nothing came. Otherwise the errno with which the source was refused. */
export interface Outcome {
  readonly answer: "passed" | "silent" | { readonly refused: string };
  /** The packet was seen at the destination. */
  readonly arrived: boolean;
}

export interface Flow {
  /** Path of the source's namespace. */
  readonly from: string;
  readonly destination: string;
  readonly protocol: ProtocolName;
  readonly port: number;
  readonly source?: string;
  readonly sourcePort?: number;
}

const ipProtocol = (protocol: ProtocolName, family: 4 | 6): number =>
  ({ tcp: TCP, udp: UDP, sctp: SCTP, icmp: family === 4 ? ICMP : ICMPV6 })[protocol];

const socketType = { tcp: SOCK_STREAM, udp: SOCK_DGRAM, sctp: SOCK_RAW, icmp: SOCK_RAW } as const;

export const openSocket = (path: string, protocol: ProtocolName, family: 4 | 6): number =>
  insideNetns(path, () =>
    libc().socket(
      family === 4 ? AF_INET : AF_INET6,
      socketType[protocol] | SOCK_NONBLOCK | SOCK_CLOEXEC,
      ipProtocol(protocol, family),
    ),
  );

/** Raw IPv4 sockets deliver the IP header too, IPv6 ones do not. */
const payloadOf = (packet: Buffer, family: 4 | 6): Buffer =>
  family === 4 ? packet.subarray((packet.readUInt8(0) & 15) * 4) : packet;

const buffer = Buffer.alloc(70_000);
const integer = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
};

/** What tells one attempt's packets from another's at the destination. */
const sightKey = (protocol: ProtocolName, port: number, sourcePort: number): string =>
  `${protocol} ${port} ${sourcePort}`;

interface Server {
  readonly fd: number;
  step(): void;
}

export interface Traffic {
  /** Listens and echoes on this port, both families. ICMP needs no port: the kernel echoes, we watch. */
  serve(path: string, protocol: ProtocolName, port: number): void;
  attempt(flow: Flow, patience?: number): Promise<Outcome>;
  /** How many packets or connections were seen at destinations since the start. */
  arrivals(protocol: ProtocolName, port: number): number;
  close(): void;
}

export const sleep = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));

export const createTraffic = (): Traffic => {
  const servers: Server[] = [];
  const sights = new Set<string>();
  const counts = new Map<string, number>();
  const open = new Set<number>();
  const keep = (fd: number): number => {
    open.add(fd);
    return fd;
  };
  const drop = (fd: number): void => {
    if (open.delete(fd)) libc().close(fd);
  };
  const see = (protocol: ProtocolName, port: number, sourcePort: number): void => {
    sights.add(sightKey(protocol, port, sourcePort));
    const key = `${protocol} ${port}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  };

  const tcpServer = (path: string, family: 4 | 6, port: number): Server => {
    const fd = keep(openSocket(path, "tcp", family));
    libc().setsockopt(fd, SOL_SOCKET, 2, integer(1));
    if (family === 6) libc().setsockopt(fd, 41, 26, integer(1));
    libc().bind(fd, socketAddress(family === 4 ? "0.0.0.0" : "::", port));
    libc().listen(fd, 1024);
    const peers = new Map<number, number>();
    return {
      fd,
      step() {
        for (;;) {
          const peer = libc().accept(fd, SOCK_NONBLOCK | SOCK_CLOEXEC);
          if (peer === null) break;
          peers.set(keep(peer), 0);
        }
        for (const peer of peers.keys()) {
          try {
            const size = libc().recvfrom(peer, buffer, MSG_DONTWAIT);
            if (size === null) continue;
            if (size > 0) {
              const text = buffer.subarray(0, size).toString("latin1");
              for (const [, sourcePort] of text.matchAll(/from (\d+);/g))
                see("tcp", port, Number(sourcePort));
              libc().sendto(peer, Buffer.from(buffer.subarray(0, size)), 0x4000, null);
              continue;
            }
          } catch (error) {
            if (!(error instanceof KernelError)) throw error;
          }
          peers.delete(peer);
          drop(peer);
        }
      },
    };
  };

  const datagramServer = (
    path: string,
    protocol: "udp" | "sctp" | "icmp",
    family: 4 | 6,
    port: number,
  ): Server => {
    const fd = keep(openSocket(path, protocol, family));
    if (protocol === "udp") {
      if (family === 6) libc().setsockopt(fd, 41, 26, integer(1));
      libc().bind(fd, socketAddress(family === 4 ? "0.0.0.0" : "::", port));
    }
    const from = Buffer.alloc(28);
    const answer = (data: Buffer): void => {
      const to = Buffer.from(from.subarray(0, family === 4 ? 16 : 28));
      if (protocol === "sctp") to.writeUInt16BE(0, 2);
      try {
        libc().sendto(fd, data, MSG_DONTWAIT, to);
      } catch (error) {
        // A refusal of the answer is what some tests are about; the source sees that nothing came.
        if (!(error instanceof KernelError)) throw error;
      }
    };
    return {
      fd,
      step() {
        for (;;) {
          let size: number | null = null;
          try {
            size = libc().recvfrom(fd, buffer, MSG_DONTWAIT, from);
          } catch (error) {
            if (!(error instanceof KernelError)) throw error;
            continue;
          }
          if (size === null) return;
          const packet = Buffer.from(buffer.subarray(0, size));
          if (protocol === "udp") {
            see("udp", port, portOf(from));
            answer(packet);
            continue;
          }
          const payload = payloadOf(packet, family);
          if (protocol === "icmp") {
            if (payload.length >= 8 && payload.readUInt8(0) === (family === 4 ? 8 : 128))
              see("icmp", 0, payload.readUInt16BE(4));
            continue;
          }
          if (payload.length < 12 || payload.readUInt16BE(2) !== port) continue;
          const reply = sctpAnswer(payload, 77);
          if (reply === null) continue;
          see("sctp", port, payload.readUInt16BE(0));
          answer(reply);
        }
      },
    };
  };

  const timer = setInterval(() => {
    for (const server of servers) server.step();
  }, 2);

  let nextPort = 20_000 + Math.floor(Math.random() * 10_000);

  const openFlow = (flow: Flow) => {
    const { protocol, port, destination } = flow;
    const family = familyOf(destination);
    const fd = keep(openSocket(flow.from, protocol, family));
    nextPort += 1;
    const sourcePort = flow.sourcePort ?? nextPort;
    const withPort = protocol === "tcp" || protocol === "udp";
    if (withPort || flow.source !== undefined)
      libc().bind(
        fd,
        socketAddress(flow.source ?? (family === 4 ? "0.0.0.0" : "::"), withPort ? sourcePort : 0),
      );
    const message = {
      tcp: () => Buffer.from(`from ${sourcePort};`),
      udp: () => Buffer.from(`from ${sourcePort};`),
      sctp: () => sctpInit(sourcePort, port, 4711),
      icmp: () => icmpMessage(family, family === 4 ? 8 << 8 : 128 << 8, sourcePort),
    }[protocol]();
    return { fd, family, sourcePort, message, withPort };
  };

  const isAnswer = (
    protocol: ProtocolName,
    family: 4 | 6,
    packet: Buffer,
    port: number,
    sourcePort: number,
  ): boolean => {
    if (protocol === "tcp" || protocol === "udp") return true;
    const payload = payloadOf(packet, family);
    if (protocol === "sctp") return isSctpAnswer(payload, sourcePort, port);
    return (
      payload.length >= 8 &&
      payload.readUInt8(0) === (family === 4 ? 0 : 129) &&
      payload.readUInt16BE(4) === sourcePort
    );
  };

  const attempt = async (flow: Flow, patience = 600): Promise<Outcome> => {
    const { protocol, port, destination } = flow;
    const { fd, family, sourcePort, message, withPort } = openFlow(flow);
    const seenAs = sightKey(protocol, protocol === "icmp" ? 0 : port, sourcePort);
    const done = async (answer: Outcome["answer"]): Promise<Outcome> => {
      if (answer === "silent") await sleep(5);
      drop(fd);
      return { answer, arrived: sights.has(seenAs) };
    };
    const refusal = (error: unknown): Outcome["answer"] => {
      if (error instanceof KernelError) return { refused: error.code };
      throw error;
    };
    try {
      libc().connect(fd, socketAddress(destination, withPort ? port : 0));
      if (protocol !== "tcp") libc().sendto(fd, message, MSG_DONTWAIT, null);
    } catch (error) {
      return await done(refusal(error));
    }
    const end = performance.now() + patience;
    let connected = protocol !== "tcp";
    while (performance.now() < end) {
      await sleep(2);
      try {
        if (!connected) {
          const entry = { fd, events: POLLOUT, revents: 0 };
          libc().poll([entry], 0);
          if ((entry.revents & (POLLERR | POLLHUP)) !== 0) {
            const value = Buffer.alloc(4);
            libc().getsockopt(fd, SOL_SOCKET, SO_ERROR, value);
            return await done({ refused: errnoName(value.readInt32LE()) });
          }
          if ((entry.revents & POLLOUT) === 0) continue;
          connected = true;
          libc().sendto(fd, message, 0x4000, null);
          continue;
        }
        const size = libc().recvfrom(fd, buffer, MSG_DONTWAIT);
        if (size === null) continue;
        const packet = Buffer.from(buffer.subarray(0, size));
        if (isAnswer(protocol, family, packet, port, sourcePort)) return await done("passed");
      } catch (error) {
        return await done(refusal(error));
      }
    }
    return done("silent");
  };

  return {
    serve(path, protocol, port) {
      for (const family of [4, 6] as const)
        servers.push(
          protocol === "tcp"
            ? tcpServer(path, family, port)
            : datagramServer(path, protocol, family, port),
        );
    },
    attempt,
    arrivals: (protocol, port) => counts.get(`${protocol} ${port}`) ?? 0,
    close() {
      clearInterval(timer);
      for (const fd of open) drop(fd);
    },
  };
};
