/**
 * Changing the rules while processes send as fast as they can: no forbidden datagram leaves or arrives, and no permitted one is
 * refused, whatever changes around them.
 */
import { expect, test } from "vitest";
import type { HostPolicy } from "@bulkhead/model";
import { KernelError } from "../../src/kernel/kernel-error.ts";
import { MSG_DONTWAIT, libc } from "../../src/kernel/libc.ts";
import { socketAddress } from "../../src/probe/socket-address.ts";
import { ALLOW, DROP, portRow, processOf, rowOf } from "./policies.ts";
import { OPEN, SHUT, host, onEveryDriverInProcessesLab, told } from "./processes-lab.ts";
import { openSocket } from "./traffic.ts";

const UPDATES = 24;

/** The open port is permitted at both ends and the shut one at neither; all else changes with `step`. */
const variant = (step: number): HostPolicy => {
  const row = portRow(
    17,
    step % 3 === 0
      ? [[OPEN, OPEN]]
      : [
          [1000 + step, 1000 + step],
          [OPEN - (step % 4), OPEN],
          [7500, 7500 + (step % 5)],
        ],
    ALLOW,
    DROP,
  );
  const [box] = [host.lab.workload("box")];
  const late = processOf("late", `${host.groups.root}/late-${step % 3}.service`);
  return host.policy(
    [
      {
        direction: "egress",
        subjects: [],
        processes: step % 4 === 0 ? ["host/client", late.workload] : ["host/client"],
        ...(step % 2 === 0 ? { exact: [[box.v4, row]] as const } : {}),
        defaultRow: row,
      },
      {
        direction: "ingress",
        subjects: [],
        processes: ["host/server"],
        peers: [["host/client", row], ...(step % 4 === 1 ? [[late.workload, row] as const] : [])],
        defaultRow: rowOf(DROP),
      },
      ...(step % 5 === 0
        ? [
            {
              direction: "ingress" as const,
              subjects: [box.v4],
              peers: [["host/client", row] as const],
              defaultRow: rowOf(DROP),
            },
          ]
        : []),
    ],
    {
      revision: step,
      nodeExempt: step % 7 === 0,
      processes: [...host.known(), late],
      managed: step % 3 === 1 ? [host.groups.root] : [],
      sockets: told(OPEN, SHUT, ...(step % 2 === 0 ? [9000 + step] : [])),
    },
  );
};

onEveryDriverInProcessesLab(() => {
  test("updates under a flood", async () => {
    await host.driver.apply(variant(0));
    const places = [host.lab.workload("box").v4, "127.0.0.1"];
    const fds = places.map((place) =>
      host.groups.inside(host.client, () => ({
        place,
        fd: openSocket(host.lab.hostPath, "udp", 4),
      })),
    );
    const arrivedBefore = host.traffic.arrivals("udp", SHUT);
    const count = { permitted: 0, refused: 0, forbidden: 0, leaked: 0 };
    /** Did the rules let it go? Undefined when it was not sent for another reason, such as a full queue. */
    const send = (fd: number, place: string, port: number): boolean | undefined => {
      try {
        libc().sendto(fd, Buffer.from("from 1;"), MSG_DONTWAIT, socketAddress(place, port));
        return true;
      } catch (error) {
        if (!(error instanceof KernelError)) throw error;
        return error.code === "EPERM" ? false : undefined;
      }
    };
    const flood = (): void => {
      for (const { fd, place } of fds)
        for (let burst = 0; burst < 8; burst += 1) {
          count.permitted += 1;
          if (send(fd, place, OPEN) === false) count.refused += 1;
          count.forbidden += 1;
          if (send(fd, place, SHUT) === true) count.leaked += 1;
        }
    };
    const timer = setInterval(flood, 2);
    try {
      for (let step = 1; step <= UPDATES; step += 1) await host.driver.apply(variant(step));
    } finally {
      clearInterval(timer);
      for (const { fd } of fds) libc().close(fd);
    }
    expect(count.permitted).toBeGreaterThan(500);
    expect({ refused: count.refused, leaked: count.leaked }).toEqual({ refused: 0, leaked: 0 });
    expect(host.traffic.arrivals("udp", SHUT)).toBe(arrivedBefore);
    expect((await host.driver.readBack()).differences).toEqual([]);
  });
});
