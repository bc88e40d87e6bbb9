/**
 * The laws that are about connections rather than packets: every packet is judged by its connection's original
 * direction, so revocation cuts what runs, a lost conntrack entry opens nothing, and errors and fragments follow.
 */
import { describe, expect, test } from "vitest";
import { DEADLINE_TOLERANCE } from "@bulkhead/datapath";
import type { Row } from "@bulkhead/model";
import {
  PORT,
  allowPort,
  both,
  connect,
  connectAll,
  driver,
  lab,
  onEveryDriverInLawsLab,
  onlyFrom,
  pairs,
  traffic,
  workload,
} from "./laws-lab.ts";
import { openPair } from "./pair.ts";
import { PATIENT_MS } from "./pairs-together.ts";
import { ALLOW, DROP, REJECT, policyOf, portRow, rowOf } from "./policies.ts";
import type { ClassText } from "./policies.ts";
import { sleep } from "./traffic.ts";

/** `near` may reach all others by this row; they may start nothing. */
const whereAllowed = (row: Row): readonly ClassText[] =>
  ["same", "far"].flatMap((to) => onlyFrom(to, "near", row));

onEveryDriverInLawsLab(() => {
  describe("revocation", () => {
    test("cuts every established connection both ways, within a second", async () => {
      const allowed = policyOf(lab, { live: whereAllowed(allowPort) });
      const revoked = policyOf(lab, { live: whereAllowed(rowOf(DROP)) });
      await driver.apply(allowed);
      const opened = await connectAll();
      expect(await opened.toServer(PATIENT_MS)).toEqual(opened.all(true));
      expect(await opened.toClient(PATIENT_MS)).toEqual(opened.all(true));
      // A busy machine may be late; a revocation that needs longer always is.
      let fastest = Number.POSITIVE_INFINITY;
      for (let round = 0; round < 5 && fastest >= 1000; round += 1) {
        await driver.apply(allowed);
        const start = performance.now();
        await driver.apply(revoked);
        fastest = Math.min(fastest, performance.now() - start);
      }
      expect(fastest).toBeLessThan(1000);
      // TCP would retransmit within 200 ms; nothing may come through in either direction.
      expect(await opened.toClient()).toEqual(opened.all(false));
      expect(await opened.toServer()).toEqual(opened.all(false));
      await driver.apply(allowed);
      expect(await opened.toServer(1000)).toMatchObject(opened.only("udp", true));
    });

    test("an exception ends at its deadline with no process of ours running, and a quarantine lifts", async () => {
      const soon = Date.now() + 1500;
      const peer = [workload("near").v4, workload("near").v4] as const;
      const entry = { peer, protocol: 17, ports: [PORT, PORT] as const, deadline: soon };
      await driver.apply(
        policyOf(lab, {
          live: [
            {
              direction: "ingress",
              subjects: [workload("same").v4],
              defaultRow: rowOf(DROP),
              overlay: [{ ...entry, decision: ALLOW }],
            },
            {
              direction: "ingress",
              subjects: [workload("far").v4],
              defaultRow: rowOf(ALLOW),
              overlay: [
                {
                  ...entry,
                  peer: ["10.86.0.0", "10.86.0.255"],
                  ports: [0, 65_535],
                  decision: REJECT,
                },
              ],
            },
          ],
        }),
      );
      const excepted = await connect("udp", "same", 4);
      expect(await excepted?.toServer()).toBe(true);
      expect(await connect("udp", "far", 4)).toBeNull();
      // The kernel counts from when it got the rules, which on a busy machine is a little after we wrote them.
      const latest = soon + DEADLINE_TOLERANCE;
      await sleep(soon - Date.now() + 100);
      while ((await excepted?.toServer(50)) === true) expect(Date.now()).toBeLessThan(latest);
      while ((await connect("udp", "far", 4)) === null)
        expect(Date.now()).toBeLessThan(latest + 1000);
      const found = await driver.readBack();
      expect(found.differences).toEqual([]);
      expect(found.digest).toBe(found.desiredDigest);
    });
  });

  test("a lost conntrack entry opens nothing", async () => {
    const client: ClassText = {
      direction: "ingress",
      subjects: both("near"),
      defaultRow: rowOf(DROP),
    };
    await driver.apply(policyOf(lab, { live: [...whereAllowed(allowPort), client] }));
    const opened = await connectAll();
    expect(await opened.toServer(PATIENT_MS)).toEqual(opened.all(true));
    expect(await opened.toClient(PATIENT_MS)).toEqual(opened.all(true));
    lab.run(lab.host, ["conntrack", "-F"]);
    // The server speaks first: seen alone, this is a connection from the server to the client's port.
    expect(await opened.toClient()).toEqual(opened.all(false));
    lab.run(lab.host, ["conntrack", "-F"]);
    // The client's next datagram starts a permitted flow anew; a TCP segment without SYN starts nothing.
    expect(await opened.toServer(1000)).toEqual({
      ...opened.only("udp", true),
      ...opened.only("tcp", false),
    });
    const strays = (await driver.counters()).find(
      (c) => c.kind === "special" && c.name === "not_syn",
    );
    expect(strays?.packets).toBeGreaterThan(0);
  });

  describe("ICMP errors", () => {
    const listen = (name: string): void => traffic.serve(workload(name).path, "icmp", 0);

    test.each([4, 6] as const)(
      "about an allowed flow pass, about a denied one do not (IPv%i)",
      async (family) => {
        listen("near");
        const to = family === 4 ? workload("far").v4 : workload("far").v6;
        const closedPort = {
          from: workload("near").path,
          destination: to,
          protocol: "udp" as const,
          port: 4999,
        };
        const open = portRow(17, [[4999, 4999]], ALLOW, DROP);
        const nearIngress: ClassText = {
          direction: "ingress",
          subjects: both("near"),
          defaultRow: rowOf(DROP),
        };
        await driver.apply(
          policyOf(lab, { live: [...onlyFrom("far", "near", open), nearIngress] }),
        );
        // The destination's port unreachable reaches the source although the destination may start nothing.
        expect(await traffic.attempt(closedPort)).toMatchObject({
          answer: { refused: "ECONNREFUSED" },
        });
        // The flow is still in conntrack, but its policy is gone: its errors stop too.
        const pair = await connect("udp", "far", family);
        expect(pair).toBeNull();
        await driver.apply(
          policyOf(lab, { live: [...onlyFrom("far", "same", open), nearIngress] }),
        );
        expect(await traffic.attempt(closedPort)).toMatchObject({ answer: "silent" });
      },
    );

    test("a path's smaller MTU is learnt over an allowed flow", async () => {
      // What was learnt before is forgotten.
      for (const family of ["-4", "-6"])
        lab.run(workload("near").netns, ["ip", family, "route", "flush", "cache"]);
      lab.run(lab.host, ["ip", "link", "set", "v-far", "mtu", "1300"]);
      lab.run(workload("far").netns, ["ip", "link", "set", "eth0", "mtu", "1300"]);
      try {
        const row = portRow(17, [[PORT, PORT]], ALLOW, DROP);
        await driver.apply(
          policyOf(lab, {
            live: [
              ...onlyFrom("far", "near", row),
              { direction: "ingress", subjects: both("near"), defaultRow: rowOf(DROP) },
              {
                direction: "egress",
                subjects: both("near"),
                exact: both("far").map((a) => [a, row] as const),
                defaultRow: rowOf(DROP),
              },
            ],
          }),
        );
        for (const family of [4, 6] as const) {
          const far = workload("far");
          const pair = await openPair({
            protocol: "udp",
            client: workload("near").path,
            server: far.path,
            address: family === 4 ? far.v4 : far.v6,
            port: PORT,
            size: 1400,
          });
          if (pair !== null) pairs.push(pair);
          // The first one is too big and teaches the source; the second send is told so; the third is sent in fragments.
          expect(await pair?.toServer(100), `IPv${family}`).toBe(false);
          await pair?.toServer(100);
          expect(await pair?.toServer(), `IPv${family}`).toBe(true);
        }
      } finally {
        lab.run(lab.host, ["ip", "link", "set", "v-far", "mtu", "1500"]);
        lab.run(workload("far").netns, ["ip", "link", "set", "eth0", "mtu", "1500"]);
      }
    });
  });

  describe("fragments", () => {
    const WAYS = [
      ["same", 4],
      ["same", 6],
      ["far", 4],
      ["far", 6],
    ] as const;
    const big = async (to: string, family: 4 | 6): Promise<boolean> => {
      const target = workload(to);
      const pair = await openPair({
        protocol: "udp",
        client: workload("near").path,
        server: target.path,
        address: family === 4 ? target.v4 : target.v6,
        port: PORT,
        size: 5000,
      });
      if (pair === null) return false;
      pairs.push(pair);
      return (await pair.toServer()) && (await pair.toClient());
    };
    test("are judged whole", async () => {
      const whole = async () =>
        Object.fromEntries(
          await Promise.all(
            WAYS.map(async ([to, family]) => [`${to} over IPv${family}`, await big(to, family)]),
          ),
        );
      await driver.apply(policyOf(lab, { live: whereAllowed(allowPort) }));
      expect(Object.values(await whole())).toEqual(WAYS.map(() => true));
      const elsewhere = [
        ...onlyFrom("same", "far", allowPort),
        ...onlyFrom("far", "same", allowPort),
      ];
      await driver.apply(policyOf(lab, { live: elsewhere }));
      expect(Object.values(await whole())).toEqual(WAYS.map(() => false));
    });
  });
});
