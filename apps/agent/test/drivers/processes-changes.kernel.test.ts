/**
 * What changes around processes of the machine: rules that are revoked, units that start, stop and start again, sockets that nobody
 * has told of. Nothing forbidden passes meanwhile.
 */
import { beforeAll, describe, expect, test } from "vitest";
import type { HostPolicy, ProcessSocket } from "@bulkhead/model";
import { MSG_DONTWAIT, libc } from "../../src/kernel/libc.ts";
import { socketAddress } from "../../src/probe/socket-address.ts";
import { openPair, patiently } from "./pair.ts";
import type { Pair } from "./pair.ts";
import { PATIENT_MS, together } from "./pairs-together.ts";
import { ALLOW, DROP, rowOf } from "./policies.ts";
import type { ClassText } from "./policies.ts";
import { OPEN, SHUT, confined, host, onEveryDriverInProcessesLab, told } from "./processes-lab.ts";
import { openSocket, sleep } from "./traffic.ts";

const UNTOLD = 7100;

onEveryDriverInProcessesLab(
  () => {
    describe("revocation ends what is under way, both ways", () => {
      const everything = rowOf(ALLOW);
      const nothing = rowOf(DROP);
      /** From and to where, of those whose rules end it. */
      const ways = {
        egress: [
          ["client", "box"],
          ["client", "server"],
        ],
        ingress: [
          ["box", "server"],
          ["client", "server"],
        ],
      } as const;
      const port = 7300;

      /** Each end's sockets are made in its group. */
      const open = (protocol: "tcp" | "udp", from: "client" | "box", to: "box" | "server") => {
        const { path, v4 } = host.lab.workload("box");
        const inside = (end: "client" | "server" | "box") => (make: () => number) =>
          end === "box" ? make() : host.groups.inside(host[end], make);
        const own = from === "client" ? "127.0.0.1" : (host.lab.hostAddresses[0] as string);
        return openPair({
          protocol,
          client: from === "box" ? path : host.lab.hostPath,
          server: to === "box" ? path : host.lab.hostPath,
          address: to === "box" ? v4 : own,
          port,
          clientIn: inside(from),
          serverIn: inside(to),
        });
      };

      test.each(["egress", "ingress"] as const)("by rules of %s", async (by) => {
        const judged = (row: typeof everything): HostPolicy =>
          host.policy(
            [
              {
                direction: by,
                subjects: [],
                processes: [by === "egress" ? "host/client" : "host/server"],
                defaultRow: row,
              },
            ],
            { sockets: told(port) },
          );
        await host.driver.apply(judged(everything));
        const pairs = await Promise.all(
          (["tcp", "udp"] as const).flatMap((protocol) =>
            ways[by].map(async ([from, to]) => ({
              name: `${protocol} from ${from} to ${to}`,
              protocol,
              pair: await patiently(() => open(protocol, from, to)),
            })),
          ),
        );
        try {
          const opened = together(pairs);
          expect(await opened.toServer(PATIENT_MS)).toEqual(opened.all(true));
          expect(await opened.toClient(PATIENT_MS)).toEqual(opened.all(true));
          await host.driver.apply(judged(nothing));
          expect(await opened.toServer()).toEqual(opened.all(false));
          expect(await opened.toClient()).toEqual(opened.all(false));
        } finally {
          for (const { pair } of pairs) pair.close();
        }
      });

      test("of what went to a translated address", async () => {
        const { path, v4 } = host.lab.workload("box");
        const nat = [
          "add table ip lab",
          "add chain ip lab output { type nat hook output priority -100; }",
          `add rule ip lab output ip daddr 10.99.0.1 udp dport 9999 dnat to ${v4}:7400`,
        ];
        host.lab.run(host.lab.host, ["nft", "-f", "-"], nat.join("\n"));
        host.lab.run(host.lab.host, ["ip", "route", "add", "10.99.0.1/32", "via", v4]);
        const judged = (row: typeof everything): HostPolicy =>
          host.policy([
            { direction: "egress", subjects: [], processes: ["host/client"], defaultRow: row },
          ]);
        await host.driver.apply(judged(everything));
        const pair = await openPair({
          protocol: "udp",
          client: host.lab.hostPath,
          server: path,
          address: "10.99.0.1",
          port: 9999,
          at: { address: v4, port: 7400 },
          clientIn: (make) => host.groups.inside(host.client, make),
        });
        try {
          expect([await pair?.toServer(), await pair?.toClient()]).toEqual([true, true]);
          await host.driver.apply(judged(nothing));
          expect([await pair?.toServer(), await pair?.toClient()]).toEqual([false, false]);
        } finally {
          pair?.close();
          host.lab.run(host.lab.host, ["nft", "delete", "table", "ip", "lab"]);
        }
      });
    });

    describe("unknown control groups below a managed one", () => {
      beforeAll(async () => {
        await host.driver.apply(host.policy([confined()], { managed: [host.groups.root] }));
      });

      test("are denied from the first packet, in both directions", async () => {
        const { v4, v6, path } = host.lab.workload("box");
        const before = host.traffic.arrivals("udp", OPEN);
        let sent = 0;
        for (let round = 0; round < 60; round += 1) {
          const cgroup = host.groups.add(`new-${round}.service`);
          for (const destination of [v4, v6, "127.0.0.1", "::1"])
            if (host.send(cgroup, destination, OPEN)) sent += 1;
          host.groups.remove(cgroup);
          if (round % 20 === 0) await host.driver.bindProcesses();
        }
        expect(sent).toBe(0);
        const cgroup = host.groups.add("listener.service");
        host.groups.inside(cgroup, () => host.traffic.serve(host.lab.hostPath, "udp", UNTOLD));
        const attempt = (from: string, destination: string) =>
          host.traffic.attempt({ from, destination, protocol: "udp", port: UNTOLD }, 100);
        const outcomes = await Promise.all([
          attempt(path, host.lab.hostAddresses[0] as string),
          host.groups.inside(host.other, () => attempt(host.lab.hostPath, "127.0.0.1")),
        ]);
        host.groups.remove(cgroup);
        expect(outcomes.map(({ arrived }) => arrived)).toEqual([false, false]);
        expect(host.traffic.arrivals("udp", OPEN)).toBe(before);
        const counters = await host.driver.counters();
        const denied = counters.find(
          (one) => one.kind === "special" && one.name === "unknown_process",
        );
        expect(denied?.packets).toBeGreaterThanOrEqual(60 * 4 + 2);
      });

      test("known ones that nobody judges are not cut", async () => {
        expect(await host.passes(host.other, host.lab.workload("box").v4, SHUT)).toBe(true);
        expect(await host.passes(host.other, "127.0.0.1", OPEN)).toBe(true);
      });

      test("nor is anybody elsewhere, once it has been looked at", async () => {
        const elsewhere = host.groups.add("/-elsewhere");
        expect(await host.passes(elsewhere, host.lab.workload("box").v4, SHUT)).toBe(false);
        const generation = host.driver.generation();
        expect(await host.driver.bindProcesses()).toBe(true);
        expect(host.driver.generation()).not.toBe(generation);
        expect(await host.passes(elsewhere, host.lab.workload("box").v4, SHUT)).toBe(true);
        host.groups.remove(elsewhere);
        expect((await host.driver.readBack()).differences).toEqual([]);
      });
    });

    test("a unit that is started again is judged as before from its first packet", async () => {
      await host.driver.apply(host.policy([confined()], { managed: [host.groups.root] }));
      const { v4 } = host.lab.workload("box");
      const forbidden = host.traffic.arrivals("udp", SHUT);
      for (let round = 0; round < 15; round += 1) {
        host.groups.remove(host.client);
        host.groups.add("client.service");
        const bound = host.driver.bindProcesses();
        let permitted = false;
        while (!permitted) {
          expect(host.send(host.client, v4, SHUT)).toBe(false);
          permitted = host.send(host.client, v4, OPEN);
          await sleep(0);
        }
        await bound;
        expect(host.send(host.client, v4, SHUT)).toBe(false);
      }
      await sleep(20);
      expect(host.traffic.arrivals("udp", SHUT)).toBe(forbidden);
      const found = await host.driver.readBack();
      expect(found.differences).toEqual([]);
      expect(found.digest).toBe(found.desiredDigest);
    });

    test("what connection tracking is told to overlook reaches no judged process over loopback", async () => {
      const guarded = {
        direction: "ingress",
        subjects: [],
        processes: ["host/server"],
        defaultRow: rowOf(DROP),
      } as const;
      const { run, host: netns } = host.lab;
      await host.driver.apply(host.policy([guarded]));
      const raw = [
        "add table ip lab",
        "add chain ip lab output { type filter hook output priority -300; }",
        "add rule ip lab output oifname lo notrack",
      ];
      run(netns, ["nft", "-f", "-"], raw.join("\n"));
      try {
        expect(await host.passes(host.other, "127.0.0.1", OPEN)).toBe(false);
        // The rule above does what it says: where nobody is judged, it passes.
        await host.driver.apply(host.policy([]));
        expect(await host.passes(host.other, "127.0.0.1", OPEN)).toBe(true);
      } finally {
        run(netns, ["nft", "delete", "table", "ip", "lab"]);
      }
    });

    test("a socket keeps the control group that it was made in", async () => {
      await host.driver.apply(host.policy([confined()]));
      const fd = host.groups.inside(host.client, () => openSocket(host.lab.hostPath, "udp", 4));
      const to = socketAddress(host.lab.workload("box").v4, SHUT);
      const elsewhere = (): void => {
        host.groups.inside(host.other, () => libc().sendto(fd, Buffer.from("x"), MSG_DONTWAIT, to));
      };
      try {
        expect(elsewhere).toThrow("EPERM");
      } finally {
        libc().close(fd);
      }
    });

    test("what a judged process listens on over loopback is denied until somebody tells of it", async () => {
      const guarded: ClassText = {
        direction: "ingress",
        subjects: [],
        processes: ["host/server"],
        peers: [["host/client", rowOf(ALLOW)]],
        defaultRow: rowOf(DROP),
      };
      const port = 7200;
      await host.driver.apply(host.policy([guarded]));
      host.groups.inside(host.server, () => host.traffic.serve(host.lab.hostPath, "udp", port));
      expect(await host.passes(host.client, "127.0.0.1", port)).toBe(false);
      expect(await host.passes(host.client, "127.0.0.1", OPEN)).toBe(true);
      // Told on one address only: another one is another socket.
      const socket = { workload: "host/server", family: 4, protocol: 17, port } as const;
      const at = (address: string): ProcessSocket[] => [...told(OPEN), { ...socket, address }];
      await host.driver.apply(host.policy([guarded], { sockets: at("127.0.0.2") }));
      expect(await host.passes(host.client, "127.0.0.1", port)).toBe(false);
      await host.driver.apply(host.policy([guarded], { sockets: at("127.0.0.1") }));
      expect(await host.passes(host.client, "127.0.0.1", port)).toBe(true);
      expect(await host.passes(host.other, "127.0.0.1", port)).toBe(false);
      const counters = await host.driver.counters();
      const untold = counters.find((one) => one.kind === "special" && one.name === "untold_socket");
      // Connections of other tests may still be trying.
      expect(untold?.packets).toBeGreaterThanOrEqual(2);
    });

    /** Last, since the servers of this machine are left in groups that have gone. */
    describe("a connection that outlives the group of its socket", () => {
      const PORT = 7310;
      const policy = (row: ReturnType<typeof rowOf>): HostPolicy =>
        host.policy(
          [{ direction: "ingress", subjects: [], processes: ["host/server"], defaultRow: row }],
          {
            sockets: told(PORT),
            managed: [host.groups.root],
          },
        );
      /** Between the box and a socket of this group, whose unit is then started again. */
      async function outlived(group: string, calls: boolean): Promise<Pair> {
        const { path, v4 } = host.lab.workload("box");
        const inside = (make: () => number): number => host.groups.inside(group, make);
        const here = { path: host.lab.hostPath, address: host.lab.hostAddresses[0] as string };
        const opened = await openPair({
          protocol: "tcp",
          port: PORT,
          client: calls ? here.path : path,
          server: calls ? path : here.path,
          address: calls ? v4 : here.address,
          ...(calls ? { clientIn: inside } : { serverIn: inside }),
        });
        const pair = opened as Pair;
        expect([await pair.toServer(), await pair.toClient()]).toEqual([true, true]);
        host.groups.remove(group);
        host.groups.add(group.slice(group.lastIndexOf("/") + 1));
        await host.driver.bindProcesses();
        return pair;
      }
      const goesOn = async (pair: Pair): Promise<readonly boolean[]> => [
        await pair.toServer(),
        await pair.toClient(),
      ];

      test("goes on where it was called, as long as its port's owner may have it", async () => {
        await host.driver.apply(policy(rowOf(ALLOW)));
        const pair = await outlived(host.server, false);
        try {
          expect(await goesOn(pair)).toEqual([true, true]);
          await host.driver.apply(policy(rowOf(DROP)));
          expect(await goesOn(pair)).toEqual([false, false]);
        } finally {
          pair.close();
        }
      });

      test("goes on where nobody judges its owner", async () => {
        await host.driver.apply(policy(rowOf(ALLOW)));
        const pair = await outlived(host.other, false);
        try {
          expect(await goesOn(pair)).toEqual([true, true]);
        } finally {
          pair.close();
        }
      });

      test("is over where it called, for nobody is left to judge it by", async () => {
        await host.driver.apply(policy(rowOf(ALLOW)));
        const pair = await outlived(host.other, true);
        try {
          expect(await goesOn(pair)).toEqual([false, false]);
        } finally {
          pair.close();
        }
      });
    });
  },
  { anew: true },
);
