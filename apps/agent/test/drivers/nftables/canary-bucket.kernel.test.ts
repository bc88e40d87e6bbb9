/**
 * The kernel puts a flow into the same bucket as `canaryBucket`: real packets of every protocol, in both families, under
 * several seeds. A rule for a share of one more than the bucket must take them in, and one for the bucket itself must not.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { V4, V6, canaryRules } from "@bulkhead/datapath/testing";
import { ICMP, ICMPV6, SCTP, TCP, UDP, canaryBucket } from "@bulkhead/model";
import type { FlowQuery } from "@bulkhead/model";
import {
  AF_INET,
  AF_INET6,
  MSG_DONTWAIT,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_RAW,
  libc,
} from "../../../src/kernel/libc.ts";
import { insideNetns } from "../../../src/kernel/netns.ts";
import { icmpMessage, sctpInit } from "../../../src/probe/payloads.ts";
import { socketAddress } from "../../../src/probe/socket-address.ts";
import { createLab } from "../lab.ts";
import type { Lab, LabWorkload } from "../lab.ts";
import { createTraffic, sleep } from "../traffic.ts";
import type { Traffic } from "../traffic.ts";

const SEEDS = [1, 0x12345678, 0x80000000, 0xffffffff];
/** For experiments (RFC 3692): a protocol that nobody knows the ports of. */
const EXPERIMENT = 253;
/** Where nobody lives: translated to `far`. */
const FRONT = { 4: "10.99.9.9", 6: "fd99::9" } as const;
const FRONT_PORT = 7000;
const BACK_PORT = 7001;

let lab: Lab;
let traffic: Traffic;

beforeAll(() => {
  lab = createLab([], ["near", "far"]);
  traffic = createTraffic();
});
afterAll(() => {
  traffic?.close();
  lab?.close();
});

const workload = (name: string): LabWorkload => {
  const found = lab.workloads[name];
  if (found === undefined) throw new Error(`no workload ${name}`);
  return found;
};

const sendRaw = (family: 4 | 6, protocol: number, destination: string, data: Buffer): void => {
  const fd = insideNetns(workload("near").path, () =>
    libc().socket(
      family === 4 ? AF_INET : AF_INET6,
      SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC,
      protocol,
    ),
  );
  try {
    libc().sendto(fd, data, MSG_DONTWAIT, socketAddress(destination, 0));
  } finally {
    libc().close(fd);
  }
};

const send = async (family: 4 | 6, protocol: number, destination: string, port: number) => {
  const from = workload("near").path;
  switch (protocol) {
    case TCP:
    case UDP: {
      const name = protocol === TCP ? "tcp" : "udp";
      // Nobody listens: what comes back, reset or ICMP error, belongs to the same flow.
      await traffic.attempt({ from, destination, protocol: name, port }, 40);
      return;
    }
    case SCTP:
      return sendRaw(family, SCTP, destination, sctpInit(30_000, port, 77));
    case ICMP:
    case ICMPV6:
      return sendRaw(family, protocol, destination, icmpMessage(family, port, 4711));
    default:
      return sendRaw(family, protocol, destination, Buffer.alloc(16));
  }
};

const chain = (name: string, rules: readonly string[]): string =>
  `chain ${name} {\n${rules.map((rule) => `  ${rule}\n`).join("")}}\n`;

/** For each seed two shares: the flow takes part in the larger one only. */
const rulesFor = (buckets: readonly number[]): string => {
  const shares = buckets.flatMap((bucket, at) => [
    { name: `in${at}`, seed: SEEDS[at] as number, share: bucket + 1 },
    { name: `out${at}`, seed: SEEDS[at] as number, share: bucket },
  ]);
  const counters = ["seen", ...shares.map(({ name }) => name)];
  return [
    "table inet bucket {",
    ...counters.map((name) => `counter ${name} { }`),
    ...shares.map(({ name }) => chain(`${name}_hit`, [`counter name "${name}"`])),
    ...shares.map(({ name, seed, share }) =>
      chain(
        name,
        [V4, V6].flatMap((words) => canaryRules({ seed, share }, words, `${name}_hit`)),
      ),
    ),
    chain("forward", [
      "type filter hook forward priority 0; policy accept;",
      'counter name "seen"',
      ...shares.map(({ name }) => `jump ${name}`),
    ]),
    chain("pre", [
      "type nat hook prerouting priority -100; policy accept;",
      `ip daddr ${FRONT[4]} meta l4proto { 6, 17 } th dport ${FRONT_PORT} dnat ip to ${workload("far").v4}:${BACK_PORT}`,
      `ip6 daddr ${FRONT[6]} meta l4proto { 6, 17 } th dport ${FRONT_PORT} dnat ip6 to [${workload("far").v6}]:${BACK_PORT}`,
    ]),
    "}",
  ].join("\n");
};

