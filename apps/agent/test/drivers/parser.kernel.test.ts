/**
 * Packets that are hard to read: IP options, extension headers, fragments, one protocol posing as another. Each trick is
 * tried to a permitted port, where it must arrive (or the test would prove nothing), and to a forbidden one.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { addressBytes } from "../../src/probe/socket-address.ts";
import type { Driver } from "../../src/drivers/index.ts";
import { createLab } from "./lab.ts";
import type { Lab, LabWorkload } from "./lab.ts";
import { onEveryDriver } from "./on-every-driver.ts";
import { ALLOW, DROP, policyOf, portRow, rowOf } from "./policies.ts";
import { frame, ipv4, ipv6, send, udp, word } from "./wire.ts";

const OPEN = 4343;
const SHUT = 4344;
let lab: Lab;

const workload = (name: string): LabWorkload => lab.workload(name);

beforeAll(() => {
  lab = createLab(["near", "same"]);
  const near = workload("near");
  const same = workload("same");
  for (const address of [same.v4, same.v6])
    lab.run(near.netns, ["ip", "neigh", "replace", address, "lladdr", same.mac, "dev", "eth0"]);
});
afterAll(() => lab?.close());

const MARK = Buffer.from("read me if you can");
const text = MARK.toString();
const near = (): LabWorkload => workload("near");
const same = (): LabWorkload => workload("same");
const over4 = (payload: Buffer): Buffer => frame(same().mac, near().mac, 0x0800, payload);
const over6 = (payload: Buffer): Buffer => frame(same().mac, near().mac, 0x86dd, payload);

/** An IPv4 packet with four bytes of options (no-operations), its header made longer. */
const withOptions = (packet: Buffer): Buffer => {
  const header = Buffer.concat([packet.subarray(0, 20), Buffer.from([1, 1, 1, 0])]);
  header.writeUInt8(0x46, 0);
  header.writeUInt16BE(packet.length + 4, 2);
  header.writeUInt16BE(0, 10);
  let sum = 0;
  for (let at = 0; at < header.length; at += 2) sum += header.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  header.writeUInt16BE(~sum & 0xffff, 10);
  return Buffer.concat([header, packet.subarray(20)]);
};

/** An extension header of eight bytes that says what follows; types 0 and 60 carry padding, 44 is a whole fragment. */
const extension = (type: number, next: number, rest: Buffer): Buffer => {
  const header =
    type === 44
      ? Buffer.from([next, 0, 0, 0, 0, 0, 0, 7])
      : Buffer.from([next, 0, 1, 4, 0, 0, 0, 0]);
  return Buffer.concat([header, rest]);
};

/** UDP over IPv6 needs its checksum (RFC 8200 §8.1). */
const udp6 = (port: number): Buffer => {
  const datagram = udp(text, port);
  const pseudo = Buffer.concat([
    addressBytes(near().v6),
    addressBytes(same().v6),
    Buffer.from([0, 0, 0, datagram.length, 0, 0, 0, 17]),
    datagram,
    Buffer.alloc(datagram.length % 2),
  ]);
  let sum = 0;
  for (let at = 0; at < pseudo.length; at += 2) sum += pseudo.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  datagram.writeUInt16BE(~sum & 0xffff, 6);
  return datagram;
};

const tricks: readonly (readonly [string, (port: number) => Buffer])[] = [
  ["IPv4 options", (port) => over4(withOptions(ipv4(near().v4, same().v4, 17, udp(text, port))))],
  [
    "an IPv6 hop-by-hop header",
    (port) => over6(ipv6(near().v6, same().v6, 0, 64, extension(0, 17, udp6(port)))),
  ],
  [
    "an IPv6 destination options header",
    (port) => over6(ipv6(near().v6, same().v6, 60, 64, extension(60, 17, udp6(port)))),
  ],
  [
    "three IPv6 extension headers",
    (port) =>
      over6(
        ipv6(
          near().v6,
          same().v6,
          0,
          64,
          extension(0, 60, extension(60, 60, extension(60, 17, udp6(port)))),
        ),
      ),
  ],
  [
    "an IPv6 fragment header around a whole packet",
    (port) => over6(ipv6(near().v6, same().v6, 44, 64, extension(44, 17, udp6(port)))),
  ],
];

onEveryDriver((under) => {
  let driver: Driver;
  beforeAll(async () => {
    driver = under.create(lab);
    const row = portRow(17, [[OPEN, OPEN]], ALLOW, DROP);
    await driver.apply(
      policyOf(lab, {
        live: [
          {
            direction: "ingress",
            subjects: [same().v4, same().v6],
            exact: [
              [near().v4, row],
              [near().v6, row],
            ],
            defaultRow: rowOf(DROP),
          },
        ],
      }),
    );
  });
  afterAll(() => driver.remove());

  describe("a packet with", () => {
    test.each(tricks)("%s is judged by its port", async (_, build) => {
      expect(await send(lab, near(), same(), build(OPEN), MARK)).toBe(true);
      expect(await send(lab, near(), same(), build(SHUT), MARK)).toBe(false);
    });
  });

  describe("fragments", () => {
    /** More fragments, offset in bytes, identification. */
    const fragment = (payload: Buffer, offset: number, more: boolean, id: number): Buffer => {
      const packet = ipv4(near().v4, same().v4, 17, payload);
      packet.writeUInt16BE(id, 4);
      packet.writeUInt16BE((more ? 0x2000 : 0) | (offset / 8), 6);
      packet.writeUInt16BE(0, 10);
      let sum = 0;
      for (let at = 0; at < 20; at += 2) sum += packet.readUInt16BE(at);
      while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
      packet.writeUInt16BE(~sum & 0xffff, 10);
      return over4(packet);
    };

    test("one that is not the first goes nowhere by itself", async () => {
      const orphan = fragment(Buffer.from(text.padEnd(64, ".")), 64, false, 101);
      expect(await send(lab, near(), same(), orphan, MARK)).toBe(false);
    });

    test("overlapping ones cannot change the port that was judged", async () => {
      const honest = Buffer.concat([udp("", OPEN), Buffer.alloc(24)]);
      honest.writeUInt16BE(8 + 24 + 24, 4);
      // The second one begins inside the first and would rewrite its ports.
      const forged = Buffer.concat([udp(text, SHUT), Buffer.alloc(8)]).subarray(0, 32);
      expect(await send(lab, near(), same(), fragment(honest, 0, true, 102), MARK)).toBe(false);
      expect(await send(lab, near(), same(), fragment(forged, 0, false, 102), MARK)).toBe(false);
    });

    test("a first one too short to hold the ports is not let through", async () => {
      expect(
        await send(
          lab,
          near(),
          same(),
          fragment(udp(text, SHUT).subarray(0, 8), 0, true, 103),
          word(SHUT),
        ),
      ).toBe(false);
    });
  });

  test("a rule for one protocol says nothing of another", async () => {
    const tcpLike = (protocol: number): Buffer =>
      over4(ipv4(near().v4, same().v4, protocol, udp(text, OPEN)));
    expect(await send(lab, near(), same(), tcpLike(17), MARK)).toBe(true);
    for (const protocol of [6, 132, 136, 47, 255])
      expect(await send(lab, near(), same(), tcpLike(protocol), MARK)).toBe(false);
  });
});
