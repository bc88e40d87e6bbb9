/**
 * A workload that lies about who it is, on every layer: address, MAC, ARP, neighbour discovery, tags that hide a packet
 * from the IP hooks. Each lie works before enforcement (or the test would prove nothing) and does not after it.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { addressBytes } from "../../src/probe/socket-address.ts";
import { createNftablesDriver } from "../../src/drivers/index.ts";
import type { NftablesDriver } from "../../src/drivers/index.ts";
import { createLab } from "./lab.ts";
import type { Lab, LabWorkload } from "./lab.ts";
import { policyOf } from "./policies.ts";
import { frame, icmpv6, ipv4, ipv6, macBytes, send, udp, word } from "./wire.ts";

let lab: Lab;
let driver: NftablesDriver;

beforeAll(() => {
  lab = createLab(["liar", "victim", "witness"]);
  driver = createNftablesDriver({ owner: "test", now: () => Date.now(), netns: lab.hostPath });
});
afterAll(() => lab?.close());
beforeEach(() => {
  for (const { netns } of Object.values(lab.workloads))
    lab.run(netns, ["ip", "neigh", "flush", "all"]);
});

const workload = (name: string): LabWorkload => {
  const found = lab.workloads[name];
  if (found === undefined) throw new Error(`no workload ${name}`);
  return found;
};

const apply = (mode: "audit" | "enforce") => driver.apply(policyOf(lab, { mode }));

const spoofed = async (): Promise<number> =>
  (await driver.counters()).find((c) => c.kind === "special" && c.name === "spoofed")?.packets ?? 0;

const MARK = "a lie told on the wire";
const arp = (senderMac: string, senderIp: string, targetIp: string): Buffer =>
  Buffer.concat([
    Buffer.from("0001080006040002", "hex"),
    macBytes(senderMac),
    addressBytes(senderIp),
    macBytes("ff:ff:ff:ff:ff:ff"),
    addressBytes(targetIp),
    Buffer.from(MARK),
  ]);

const advertisement = (source: string, target: string): Buffer => {
  const body = Buffer.alloc(24);
  body.writeUInt8(136, 0);
  body.writeUInt8(0x20, 4);
  addressBytes(target).copy(body, 8);
  return icmpv6(source, "ff02::1", Buffer.concat([body, Buffer.from(`\u0002\u0001${MARK}`)]));
};

const routerAdvertisement = (source: string): Buffer => {
  const body = Buffer.alloc(16);
  body.writeUInt8(134, 0);
  return icmpv6(source, "ff02::1", Buffer.concat([body, Buffer.from(MARK)]));
};

const BROADCAST = "ff:ff:ff:ff:ff:ff";
const ALL_NODES = "33:33:00:00:00:01";

const lies: readonly (readonly [string, (liar: LabWorkload, victim: LabWorkload) => Buffer])[] = [
  [
    "another's IPv4 address",
    (liar, victim) =>
      frame(
        workload("witness").mac,
        liar.mac,
        0x0800,
        ipv4(victim.v4, workload("witness").v4, 17, udp(MARK)),
      ),
  ],
  [
    "an unassigned IPv4 address",
    (liar) =>
      frame(
        workload("witness").mac,
        liar.mac,
        0x0800,
        ipv4("10.86.0.77", workload("witness").v4, 17, udp(MARK)),
      ),
  ],
  [
    "the host's IPv4 address",
    (liar) =>
      frame(
        workload("witness").mac,
        liar.mac,
        0x0800,
        ipv4("10.86.0.1", workload("witness").v4, 17, udp(MARK)),
      ),
  ],
  [
    "another's IPv6 address",
    (liar, victim) =>
      frame(
        workload("witness").mac,
        liar.mac,
        0x86dd,
        ipv6(victim.v6, workload("witness").v6, 17, 64, udp(MARK)),
      ),
  ],
  [
    "a link-local address for data",
    (liar) =>
      frame(
        workload("witness").mac,
        liar.mac,
        0x86dd,
        ipv6("fe80::bad", workload("witness").v6, 17, 64, udp(MARK)),
      ),
  ],
  [
    "another's MAC address",
    (liar, victim) =>
      frame(
        workload("witness").mac,
        victim.mac,
        0x0800,
        ipv4(liar.v4, workload("witness").v4, 17, udp(MARK)),
      ),
  ],
  [
    "ARP for another's address",
    (liar, victim) => frame(BROADCAST, liar.mac, 0x0806, arp(liar.mac, victim.v4, victim.v4)),
  ],
  [
    "ARP with another's MAC inside",
    (liar, victim) => frame(BROADCAST, liar.mac, 0x0806, arp(victim.mac, liar.v4, liar.v4)),
  ],
  [
    "an advertisement for another's address",
    (liar, victim) =>
      frame(
        ALL_NODES,
        liar.mac,
        0x86dd,
        ipv6(liar.v6, "ff02::1", 58, 255, advertisement(liar.v6, victim.v6)),
      ),
  ],
  [
    "a router advertisement",
    (liar) =>
      frame(
        ALL_NODES,
        liar.mac,
        0x86dd,
        ipv6(liar.v6, "ff02::1", 58, 255, routerAdvertisement(liar.v6)),
      ),
  ],
  [
    "a VLAN tag",
    (liar) =>
      frame(
        workload("witness").mac,
        liar.mac,
        0x8100,
        Buffer.concat([
          word(7),
          word(0x0800),
          ipv4(liar.v4, workload("witness").v4, 17, udp(MARK)),
        ]),
      ),
  ],
  [
    "a service VLAN tag",
    (liar) =>
      frame(
        workload("witness").mac,
        liar.mac,
        0x88a8,
        Buffer.concat([
          word(7),
          word(0x0800),
          ipv4(liar.v4, workload("witness").v4, 17, udp(MARK)),
        ]),
      ),
  ],
  [
    "a priority tag (VLAN 0)",
    (liar) =>
      frame(
        workload("witness").mac,
        liar.mac,
        0x8100,
        Buffer.concat([
          word(0),
          word(0x0800),
          ipv4(liar.v4, workload("witness").v4, 17, udp(MARK)),
        ]),
      ),
  ],
  [
    "PPPoE",
    (liar) =>
      frame(
        workload("witness").mac,
        liar.mac,
        0x8864,
        Buffer.concat([
          Buffer.from("110000010000", "hex"),
          word(0x0021),
          ipv4(liar.v4, workload("witness").v4, 17, udp(MARK)),
        ]),
      ),
  ],
  [
    "MPLS",
    (liar) =>
      frame(
        workload("witness").mac,
        liar.mac,
        0x8847,
        Buffer.concat([
          Buffer.from("00001140", "hex"),
          ipv4(liar.v4, workload("witness").v4, 17, udp(MARK)),
        ]),
      ),
  ],
  [
    "a protocol of its own",
    (liar) => frame(workload("witness").mac, liar.mac, 0x88b5, Buffer.from(MARK)),
  ],
];

describe("a lie", () => {
  test.each(lies)("%s works in audit and not in enforce", async (_, build) => {
    const liar = workload("liar");
    const bytes = build(liar, workload("victim"));
    const mark = Buffer.from(MARK);
    await apply("audit");
    expect(await send(lab, liar, workload("witness"), bytes, mark)).toBe(true);
    await apply("enforce");
    const before = await spoofed();
    expect(await send(lab, liar, workload("witness"), bytes, mark)).toBe(false);
    expect(await spoofed()).toBeGreaterThan(before);
  });
});

describe("the truth", () => {
  test("passes: ARP, neighbour discovery and data under one's own name", async () => {
    await apply("enforce");
    const before = await spoofed();
    for (const address of [workload("victim").v4, workload("victim").v6, "10.86.0.1", "fd86::1"])
      lab.run(workload("liar").netns, ["ping", "-c", "1", "-W", "2", address]);
    expect(await spoofed()).toBe(before);
  });

  test("a guard holds again when its interface comes back", async () => {
    await apply("enforce");
    const { interface: link, netns, mac, v4 } = workload("witness");
    lab.run(lab.host, ["ip", "link", "del", link]);
    lab.run(lab.host, [
      "ip",
      "link",
      "add",
      link,
      "type",
      "veth",
      "peer",
      "name",
      "eth0",
      "netns",
      netns,
      "address",
      mac,
    ]);
    lab.run(lab.host, ["ip", "link", "set", link, "master", "br0", "up"]);
    lab.run(netns, ["ip", "link", "set", "eth0", "up"]);
    lab.run(netns, ["ip", "addr", "add", `${v4}/24`, "dev", "eth0"]);
    await driver.repair();
    expect((await driver.readBack()).differences).toEqual([]);
    const before = await spoofed();
    const witness = workload("witness");
    const lie = frame(
      workload("victim").mac,
      mac,
      0x0800,
      ipv4("10.86.0.77", workload("victim").v4, 17, udp(MARK)),
    );
    expect(await send(lab, witness, workload("victim"), lie, Buffer.from(MARK))).toBe(false);
    expect(await spoofed()).toBeGreaterThan(before);
  });
});
