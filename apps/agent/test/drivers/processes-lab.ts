/**
 * A machine with one container, `box`, and three units: `client` and `server`, which tests judge, and `unrelated`, which nobody
 * does. Box and server answer on the open and the shut port, by TCP and UDP, in both families.
 */
import { afterAll, beforeAll } from "vitest";
import type { CgroupPath, ConfinedProcess, HostPolicy, ProcessSocket } from "@bulkhead/model";
import type { Driver } from "../../src/drivers/index.ts";
import { KernelError } from "../../src/kernel/kernel-error.ts";
import { MSG_DONTWAIT, libc } from "../../src/kernel/libc.ts";
import { socketAddress } from "../../src/probe/socket-address.ts";
import { createControlGroupsLab } from "./control-groups-lab.ts";
import type { ControlGroupsLab } from "./control-groups-lab.ts";
import type { DriverUnderTest } from "./drivers-under-test.ts";
import { createLab } from "./lab.ts";
import type { Lab } from "./lab.ts";
import { onEveryDriver } from "./on-every-driver.ts";
import { ALLOW, DROP, policyOf, portRow, processOf } from "./policies.ts";
import type { ClassText } from "./policies.ts";
import { createTraffic, openSocket } from "./traffic.ts";
import type { Flow, Outcome, Traffic } from "./traffic.ts";

export const OPEN = 7000;
export const SHUT = 7001;
export const REFUSED = 7002;
export const PASSED: Outcome = { answer: "passed", arrived: true };

interface Place {
  readonly lab: Lab;
  readonly groups: ControlGroupsLab;
  readonly traffic: Traffic;
  readonly client: CgroupPath;
  readonly server: CgroupPath;
  readonly other: CgroupPath;
  known(): ConfinedProcess[];
  policy(live: readonly ClassText[], more?: Partial<Parameters<typeof policyOf>[1]>): HostPolicy;
  /** From a socket that was made in the group. */
  attempt(cgroup: CgroupPath, flow: Omit<Flow, "from">, patience?: number): Promise<Outcome>;
  /** By UDP. */
  passes(cgroup: CgroupPath, destination: string, port: number): Promise<boolean>;
  /** Sends one datagram; false when the kernel refused. */
  send(cgroup: CgroupPath, destination: string, port: number): boolean;
  close(): void;
}

export interface ProcessesLab extends Place {
  /** The one whose turn it is. */
  readonly driver: Driver;
}

/** The server's sockets on all addresses. */
export const told = (...ports: readonly number[]): ProcessSocket[] =>
  ports.flatMap((port) =>
    ([4, 6] as const).flatMap((family) =>
      [6, 17].map((protocol) => ({ workload: "host/server", family, protocol, port })),
    ),
  );

/** Only UDP to the open port may leave the client. */
export const confined = (): ClassText => ({
  direction: "egress",
  subjects: [],
  processes: ["host/client"],
  defaultRow: portRow(17, [[OPEN, OPEN]], ALLOW, DROP),
});

const createPlace = (): Place => {
  const lab = createLab(["box"]);
  const groups = createControlGroupsLab();
  const traffic = createTraffic();
  const close = (): void => {
    traffic.close();
    groups.close();
    lab.close();
  };
  try {
    const [client, server, other] = ["client", "server", "unrelated"].map((name) =>
      groups.add(`${name}.service`),
    ) as [CgroupPath, CgroupPath, CgroupPath];
    for (const protocol of ["tcp", "udp"] as const)
      for (const port of [OPEN, SHUT, REFUSED]) {
        traffic.serve(lab.workload("box").path, protocol, port);
        groups.inside(server, () => traffic.serve(lab.hostPath, protocol, port));
      }
    const known = (): ConfinedProcess[] => [
      processOf("client", client),
      processOf("server", server),
      processOf("unrelated", other, "observe"),
    ];
    const attempt: Place["attempt"] = (cgroup, flow, patience) =>
      groups.inside(cgroup, () => traffic.attempt({ ...flow, from: lab.hostPath }, patience));
    return {
      lab,
      groups,
      traffic,
      client,
      server,
      other,
      known,
      policy: (live, more = {}) =>
        policyOf(lab, { processes: known(), sockets: told(OPEN, SHUT, REFUSED), live, ...more }),
      attempt,
      async passes(cgroup, destination, port) {
        const { answer } = await attempt(cgroup, { destination, protocol: "udp", port });
        return answer === "passed";
      },
      send(cgroup, destination, port) {
        const family = destination.includes(":") ? 6 : 4;
        const fd = groups.inside(cgroup, () => openSocket(lab.hostPath, "udp", family));
        try {
          const to = socketAddress(destination, port);
          libc().sendto(fd, Buffer.from("from 1;"), MSG_DONTWAIT, to);
          return true;
        } catch (error) {
          if (error instanceof KernelError && error.code === "EPERM") return false;
          throw error;
        } finally {
          libc().close(fd);
        }
      },
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
};

/** The lab of this file. */
export let host: ProcessesLab;

/**
 * To be called once by each test file: its tests for each driver follow within. `anew`: what they leave behind is of no use to the
 * next driver.
 */
export const onEveryDriverInProcessesLab = (
  tests: (under: DriverUnderTest) => void,
  { anew = false, drivers }: { anew?: boolean; drivers?: readonly DriverUnderTest[] } = {},
): void => {
  let place: Place | undefined;
  onEveryDriver((under) => {
    beforeAll(() => {
      place ??= createPlace();
      host = { ...place, driver: under.create(place.lab) };
    });
    afterAll(async () => {
      await host.driver.remove();
      if (!anew) return;
      place?.close();
      place = undefined;
    });
    tests(under);
  }, drivers);
  afterAll(() => place?.close());
};
