/**
 * Processes of the machine on real packets: who they may reach, and who may reach them, told apart by the control group that
 * their sockets were made in.
 */
import { beforeAll, describe, expect, test } from "vitest";
import { ALLOW, DROP, REJECT, policyOf, rowOf } from "./policies.ts";
import {
  OPEN,
  PASSED,
  REFUSED,
  SHUT,
  host,
  onEveryDriverInProcessesLab,
  told,
} from "./processes-lab.ts";
import type { Outcome, ProtocolName } from "./traffic.ts";

const byPort = (protocol: number) => {
  const intervals = [
    { first: 0, last: OPEN - 1, decision: DROP },
    { first: OPEN, last: OPEN, decision: ALLOW },
    { first: SHUT, last: SHUT, decision: DROP },
    { first: REFUSED, last: REFUSED, decision: REJECT },
    { first: REFUSED + 1, last: 65_535, decision: DROP },
  ];
  return { protocol, intervals };
};
const rowByPort = () => ({ ...rowOf(DROP), protocols: [byPort(6), byPort(17)] });

const CASES = (["tcp", "udp"] as const).flatMap((protocol) =>
  ([4, 6] as const).map((family) => ({ protocol, family })),
);

/** What is dropped stays silent: waiting longer says no more. */
const patienceAt = (port: number): number | undefined => (port === SHUT ? 200 : undefined);

const expectByPort = async (
  attempt: (port: number, patience?: number) => Promise<Outcome>,
  protocol: ProtocolName,
): Promise<void> => {
  const [open, shut, refused] = await Promise.all(
    [OPEN, SHUT, REFUSED].map((port) => attempt(port, patienceAt(port))),
  );
  expect(open).toEqual(PASSED);
  // Where it is sent from, the kernel tells whoever sends a datagram that it was dropped.
  expect(shut).toEqual({
    answer: protocol === "tcp" ? "silent" : { refused: "EPERM" },
    arrived: false,
  });
  expect(refused?.arrived).toBe(false);
  expect(refused?.answer).toEqual({
    refused: protocol === "tcp" ? "ECONNREFUSED" : expect.stringMatching(/^E/),
  });
};

/** Every connection from the host or a container to the server's ports, as its source sees it. */
const toServer = (family: 4 | 6, own: boolean): string => {
  if (!own) return family === 4 ? "127.0.0.1" : "::1";
  return host.lab.hostAddresses[family === 4 ? 0 : 1] as string;
};

