/**
 * Ways around the rules for processes of the machine that packets themselves open: a destination that is translated, after which
 * a hook is told of the wrong device; sockets that are not whole yet, or no more, and tell no control group; protocols and addresses
 * that rules may have forgotten.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { CgroupPath, HostPolicy, Row } from "@bulkhead/model";
import { KernelError } from "../../src/kernel/kernel-error.ts";
import {
  AF_INET,
  MSG_DONTWAIT,
  POLLOUT,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOL_SOCKET,
  libc,
} from "../../src/kernel/libc.ts";
import { insideNetns } from "../../src/kernel/netns.ts";
import { socketsInState } from "../../src/link/sock-diag.ts";
import { socketAddress } from "../../src/probe/socket-address.ts";
import { ALLOW, DROP, rowOf } from "./policies.ts";
import { OPEN, SHUT, host, onEveryDriverInProcessesLab, told } from "./processes-lab.ts";
import { openSocket, sleep } from "./traffic.ts";

const yes = Buffer.from([1, 0, 0, 0]);

/** A kernel may have been built without it. */
const isThere = (open: () => number): boolean => {
  try {
    libc().close(open());
    return true;
  } catch (error) {
    if (error instanceof KernelError && error.code === "EPROTONOSUPPORT") return false;
    throw error;
  }
};

