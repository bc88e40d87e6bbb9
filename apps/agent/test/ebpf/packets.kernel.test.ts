/**
 * The programs at the hooks of netfilter, with real packets: what forwarding, input and output let pass is what the maps say, in
 * both families and for every protocol, and what is revoked ends at once.
 */
import { createRegistry, planTables, release, tablesOf, MAP_NAMES } from "@bulkhead/datapath";
import type { EbpfTables } from "@bulkhead/datapath";
import type { HostPolicy, Row, RowDecision } from "@bulkhead/model";
import { afterAll, beforeAll, expect, test } from "vitest";
import { attach, loadObject, perCpuValues, shippedObject } from "../../src/bpf/index.ts";
import type { BpfLink, BpfObject } from "../../src/bpf/index.ts";
import { insideNetns } from "../../src/kernel/netns.ts";
import { createLab } from "../drivers/lab.ts";
import type { Lab } from "../drivers/lab.ts";
import { openPair } from "../drivers/pair.ts";
import { ALLOW, DROP, policyOf, rowOf } from "../drivers/policies.ts";
import type { ClassText } from "../drivers/policies.ts";
import { createTraffic } from "../drivers/traffic.ts";
import type { ProtocolName, Traffic } from "../drivers/traffic.ts";

const PORT = 5000;
const PROTOCOLS: readonly ProtocolName[] = ["tcp", "udp", "sctp", "icmp"];
const HOOKS = ["forward", "input", "output"] as const;

/** Connection tracking works in a namespace where somebody asks for it. */
const TRACKING = `table inet tracking {
  chain forward { type filter hook forward priority -200; ct state new; }
  chain input { type filter hook input priority -200; ct state new; }
  chain output { type filter hook output priority -200; ct state new; }
}`;

let lab: Lab;
let traffic: Traffic;
let object: BpfObject;
const links: BpfLink[] = [];
const registry = createRegistry();
let former: EbpfTables | null = null;
let epoch = 0;

const put = (policy: HostPolicy): void => {
  const next = tablesOf(policy, registry, former);
  const plan = planTables(former, next, epoch, registry, { boot: 0n, wall: 0 });
  const write = ({ map, key, value }: (typeof plan.prepare)[number]): void => {
    const target = object.map(MAP_NAMES[map]);
    if (value !== null) target.update(Buffer.from(key), Buffer.from(value));
    else if (map === "rows") target.update(Buffer.from(key), Buffer.alloc(target.valueBytes));
    else target.delete(Buffer.from(key));
  };
  plan.prepare.forEach(write);
  const stored = Buffer.alloc(4);
  stored.writeUInt32LE(plan.epoch);
  object.map(MAP_NAMES.epoch).update(Buffer.alloc(4), stored);
  plan.cleanup.forEach(write);
  release(next, registry);
  [former, epoch] = [next, plan.epoch];
};

beforeAll(() => {
  lab = createLab(["near", "same"], ["far"]);
  lab.run(lab.host, ["sysctl", "-qw", "net.bridge.bridge-nf-call-iptables=1"]);
  lab.run(lab.host, ["sysctl", "-qw", "net.bridge.bridge-nf-call-ip6tables=1"]);
  lab.run(lab.host, ["nft", "-f", "-"], TRACKING);
  traffic = createTraffic();
  for (const path of [...Object.values(lab.workloads).map((w) => w.path), lab.hostPath])
    for (const protocol of PROTOCOLS) traffic.serve(path, protocol, PORT);
  object = loadObject({ file: shippedObject("netfilter") });
  insideNetns(lab.hostPath, () => {
    for (const hook of HOOKS)
      for (const family of ["ipv4", "ipv6"] as const) {
        const program = object.program("bh_packet");
        links.push(attach(program, { kind: "netfilter", family, hook, priority: -1 }));
      }
  });
});
afterAll(() => {
  for (const link of links) link.close();
  object?.close();
  traffic?.close();
  lab?.close();
});

const rowFor = (decision: RowDecision, others: RowDecision): Row => ({
  ...rowOf(others),
  protocols: [
    [1, 8 << 8],
    [6, PORT],
    [17, PORT],
    [58, 128 << 8],
    [132, PORT],
  ].map(([protocol = 0, port = 0]) => ({
    protocol,
    intervals: [
      { first: 0, last: port - 1, decision: others },
      { first: port, last: port, decision },
      { first: port + 1, last: 65_535, decision: others },
    ],
  })),
});