onEveryDriverInProcessesLab(() => {
  describe("egress of a process", () => {
    beforeAll(async () => {
      await host.driver.apply(
        policyOf(host.lab, {
          processes: host.known(),
          sockets: told(OPEN, SHUT, REFUSED),
          live: [
            {
              direction: "egress",
              subjects: [],
              processes: ["host/client"],
              defaultRow: rowByPort(),
            },
          ],
        }),
      );
    });

    test("reads back as what was applied", async () => {
      const found = await host.driver.readBack();
      expect(found.differences).toEqual([]);
      expect(found.digest).toBe(found.desiredDigest);
    });

    test.each(CASES)(
      "to a container by $protocol over IPv$family",
      async ({ protocol, family }) => {
        const { v4, v6 } = host.lab.workload("box");
        const destination = family === 4 ? v4 : v6;
        await expectByPort(
          (port, patience) => host.attempt(host.client, { destination, protocol, port }, patience),
          protocol,
        );
        expect(await host.attempt(host.other, { destination, protocol, port: SHUT })).toEqual(
          PASSED,
        );
      },
    );

    test.each(CASES)("over loopback by $protocol over IPv$family", async ({ protocol, family }) => {
      const destination = toServer(family, false);
      await expectByPort(
        (port, patience) => host.attempt(host.client, { destination, protocol, port }, patience),
        protocol,
      );
      expect(await host.attempt(host.other, { destination, protocol, port: SHUT })).toEqual(PASSED);
    });
  });

  describe("ingress of a process", () => {
    beforeAll(async () => {
      await host.driver.apply(
        policyOf(host.lab, {
          nodeExempt: true,
          processes: host.known(),
          sockets: told(OPEN, SHUT, REFUSED),
          live: [
            {
              direction: "ingress",
              subjects: [],
              processes: ["host/server"],
              peers: [["host/client", rowByPort()]],
              exact: (["v4", "v6"] as const).map((f) => [host.lab.workload("box")[f], rowByPort()]),
              defaultRow: rowOf(DROP),
            },
          ],
        }),
      );
    });

    test.each(CASES)(
      "from a container by $protocol over IPv$family",
      async ({ protocol, family }) => {
        const destination = toServer(family, true);
        const attempt = (port: number): Promise<Outcome> =>
          host.traffic.attempt(
            { from: host.lab.workload("box").path, destination, protocol, port },
            patienceAt(port),
          );
        const [open, shut, refused] = await Promise.all([OPEN, SHUT, REFUSED].map(attempt));
        expect(open).toEqual(PASSED);
        expect(shut).toEqual({ answer: "silent", arrived: false });
        expect(refused?.arrived).toBe(false);
        expect(refused?.answer).toEqual({ refused: expect.stringMatching(/^E/) });
      },
    );

    test.each(CASES.flatMap((one) => [true, false].map((own) => ({ ...one, own }))))(
      "from a process by $protocol over IPv$family, over the machine's address: $own",
      async ({ protocol, family, own }) => {
        const destination = toServer(family, own);
        await expectByPort(
          (port, patience) => host.attempt(host.client, { destination, protocol, port }, patience),
          protocol,
        );
        // Whoever is not told apart is judged by address, and the machine's are not let in; nor are those without a group of their own.
        for (const outcome of await Promise.all([
          host.attempt(host.other, { destination, protocol, port: OPEN }, 200),
          host.traffic.attempt({ from: host.lab.hostPath, destination, protocol, port: OPEN }, 200),
        ]))
          expect(outcome.arrived).toBe(false);
      },
    );

    test("a process to itself is exempt", async () => {
      const outcomes = await Promise.all(
        CASES.map(({ protocol, family }) =>
          host.attempt(host.server, {
            destination: toServer(family, true),
            protocol,
            port: SHUT,
          }),
        ),
      );
      expect(outcomes).toEqual(CASES.map(() => PASSED));
    });
  });

  describe("a container tells processes of the machine apart", () => {
    test.each([true, false])("also where the machine is exempt: %s", async (nodeExempt) => {
      const { v4, v6 } = host.lab.workload("box");
      await host.driver.apply(
        policyOf(host.lab, {
          nodeExempt,
          processes: host.known(),
          live: [
            {
              direction: "ingress",
              subjects: [v4, v6],
              peers: [["host/client", rowByPort()]],
              defaultRow: rowOf(DROP),
            },
          ],
        }),
      );
      for (const { protocol, family } of CASES) {
        const destination = family === 4 ? v4 : v6;
        const [told, stranger] = await Promise.all([
          host.attempt(host.client, { destination, protocol, port: OPEN }),
          host.attempt(host.other, { destination, protocol, port: OPEN }),
        ]);
        expect(told).toEqual(PASSED);
        // Who is nobody to the container is the machine to it.
        expect(stranger?.arrived).toBe(nodeExempt);
      }
      const shut = await host.attempt(host.client, {
        destination: v4,
        protocol: "tcp",
        port: SHUT,
      });
      expect(shut.arrived).toBe(false);
    });

    test("for as long as an exception lasts", async () => {
      const { v4 } = host.lab.workload("box");
      const attempt = (): Promise<Outcome> =>
        host.attempt(host.client, { destination: v4, protocol: "udp", port: OPEN });
      await host.driver.apply(
        policyOf(host.lab, {
          processes: host.known(),
          live: [
            {
              direction: "ingress",
              subjects: [v4],
              peerOverlay: [
                {
                  process: "host/client",
                  protocol: 17,
                  ports: [OPEN, OPEN],
                  decision: ALLOW,
                  deadline: Date.now() + 1500,
                },
                {
                  process: "host/unrelated",
                  protocol: 17,
                  ports: [0, 65_535],
                  decision: ALLOW,
                  deadline: Date.now() + 3_600_000,
                },
              ],
              defaultRow: rowOf(DROP),
            },
          ],
        }),
      );
      expect((await host.driver.readBack()).differences).toEqual([]);
      await expect.poll(async () => (await attempt()).arrived, { timeout: 20_000 }).toBe(false);
      expect(
        await host.attempt(host.other, { destination: v4, protocol: "udp", port: OPEN }),
      ).toEqual(PASSED);
      const found = await host.driver.readBack();
      expect(found.digest).toBe(found.desiredDigest);
    });
  });

  test("a rollout judges processes by maps of its own", async () => {
    const { v4 } = host.lab.workload("box");
    await host.driver.apply(
      host.policy([], {
        // All but one flow of ten thousand take part.
        canary: {
          seed: 1,
          share: 9999,
          maps: [
            {
              direction: "egress",
              subjects: [],
              processes: ["host/client"],
              exact: [[v4, rowByPort()]],
              defaultRow: rowOf(ALLOW),
            },
            {
              direction: "ingress",
              subjects: [],
              processes: ["host/server"],
              peers: [["host/client", rowByPort()]],
              defaultRow: rowOf(ALLOW),
            },
          ],
        },
      }),
    );
    for (const destination of [v4, "127.0.0.1"]) {
      expect(await host.passes(host.client, destination, OPEN)).toBe(true);
      expect(host.send(host.client, destination, SHUT)).toBe(false);
      expect(await host.passes(host.other, destination, SHUT)).toBe(true);
    }
  });

  describe("audit", () => {
    test("tells of a process that a container would not know, also where the machine is exempt", async () => {
      const { v4 } = host.lab.workload("box");
      const cookie = "0a0d1701";
      await host.driver.apply(
        host.policy([], {
          nodeExempt: true,
          shadow: [
            {
              direction: "ingress",
              subjects: [v4],
              peers: [["host/client", rowOf({ verdict: "drop", cookie })]],
              defaultRow: rowOf(DROP),
            },
          ],
        }),
      );
      for (const cgroup of [host.client, host.other])
        expect(
          await host.attempt(cgroup, { destination: v4, protocol: "tcp", port: SHUT }),
        ).toEqual(PASSED);
      const denials = (await host.driver.counters()).filter(
        (one) => one.kind === "leaf" && one.plane === "shadow" && one.packets > 0,
      );
      expect(denials).toMatchObject([{ cookie, packets: 1 }]);
    });

    test("nothing of a process is cut, and what would be is counted", async () => {
      const cookie = "0a0d1700";
      const denied = rowOf({ verdict: "drop", cookie });
      const judged = { subjects: [], defaultRow: denied } as const;
      await host.driver.apply(
        policyOf(host.lab, {
          processes: host.known(),
          sockets: told(OPEN, SHUT, REFUSED),
          shadow: [
            { direction: "egress", processes: ["host/client"], ...judged },
            { direction: "ingress", processes: ["host/server"], ...judged },
          ],
        }),
      );
      const { v4 } = host.lab.workload("box");
      const outcomes = await Promise.all([
        host.attempt(host.client, { destination: v4, protocol: "tcp", port: SHUT }),
        host.attempt(host.client, {
          destination: "127.0.0.1",
          protocol: "tcp",
          port: SHUT,
        }),
        host.attempt(host.other, { destination: "::1", protocol: "udp", port: SHUT }),
        host.traffic.attempt({
          from: host.lab.workload("box").path,
          destination: toServer(4, true),
          protocol: "tcp",
          port: SHUT,
        }),
      ]);
      expect(outcomes).toEqual(outcomes.map(() => PASSED));
      const counters = await host.driver.counters();
      const counted = (direction: string): number | undefined =>
        counters.find(
          (one) => one.kind === "leaf" && one.cookie === cookie && one.direction === direction,
        )?.packets;
      expect(counted("egress")).toBe(2);
      expect(counted("ingress")).toBe(2);
    });
  });
});