const counted = (): Map<string, number> => {
  const text = lab.run(lab.host, ["nft", "list", "counters", "table", "inet", "bucket"]);
  return new Map(
    [...text.matchAll(/counter (\w+) \{\s*packets (\d+)/g)].map(
      ([, name = "", packets]) => [name, Number(packets)] as const,
    ),
  );
};

interface Observed {
  readonly flow: FlowQuery;
  readonly found: unknown;
  /** All packets of the flow, and what came back, in each larger share, and none in the smaller ones. */
  readonly expected: unknown;
}

/** Sends the flow, to its front where it has one, until the host has forwarded something. */
const observe = async (flow: FlowQuery, family: 4 | 6): Promise<Observed> => {
  const buckets = SEEDS.map((seed) => canaryBucket(flow, seed));
  lab.run(
    lab.host,
    ["nft", "-f", "-"],
    `table inet bucket { }\ndelete table inet bucket\n${rulesFor(buckets)}`,
  );
  const { destination, port } = flow.addressed ?? flow;
  for (let attempt = 0; (counted().get("seen") ?? 0) === 0; attempt += 1) {
    if (attempt === 200) throw new Error("nothing was forwarded");
    await send(family, flow.protocol, destination, port);
    await sleep(5);
  }
  // What comes back may still be under way, and then `seen` counts it first: read until nothing moves.
  let now = counted();
  for (;;) {
    await sleep(20);
    const later = counted();
    if ([...later].every(([name, packets]) => now.get(name) === packets)) break;
    now = later;
  }
  const { seen, ...found } = Object.fromEntries(now);
  const expected = SEEDS.flatMap((_, at) => [
    [`in${at}`, seen],
    [`out${at}`, 0],
  ]);
  return { flow, found, expected: Object.fromEntries(expected) };
};

const PORTS: readonly (readonly [string, Readonly<Record<4 | 6, number>>, readonly number[]])[] = [
  ["TCP", { 4: TCP, 6: TCP }, [1, 443, 65_535]],
  ["UDP", { 4: UDP, 6: UDP }, [53, 5000, 40_000]],
  ["SCTP", { 4: SCTP, 6: SCTP }, [9, 3868]],
  ["a protocol without ports", { 4: EXPERIMENT, 6: EXPERIMENT }, [0]],
];

test.each(
  ([4, 6] as const).flatMap((family) =>
    PORTS.map(([name, protocol, ports]) => ({ name, family, protocol: protocol[family], ports })),
  ),
)("$name over IPv$family", async ({ family, protocol, ports }) => {
  const { v4, v6 } = workload("near");
  const far = workload("far");
  for (const port of ports) {
    const [source, destination] = family === 4 ? [v4, far.v4] : [v6, far.v6];
    const { flow, found, expected } = await observe(
      { source, destination, protocol, port },
      family,
    );
    expect(found, JSON.stringify(flow)).toEqual(expected);
  }
});

test("ICMP: type and code stand in place of the port, the identifier nowhere", async () => {
  const { v4, v6 } = workload("near");
  const far = workload("far");
  const asked = [
    await observe({ source: v4, destination: far.v4, protocol: ICMP, port: 8 * 256 }, 4),
    await observe({ source: v4, destination: far.v4, protocol: ICMP, port: 13 * 256 }, 4),
    await observe({ source: v6, destination: far.v6, protocol: ICMPV6, port: 128 * 256 }, 6),
  ];
  expect(asked.map(({ found }) => found)).toEqual(asked.map(({ expected }) => expected));
});

test.each([4, 6] as const)(
  "over IPv%i the destination that was addressed decides",
  async (family) => {
    const { v4, v6 } = workload("near");
    const far = workload("far");
    const [source, destination] = family === 4 ? [v4, far.v4] : [v6, far.v6];
    for (const protocol of [TCP, UDP]) {
      const led: FlowQuery = { source, destination, protocol, port: BACK_PORT };
      const flow = { ...led, addressed: { destination: FRONT[family], port: FRONT_PORT } };
      for (const seed of SEEDS) expect(canaryBucket(led, seed)).not.toBe(canaryBucket(flow, seed));
      const { found, expected } = await observe(flow, family);
      expect(found).toEqual(expected);
    }
  },
);
