/**
 * For tests about connections: a client, a server on its bridge and one behind a link of its own, each confined by the rules
 * that a test gives, and connections whose both ends are in hand.
 */
import { afterAll, afterEach, beforeAll } from "vitest";
import type { Row } from "@bulkhead/model";
import type { Driver } from "../../src/drivers/index.ts";
import type { DriverUnderTest } from "./drivers-under-test.ts";
import { createLab } from "./lab.ts";
import type { Lab, LabWorkload } from "./lab.ts";
import { onEveryDriver } from "./on-every-driver.ts";
import { openPair, patiently } from "./pair.ts";
import { together } from "./pairs-together.ts";
import type { Opened } from "./pairs-together.ts";
import type { Pair } from "./pair.ts";
import { ALLOW, DROP, portRow, rowOf } from "./policies.ts";
import type { ClassText } from "./policies.ts";
import { createTraffic } from "./traffic.ts";
import type { Traffic } from "./traffic.ts";

export const PORT = 5000;
export let lab: Lab;
export let driver: Driver;
export let traffic: Traffic;
/** What a test opened; closed after it. */
export const pairs: Pair[] = [];

/** To be called once by each test file: its tests for each driver follow within. */
export const onEveryDriverInLawsLab = (tests: (under: DriverUnderTest) => void): void => {
  beforeAll(() => {
    lab = createLab(["near", "same"], ["far"]);
    traffic = createTraffic();
  });
  onEveryDriver((under) => {
    beforeAll(() => {
      driver = under.create(lab);
    });
    tests(under);
  });
  afterEach(async () => {
    for (const pair of pairs.splice(0)) pair.close();
    await driver.remove();
    lab.run(lab.host, ["nft", "flush", "ruleset"]);
    lab.run(lab.host, ["conntrack", "-F"]);
  });
  afterAll(() => {
    traffic?.close();
    lab?.close();
  });
};

export const workload = (name: string): LabWorkload => lab.workload(name);

export const both = (name: string): readonly string[] => [workload(name).v4, workload(name).v6];

/** Only `peer` may reach `subject`, on one port; `subject` may start nothing. */
export const onlyFrom = (subject: string, peer: string, row: Row): ClassText[] => [
  {
    direction: "ingress",
    subjects: both(subject),
    exact: both(peer).map((address) => [address, row] as const),
    defaultRow: rowOf(DROP),
  },
  { direction: "egress", subjects: both(subject), defaultRow: rowOf(DROP) },
];

const NUMBERS = { tcp: 6, udp: 17 } as const;

/** One port of TCP and UDP. */
export const allowPort: Row = {
  ...rowOf(DROP),
  protocols: Object.values(NUMBERS).flatMap(
    (protocol) => portRow(protocol, [[PORT, PORT]], ALLOW, DROP).protocols,
  ),
};

export const PROTOCOLS = ["tcp", "udp"] as const;

export const connect = async (
  protocol: "tcp" | "udp",
  to: string,
  family: 4 | 6,
): Promise<Pair | null> => {
  const target = workload(to);
  const pair = await openPair({
    protocol,
    client: workload("near").path,
    server: target.path,
    address: family === 4 ? target.v4 : target.v6,
    port: PORT,
  });
  if (pair !== null) pairs.push(pair);
  return pair;
};

/** From `near` to every other workload, by TCP and UDP, over IPv4 and IPv6. */
export const connectAll = async (): Promise<Opened> => {
  const wanted = PROTOCOLS.flatMap((protocol) =>
    ["same", "far"].flatMap((to) => ([4, 6] as const).map((family) => ({ protocol, to, family }))),
  );
  return together(
    await Promise.all(
      wanted.map(async ({ protocol, to, family }) => ({
        name: `${protocol} to ${to} over IPv${family}`,
        protocol,
        pair: await patiently(() => connect(protocol, to, family)),
      })),
    ),
  );
};
