/**
 * A workload that lies about who it is, on every layer: address, MAC, ARP, neighbour discovery, tags that hide a packet
 * from the IP hooks. Each lie works before enforcement (or the test would prove nothing) and does not after it.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  AF_PACKET,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_RAW,
  MSG_DONTWAIT,
  libc,
} from "../../src/kernel/libc.ts";
import { insideNetns } from "../../src/kernel/netns.ts";
import { addressBytes, linkAddressBuffer, packetProtocol } from "../../src/probe/socket-address.ts";
import { createNftablesDriver } from "../../src/drivers/index.ts";
import type { NftablesDriver } from "../../src/drivers/index.ts";
import { createLab } from "./lab.ts";
import type { Lab, LabWorkload } from "./lab.ts";
import { policyOf } from "./policies.ts";
import { sleep } from "./traffic.ts";

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

const macBytes = (mac: string): Buffer => Buffer.from(mac.replaceAll(":", ""), "hex");
const word = (value: number): Buffer => {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
};

const frame = (to: string, from: string, etherType: number, payload: Buffer): Buffer =>
  Buffer.concat([macBytes(to), macBytes(from), word(etherType), payload]);

const checksum = (bytes: Buffer): number => {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2)
    sum += at + 1 < bytes.length ? bytes.readUInt16BE(at) : (bytes[at] ?? 0) << 8;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
};

const ipv4 = (source: string, destination: string, protocol: number, payload: Buffer): Buffer => {
  const header = Buffer.alloc(20);
  header.writeUInt8(0x45, 0);
  header.writeUInt16BE(20 + payload.length, 2);
  header.writeUInt8(64, 8);
  header.writeUInt8(protocol, 9);
  addressBytes(source).copy(header, 12);
  addressBytes(destination).copy(header, 16);
  header.writeUInt16BE(checksum(header), 10);
  return Buffer.concat([header, payload]);
};

const udp = (text: string): Buffer => {
  const header = Buffer.alloc(8);
  header.writeUInt16BE(4242, 0);
  header.writeUInt16BE(4343, 2);
  header.writeUInt16BE(8 + text.length, 4);
  return Buffer.concat([header, Buffer.from(text)]);
};

const ipv6 = (
  source: string,
  destination: string,
  next: number,
  hopLimit: number,
  payload: Buffer,
): Buffer => {
  const header = Buffer.alloc(40);
  header.writeUInt8(0x60, 0);
  header.writeUInt16BE(payload.length, 4);
  header.writeUInt8(next, 6);
  header.writeUInt8(hopLimit, 7);
  addressBytes(source).copy(header, 8);
  addressBytes(destination).copy(header, 24);
  return Buffer.concat([header, payload]);
};

const icmpv6 = (source: string, destination: string, body: Buffer): Buffer => {
  const pseudo = Buffer.concat([
    addressBytes(source),
    addressBytes(destination),
    Buffer.alloc(8),
    body,
  ]);
  pseudo.writeUInt32BE(body.length, 32);
  pseudo.writeUInt8(58, 39);
  const message = Buffer.from(body);
  message.writeUInt16BE(checksum(pseudo), 2);
  return message;
};

/** Sends frames out of a namespace's eth0 and says how many of them another one's eth0 received, by a mark inside. */
const send = async (
  from: LabWorkload,
  to: LabWorkload,
  bytes: Buffer,
  mark: Buffer,
): Promise<boolean> => {
  const open = (path: string): number =>
    insideNetns(path, () =>
      libc().socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, packetProtocol(3)),
    );
  const sender = open(from.path);
  const receiver = open(to.path);
  try {
    const index = Number.parseInt(lab.run(from.netns, ["ip", "-o", "link", "show", "eth0"]), 10);
    const address = linkAddressBuffer();
    address.writeInt32LE(index, 4);
    libc().sendto(sender, bytes, MSG_DONTWAIT, address);
    await sleep(80);
    const buffer = Buffer.alloc(4096);
    for (;;) {
      const size = libc().recvfrom(receiver, buffer, MSG_DONTWAIT);
      if (size === null) return false;
      if (buffer.subarray(0, size).includes(mark)) return true;
    }
  } finally {
    libc().close(sender);
    libc().close(receiver);
  }
};

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
    expect(await send(liar, workload("witness"), bytes, mark)).toBe(true);
    await apply("enforce");
    const before = await spoofed();
    expect(await send(liar, workload("witness"), bytes, mark)).toBe(false);
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
    expect(await send(witness, workload("victim"), lie, Buffer.from(MARK))).toBe(false);
    expect(await spoofed()).toBeGreaterThan(before);
  });
});