onEveryDriverInProcessesLab(
  () => {
    describe("a destination that is translated where it is sent", () => {
      /** Of the box alone. */
      const BOXED = 7600;
      const MACHINE = "10.86.0.1";
      const ELSEWHERE = "10.99.0.1";

      beforeAll(() => {
        const { path, v4 } = host.lab.workload("box");
        for (const protocol of ["tcp", "udp"] as const) host.traffic.serve(path, protocol, BOXED);
        const to = (address: string, port: number, target: string): string[] =>
          ["tcp", "udp"].map(
            (protocol) =>
              `add rule ip lab output ip daddr ${address} ${protocol} dport ${port} dnat to ${target}`,
          );
        const nat = [
          "add table ip lab",
          "add chain ip lab output { type nat hook output priority -100; }",
          ...to(ELSEWHERE, 9000, `${MACHINE}:${OPEN}`),
          ...to(ELSEWHERE, 9001, `${MACHINE}:${SHUT}`),
          ...to(MACHINE, 9002, `${v4}:${BOXED}`),
        ];
        host.lab.run(host.lab.host, ["nft", "-f", "-"], nat.join("\n"));
        host.lab.run(host.lab.host, ["ip", "route", "add", `${ELSEWHERE}/32`, "via", v4]);
      });

      test.each(["tcp", "udp"] as const)(
        "meets the rules of where it goes, by %s",
        async (protocol) => {
          const { v4 } = host.lab.workload("box");
          // The machine is exempt towards the box, unless it is known there who speaks, and never towards its own processes.
          const judged = (row: Row): HostPolicy => {
            const known = { peers: [["host/unrelated", row]], defaultRow: row } as const;
            return host.policy(
              [
                { direction: "ingress", subjects: [], processes: ["host/server"], ...known },
                { direction: "ingress", subjects: [v4], ...known },
              ],
              { nodeExempt: true },
            );
          };
          const attempts = [
            { destination: ELSEWHERE, port: 9000, at: OPEN },
            { destination: ELSEWHERE, port: 9001, at: SHUT },
            { destination: MACHINE, port: 9002, at: BOXED },
          ];
          const arrivals = (): number[] =>
            attempts.map(({ at }) => host.traffic.arrivals(protocol, at));
          const tried = () =>
            Promise.all(
              attempts.map(async ({ destination, port }) => {
                const { answer } = await host.attempt(host.other, { destination, port, protocol });
                return answer === "passed";
              }),
            );
          await host.driver.apply(judged(rowOf(ALLOW)));
          expect(await tried()).toEqual([true, true, true]);
          const before = arrivals();
          await host.driver.apply(judged(rowOf(DROP)));
          expect(await tried()).toEqual([false, false, false]);
          expect(arrivals()).toEqual(before);
        },
      );
    });

    test("who waits at all addresses is not at home where another waits at one", async () => {
      const port = 7500;
      const SO_REUSEADDR = 2;
      const socket = { family: 4, protocol: 17, port } as const;
      await host.driver.apply(
        host.policy(
          [
            {
              direction: "egress",
              subjects: [],
              processes: ["host/client"],
              defaultRow: rowOf(ALLOW),
            },
            {
              direction: "ingress",
              subjects: [],
              processes: ["host/server"],
              defaultRow: rowOf(DROP),
            },
          ],
          {
            sockets: [
              { workload: "host/client", ...socket },
              { workload: "host/server", address: "127.0.0.1", ...socket },
            ],
          },
        ),
      );
      const open = (cgroup: CgroupPath, address: string): number => {
        const fd = host.groups.inside(cgroup, () => openSocket(host.lab.hostPath, "udp", 4));
        libc().setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, yes);
        libc().bind(fd, socketAddress(address, port));
        return fd;
      };
      const [server, client] = [open(host.server, "127.0.0.1"), open(host.client, "0.0.0.0")];
      const send = (address: string): void => {
        libc().sendto(client, Buffer.from("x"), MSG_DONTWAIT, socketAddress(address, port));
      };
      try {
        send("127.0.0.2");
        await expect
          .poll(() => libc().recvfrom(client, Buffer.alloc(9), MSG_DONTWAIT), { timeout: 20_000 })
          .toBe(1);
        expect(() => send("127.0.0.1")).toThrow("EPERM");
        expect(libc().recvfrom(server, Buffer.alloc(9), MSG_DONTWAIT)).toBeNull();
      } finally {
        for (const fd of [server, client]) libc().close(fd);
      }
    });

    describe("whatever a process speaks, it is judged by who it is", () => {
      const SO_BROADCAST = 6;
      const UDP_LITE = 136;
      beforeAll(async () => {
        const egress = {
          direction: "egress",
          subjects: [],
          processes: ["host/client"],
          defaultRow: rowOf(DROP),
        } as const;
        await host.driver.apply(host.policy([egress]));
      });
      /** Whether the kernel lets one datagram out. */
      const leaves = (cgroup: CgroupPath, socket: () => number, to: Buffer): boolean => {
        const fd = host.groups.inside(cgroup, socket);
        try {
          libc().setsockopt(fd, SOL_SOCKET, SO_BROADCAST, yes);
          libc().sendto(fd, Buffer.alloc(16, 8), MSG_DONTWAIT, to);
          return true;
        } catch (error) {
          if (error instanceof KernelError && error.code === "EPERM") return false;
          throw error;
        } finally {
          libc().close(fd);
        }
      };

      test.each(["icmp", "sctp"] as const)("%s", async (protocol) => {
        const { v4, v6 } = host.lab.workload("box");
        for (const destination of [v4, v6, "127.0.0.1", "::1"]) {
          const open = (): number =>
            openSocket(
              host.lab.hostPath,
              protocol,
              destination === v6 || destination === "::1" ? 6 : 4,
            );
          const to = socketAddress(destination, 0);
          expect([leaves(host.client, open, to), leaves(host.other, open, to)]).toEqual([
            false,
            true,
          ]);
        }
      });

      test("UDP-Lite, IPv4 by a socket of IPv6, broadcasts, and any address of this machine", () => {
        const { v4 } = host.lab.workload("box");
        const lite = (): number =>
          insideNetns(host.lab.hostPath, () =>
            libc().socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, UDP_LITE),
          );
        const udp = (family: 4 | 6) => (): number => openSocket(host.lab.hostPath, "udp", family);
        const ways = [
          ...(isThere(lite) ? [[lite, v4] as const] : []),
          [udp(6), `::ffff:${v4}`] as const,
          ...["10.86.0.255", "127.255.255.255", "127.9.8.7", "0.0.0.0", "10.86.0.1"].map(
            (address) => [udp(4), address] as const,
          ),
        ];
        for (const [open, address] of ways) {
          const to = socketAddress(address, OPEN);
          expect([address, leaves(host.client, open, to), leaves(host.other, open, to)]).toEqual([
            address,
            false,
            true,
          ]);
        }
      });
    });

    describe("where no socket is whole, the owner of the port is asked", () => {
      const IPPROTO_TCP = 6;
      const SO_REUSEADDR = 2;
      const TCP_DEFER_ACCEPT = 9;
      const TCP_TIME_WAIT = 6;
      const POLLIN = 1;
      const NO_SIGNAL = 0x4000;
      const fds: number[] = [];
      afterAll(() => {
        for (const fd of fds) libc().close(fd);
      });
      const keep = (fd: number): number => {
        fds.push(fd);
        return fd;
      };
      const close = (fd: number): void => {
        fds.splice(fds.indexOf(fd), 1);
        libc().close(fd);
      };

      const judged = (row: Row, port: number): HostPolicy =>
        host.policy(
          [{ direction: "ingress", subjects: [], processes: ["host/server"], defaultRow: row }],
          { sockets: told(port) },
        );
      const listen = (port: number, deferred: boolean): number => {
        const fd = keep(
          host.groups.inside(host.server, () => openSocket(host.lab.hostPath, "tcp", 4)),
        );
        libc().setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, yes);
        if (deferred)
          libc().setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, Buffer.from([30, 0, 0, 0]));
        libc().bind(fd, socketAddress("0.0.0.0", port));
        libc().listen(fd, 8);
        return fd;
      };
      const connect = (port: number, sourcePort: number): number => {
        const { path, v4 } = host.lab.workload("box");
        const fd = keep(openSocket(path, "tcp", 4));
        libc().setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, yes);
        libc().bind(fd, socketAddress(v4, sourcePort));
        libc().connect(fd, socketAddress("10.86.0.1", port));
        return fd;
      };
      const isReady = (fd: number, events: number): boolean =>
        libc().poll([{ fd, events, revents: 0 }], 0) === 1;
      const say = (fd: number): void => {
        libc().sendto(fd, Buffer.from("something"), NO_SIGNAL, null);
      };
      const accepted = (listener: number): number | null =>
        libc().accept(listener, SOCK_NONBLOCK | SOCK_CLOEXEC);
      const acceptedWithin = async (listener: number, patience: number): Promise<number | null> => {
        for (const end = performance.now() + patience; ; await sleep(5)) {
          const found = accepted(listener);
          if (found !== null) return keep(found);
          if (performance.now() > end) return null;
        }
      };
      const patient = 20_000;

      test("a request that waits to be taken up is not when it is revoked", async () => {
        const port = 7301;
        await host.driver.apply(judged(rowOf(ALLOW), port));
        // Taken up with the first data only.
        const listener = listen(port, true);
        const [first, second] = [connect(port, 33_301), connect(port, 33_302)];
        for (const fd of [first, second])
          await expect.poll(() => isReady(fd, POLLOUT), { timeout: patient }).toBe(true);
        say(first);
        expect(await acceptedWithin(listener, patient)).not.toBeNull();
        await host.driver.apply(judged(rowOf(DROP), port));
        say(second);
        expect(await acceptedWithin(listener, 500)).toBeNull();
      });

      test("nor is one that begins where another has just ended", async () => {
        const [port, sourcePort] = [7302, 33_303];
        await host.driver.apply(judged(rowOf(ALLOW), port));
        const listener = listen(port, false);
        const first = connect(port, sourcePort);
        const peer = await acceptedWithin(listener, patient);
        expect(peer).not.toBeNull();
        // Who ends first is the one that remembers.
        close(peer as number);
        const remembered = (): boolean =>
          insideNetns(host.lab.hostPath, () => socketsInState(6, 4, TCP_TIME_WAIT))?.some(
            ({ remotePort }) => remotePort === sourcePort,
          ) === true;
        await expect.poll(() => isReady(first, POLLIN), { timeout: patient }).toBe(true);
        close(first);
        await expect.poll(remembered, { timeout: patient }).toBe(true);
        await host.driver.apply(judged(rowOf(DROP), port));
        connect(port, sourcePort);
        expect(await acceptedWithin(listener, 500)).toBeNull();
        expect(remembered()).toBe(true);
      });
    });
  },
  { anew: true },
);
