/**
 * Processes of the machine on real packets: who they may reach, and who may reach them, told apart by the control group that
 * their sockets were made in.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ConfinedProcess, HostPolicy, Mode, ProcessSocket } from "@bulkhead/model";
import { createNftablesDriver } from "../../src/drivers/index.ts";
import type { NftablesDriver } from "../../src/drivers/index.ts";
import { createControlGroupsLab } from "./control-groups-lab.ts";
import type { ControlGroupsLab } from "./control-groups-lab.ts";
import { createLab } from "./lab.ts";
import type { Lab } from "./lab.ts";
import { ALLOW, DROP, REJECT, policyOf, rowOf } from "./policies.ts";
import { createTraffic } from "./traffic.ts";
import type { Flow, Outcome, ProtocolName, Traffic } from "./traffic.ts";

let lab: Lab;
let groups: ControlGroupsLab;
let driver: NftablesDriver;
let traffic: Traffic;
let client = "";
let server = "";
let other = "";

const OPEN = 7000;
const SHUT = 7001;
const REFUSED = 7002;

const processOf = (name: string, cgroup: string, mode: Mode = "enforce"): ConfinedProcess => ({
  workload: `host/${name}`,
  cgroup,
  handle: `a0000${name.length.toString(16).padStart(3, "0")}`,
  mode,
});

beforeAll(() => {
  lab = createLab(["box"]);
  groups = createControlGroupsLab();
  client = groups.add("client.service");
  server = groups.add("server.service");
  other = groups.add("unrelated.service");
  driver = createNftablesDriver({ owner: "test", now: () => Date.now(), netns: lab.hostPath });
  traffic = createTraffic();
  for (const protocol of ["tcp", "udp"] as const)
    for (const port of [OPEN, SHUT, REFUSED]) {
      traffic.serve(lab.workload("box").path, protocol, port);
      groups.inside(server, () => traffic.serve(lab.hostPath, protocol, port));
    }
});
afterAll(() => {
  traffic?.close();
  groups?.close();
  lab?.close();
});

const known = (): ConfinedProcess[] => [
  processOf("client", client),
  processOf("server1", server),
  processOf("unrelated", other, "observe"),
];

const sockets = (): ProcessSocket[] =>
  ([4, 6] as const).flatMap((family) =>
    [6, 17].flatMap((protocol) =>
      [OPEN, SHUT, REFUSED].map((port) => ({ workload: "host/server1", family, protocol, port })),
    ),
  );

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

const from = (cgroup: string, flow: Omit<Flow, "from">): Promise<Outcome> =>
  groups.inside(cgroup, () => traffic.attempt({ ...flow, from: lab.hostPath }));

const CASES = (["tcp", "udp"] as const).flatMap((protocol) =>
  ([4, 6] as const).map((family) => ({ protocol, family })),
);

const expectByPort = async (
  attempt: (port: number) => Promise<Outcome>,
  protocol: ProtocolName,
): Promise<void> => {
  const [open, shut, refused] = await Promise.all([attempt(OPEN), attempt(SHUT), attempt(REFUSED)]);
  expect(open).toEqual({ answer: "passed", arrived: true });
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

const egressOnly = (): HostPolicy =>
  policyOf(lab, {
    processes: known(),
    sockets: sockets(),
    live: [
      { direction: "egress", subjects: [], processes: ["host/client"], defaultRow: rowByPort() },
    ],
  });

describe("egress of a process", () => {
  beforeAll(async () => {
    await driver.apply(egressOnly());
  });

  test("reads back as what was applied", async () => {
    const found = await driver.readBack();
    expect(found.differences).toEqual([]);
    expect(found.digest).toBe(found.desiredDigest);
  });

  test.each(CASES)("to a container by $protocol over IPv$family", async ({ protocol, family }) => {
    const { v4, v6 } = lab.workload("box");
    const destination = family === 4 ? v4 : v6;
    await expectByPort((port) => from(client, { destination, protocol, port }), protocol);
    const free = await from(other, { destination, protocol, port: SHUT });
    expect(free).toEqual({ answer: "passed", arrived: true });
  });

  test.each(CASES)("over loopback by $protocol over IPv$family", async ({ protocol, family }) => {
    const destination = family === 4 ? "127.0.0.1" : "::1";
    await expectByPort((port) => from(client, { destination, protocol, port }), protocol);
    expect(await from(other, { destination, protocol, port: SHUT })).toEqual({
      answer: "passed",
      arrived: true,
    });
  });
});