const address = (name: string, family: 4 | 6): string =>
  family === 4 ? lab.workload(name).v4 : lab.workload(name).v6;

const WAYS = [
  { name: "same bridge", from: "near", to: (f: 4 | 6) => address("same", f) },
  { name: "routed", from: "near", to: (f: 4 | 6) => address("far", f) },
  { name: "input", from: "near", to: (f: 4 | 6) => (f === 4 ? "10.86.0.1" : "fd86::1") },
  { name: "output", from: null, to: (f: 4 | 6) => address("near", f) },
] as const;

test.each([
  ["egress", ALLOW, DROP, true],
  ["egress", DROP, ALLOW, false],
  ["ingress", ALLOW, DROP, true],
  ["ingress", DROP, ALLOW, false],
] as const)("%s: %o, and otherwise %o", async (direction, decision, others, passes) => {
  const names = direction === "egress" ? ["near"] : ["near", "same", "far"];
  const classes: ClassText = {
    direction,
    subjects: names.flatMap((name) => [address(name, 4), address(name, 6)]),
    defaultRow: rowFor(decision, others),
  };
  put(policyOf(lab, { live: [classes] }));
  const tries = WAYS.filter(
    ({ name }) => name !== (direction === "egress" ? "output" : "input"),
  ).flatMap((way) =>
    ([4, 6] as const).flatMap((family) => PROTOCOLS.map((protocol) => ({ way, family, protocol }))),
  );
  const outcomes = await Promise.all(
    tries.map(({ way, family, protocol }) =>
      traffic.attempt({
        from: way.from === null ? lab.hostPath : lab.workload(way.from).path,
        destination: way.to(family),
        protocol,
        port: PORT,
      }),
    ),
  );
  const told = tries.map(({ way, family, protocol }, index) => {
    const { answer, arrived } = outcomes[index]!;
    return `${way.name} IPv${family} ${protocol}: ${answer === "passed" ? "passed" : "denied"}, ${arrived ? "arrived" : "did not arrive"}`;
  });
  expect(told).toEqual(
    tries.map(
      ({ way, family, protocol }) =>
        `${way.name} IPv${family} ${protocol}: ${passes ? "passed, arrived" : "denied, did not arrive"}`,
    ),
  );
});

test.each(["tcp", "udp"] as const)(
  "a connection over %s ends both ways when it is revoked, and goes on when it is allowed again",
  async (protocol) => {
    const classes = (decision: RowDecision): ClassText => ({
      direction: "ingress",
      subjects: [address("far", 4)],
      defaultRow: rowOf(decision),
    });
    put(policyOf(lab, { live: [classes(ALLOW)] }));
    const pair = await openPair({
      protocol,
      client: lab.workload("near").path,
      server: lab.workload("far").path,
      address: address("far", 4),
      port: 5100,
    });
    try {
      expect([await pair?.toServer(), await pair?.toClient()]).toEqual([true, true]);
      put(policyOf(lab, { live: [classes(DROP)] }));
      expect([await pair?.toServer(300), await pair?.toClient(300)]).toEqual([false, false]);
      put(policyOf(lab, { live: [classes(ALLOW)] }));
      // What TCP could not deliver meanwhile comes first, by its own clock.
      expect(await pair?.toServer(5000)).toBe(true);
    } finally {
      pair?.close();
    }
  },
);

test("who is denied is counted by the decision that denied", async () => {
  put(
    policyOf(lab, {
      live: [{ direction: "ingress", subjects: [address("far", 4)], defaultRow: rowOf(DROP) }],
    }),
  );
  const number = registry.decisions.get(DROP.cookie) ?? -1;
  const key = Buffer.alloc(4);
  // Live, ingress.
  key.writeUInt32LE(number * 6 + 1);
  const packets = (): bigint =>
    perCpuValues(
      object.map(MAP_NAMES.counters),
      object.map(MAP_NAMES.counters).lookup(key) ?? Buffer.alloc(0),
    ).reduce((sum, value) => sum + value.readBigUInt64LE(0), 0n);
  const before = packets();
  await traffic.attempt({
    from: lab.workload("near").path,
    destination: address("far", 4),
    protocol: "udp",
    port: PORT,
  });
  expect(packets()).toBeGreaterThan(before);
});
