/**
 * What the kernel tells of processes: whose socket is at an end, in front of what happened, and one record for each connection,
 * also over loopback, where it passes two hooks.
 */
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { formatProcessNote } from "@bulkhead/datapath";
import { UNKNOWN_PROCESS, UNTOLD_SOCKET } from "@bulkhead/model";
import type { LogReader } from "./log-reader.ts";
import { ALLOW, DROP, processOf, rowOf } from "./policies.ts";
import {
  OPEN,
  REFUSED,
  SHUT,
  confined,
  host,
  onEveryDriverInProcessesLab,
} from "./processes-lab.ts";

let log: LogReader;
onEveryDriverInProcessesLab((under) => {
  beforeAll(async () => {
    log = await under.readLog(host.lab);
  });
  afterAll(() => log?.close());
  beforeEach(() => {
    host.lab.run(host.lab.host, ["conntrack", "-F"]);
  });

  /** The handles are made from the names alone. */
  const note = (direction: "egress" | "ingress", name: string): string =>
    formatProcessNote({ direction, process: processOf(name, "/x").handle });
  const FORWARDED = "bh1 F - 00000000";
  const ARRIVED = `${FORWARDED} l`;

  const told = async (work: () => Promise<unknown>): Promise<readonly string[]> => {
    await log.seen();
    log.clear();
    await work();
    return await log.seen();
  };

  const box = () => host.lab.workload("box");

  test("where nobody is judged, every connection of a known process is told with its ends", async () => {
    await host.driver.apply(host.policy([], { mode: "observe" }));
    expect(await told(() => host.passes(host.client, box().v4, OPEN))).toEqual([
      note("egress", "client"),
      FORWARDED,
    ]);
    expect(await told(() => host.passes(host.client, "127.0.0.1", OPEN))).toEqual([
      note("egress", "client"),
      note("ingress", "server"),
      ARRIVED,
    ]);
    const inwards = {
      from: box().path,
      destination: host.lab.hostAddresses[1] as string,
      protocol: "tcp",
      port: OPEN,
    } as const;
    expect(await told(() => host.traffic.attempt(inwards))).toEqual([
      note("ingress", "server"),
      FORWARDED,
    ]);
  });

  test("what is denied is told with its source, once in a while", async () => {
    await host.driver.apply(host.policy([confined()]));
    const twice = async (): Promise<void> => {
      host.send(host.client, box().v4, SHUT);
      host.send(host.client, box().v4, SHUT);
    };
    expect(await told(twice)).toEqual([note("egress", "client"), "bh1 D e 0d200000"]);
  });

  test("audit over loopback: told at its departure, and not again where it arrives", async () => {
    await host.driver.apply(
      host.policy([], {
        shadow: [
          {
            direction: "egress",
            subjects: [],
            processes: ["host/client"],
            defaultRow: rowOf(DROP),
          },
        ],
      }),
    );
    expect(await told(() => host.passes(host.client, "127.0.0.1", OPEN))).toEqual([
      note("egress", "client"),
      "bh1 A e 0d200000",
    ]);
  });

  test("a socket that nobody told of, and a process that nobody knows", async () => {
    await host.driver.apply(
      host.policy(
        [
          {
            direction: "ingress",
            subjects: [],
            processes: ["host/server"],
            defaultRow: rowOf(ALLOW),
          },
        ],
        { sockets: [], managed: [host.groups.root] },
      ),
    );
    expect(await told(() => host.passes(host.client, "127.0.0.1", REFUSED))).toEqual([
      note("egress", "client"),
      note("ingress", "server"),
      `bh1 D - ${UNTOLD_SOCKET}`,
    ]);
    const stranger = host.groups.add("stranger.service");
    expect(await told(async () => host.send(stranger, box().v4, OPEN))).toEqual([
      `bh1 D - ${UNKNOWN_PROCESS}`,
    ]);
    host.groups.remove(stranger);
  });
});
