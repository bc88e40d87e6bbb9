import fc from "fast-check";
import { ICMP, ICMPV6, SCTP, TCP, UDP } from "@bulkhead/model";
import { describe, expect, test } from "vitest";
import { createAddressTexts } from "../../src/collector/flow-records.ts";
import {
  decodePacket,
  emptyPacketFields,
  looksInverted,
  swapEnds,
} from "../../src/collector/packet.ts";
import { authentication, extension, fragment, ipv4, ipv6, ports, tcp } from "./packet-bytes.ts";

const A = "10.1.2.3";
const B = "192.0.2.77";
const A6 = "2001:db8::1";
const B6 = "fd00:1:2:3:4:5:6:7";

function decode(packet: Buffer, limit = packet.length) {
  const fields = emptyPacketFields();
  // Not at the start of the buffer: a decoder that forgets the offset must not pass.
  const buffer = Buffer.concat([Buffer.alloc(5, 0xff), packet.subarray(0, limit)]);
  const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.length);
  if (!decodePacket(view, 5, buffer.length, fields)) return null;
  const texts = createAddressTexts();
  const { family, protocol, port, sourcePort, bytes, opensTcp } = fields;
  return {
    source: texts.text(family, fields.s0, fields.s1, fields.s2, fields.s3),
    destination: texts.text(family, fields.d0, fields.d1, fields.d2, fields.d3),
    protocol,
    port,
    sourcePort,
    bytes,
    opensTcp,
  };
}

describe("IPv4", () => {
  const ends = { source: A, destination: B };
  test.each([
    [
      "TCP SYN",
      ipv4(A, B, TCP, tcp(40000, 443, 0x02)),
      { protocol: TCP, sourcePort: 40000, port: 443, bytes: 40, opensTcp: true },
    ],
    [
      "TCP SYN-ACK",
      ipv4(A, B, TCP, tcp(443, 40000, 0x12)),
      { protocol: TCP, sourcePort: 443, port: 40000, bytes: 40, opensTcp: false },
    ],
    [
      "UDP",
      ipv4(A, B, UDP, ports(5353, 53)),
      { protocol: UDP, sourcePort: 5353, port: 53, bytes: 28, opensTcp: false },
    ],
    [
      "SCTP",
      ipv4(A, B, SCTP, ports(1, 65535)),
      { protocol: SCTP, sourcePort: 1, port: 65535, bytes: 28, opensTcp: false },
    ],
    [
      "echo request",
      ipv4(A, B, ICMP, Buffer.from([8, 0, 0, 0])),
      { protocol: ICMP, sourcePort: 0, port: 2048, bytes: 24, opensTcp: false },
    ],
    [
      "port unreachable",
      ipv4(A, B, ICMP, Buffer.from([3, 3, 0, 0])),
      { protocol: ICMP, sourcePort: 0, port: 3 * 256 + 3, bytes: 24, opensTcp: false },
    ],
    [
      "GRE has no ports",
      ipv4(A, B, 47, Buffer.from([1, 2, 3, 4])),
      { protocol: 47, sourcePort: 0, port: 0, bytes: 24, opensTcp: false },
    ],
    [
      "options are skipped",
      ipv4(A, B, UDP, ports(7, 9), { options: Buffer.alloc(12) }),
      { protocol: UDP, sourcePort: 7, port: 9, bytes: 40, opensTcp: false },
    ],
    [
      "first fragment has ports",
      ipv4(A, B, UDP, ports(7, 9), { moreFragments: true }),
      { protocol: UDP, sourcePort: 7, port: 9, bytes: 28, opensTcp: false },
    ],
    [
      "later fragment has none",
      ipv4(A, B, UDP, ports(7, 9), { fragmentOffset: 185 }),
      { protocol: UDP, sourcePort: 0, port: 0, bytes: 28, opensTcp: false },
    ],
    [
      "length is the header's, not what was copied",
      ipv4(A, B, UDP, ports(7, 9), { length: 1500 }),
      { protocol: UDP, sourcePort: 7, port: 9, bytes: 1500, opensTcp: false },
    ],
  ])("%s", (_name, packet, expected) => {
    expect(decode(packet)).toEqual({ ...ends, ...expected });
  });

  test.each([
    ["nothing", Buffer.alloc(0)],
    ["another version", Buffer.alloc(40, 0x50)],
    [
      "a header length below the minimum",
      Buffer.concat([Buffer.from([0x44]), ipv4(A, B, UDP, ports(7, 9)).subarray(1)]),
    ],
  ])("%s is refused", (_name, packet) => {
    expect(decode(packet)).toBeNull();
  });
});

describe("IPv6", () => {
  const ends = { source: A6, destination: B6 };
  const datagram = ports(5353, 53);
  test.each([
    [
      "TCP SYN",
      ipv6(A6, B6, TCP, tcp(40000, 443, 0x02)),
      { protocol: TCP, sourcePort: 40000, port: 443, opensTcp: true },
    ],
    [
      "UDP",
      ipv6(A6, B6, UDP, datagram),
      { protocol: UDP, sourcePort: 5353, port: 53, opensTcp: false },
    ],
    [
      "echo request",
      ipv6(A6, B6, ICMPV6, Buffer.from([128, 0, 0, 0])),
      { protocol: ICMPV6, sourcePort: 0, port: 128 * 256, opensTcp: false },
    ],
    [
      "hop-by-hop, destination options, routing",
      ipv6(A6, B6, 0, extension(60, 0, extension(43, 1, extension(UDP, 2, datagram)))),
      { protocol: UDP, sourcePort: 5353, port: 53, opensTcp: false },
    ],
    [
      "authentication",
      ipv6(A6, B6, 51, authentication(TCP, 6, tcp(1, 2, 2))),
      { protocol: TCP, sourcePort: 1, port: 2, opensTcp: true },
    ],
    [
      "first fragment",
      ipv6(A6, B6, 44, fragment(UDP, 0, datagram)),
      { protocol: UDP, sourcePort: 5353, port: 53, opensTcp: false },
    ],
    [
      "later fragment",
      ipv6(A6, B6, 44, fragment(UDP, 100, datagram)),
      { protocol: UDP, sourcePort: 0, port: 0, opensTcp: false },
    ],
    [
      "no next header",
      ipv6(A6, B6, 59, datagram),
      { protocol: 59, sourcePort: 0, port: 0, opensTcp: false },
    ],
    [
      "encryption hides the rest",
      ipv6(A6, B6, 50, datagram),
      { protocol: 50, sourcePort: 0, port: 0, opensTcp: false },
    ],
  ])("%s", (_name, packet, expected) => {
    expect(decode(packet)).toEqual({ ...ends, bytes: packet.length, ...expected });
  });

  test("a chain without end is refused", () => {
    let chain = datagram;
    for (let header = 0; header < 17; header++) chain = extension(60, 0, chain);
    expect(decode(ipv6(A6, B6, 60, chain))).toBeNull();
  });
});

test("a packet cut anywhere is either refused or says the same", () => {
  const packets = [
    ipv4(A, B, TCP, tcp(40000, 443, 2)),
    ipv6(A6, B6, 0, extension(44, 1, fragment(TCP, 0, tcp(1, 2, 2)))),
  ];
  for (const packet of packets) {
    const whole = decode(packet);
    for (let length = 0; length < packet.length; length++) {
      const cut = decode(packet, length);
      expect([null, whole]).toContainEqual(cut);
    }
    expect(decode(packet, 30)).toBeNull();
  }
});

test("arbitrary bytes never throw", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(0x45, 0x4f, 0x60),
      fc.uint8Array({ maxLength: 128 }),
      (first, bytes) => {
        const decoded = decode(Buffer.concat([Buffer.from([first]), bytes]));
        expect(decoded === null || decoded.port <= 0xffff).toBe(true);
      },
    ),
    { numRuns: 2000 },
  );
});

describe("turning a reply around", () => {
  test("swaps addresses and ports", () => {
    const fields = {
      ...emptyPacketFields(),
      protocol: TCP,
      s0: 1,
      s1: 2,
      s2: 3,
      s3: 4,
      d0: 5,
      d1: 6,
      d2: 7,
      d3: 8,
      sourcePort: 443,
      port: 40000,
    };
    swapEnds(fields);
    expect(fields).toMatchObject({
      s0: 5,
      s1: 6,
      s2: 7,
      s3: 8,
      d0: 1,
      d1: 2,
      d2: 3,
      d3: 4,
      sourcePort: 40000,
      port: 443,
    });
  });

  test.each([
    [ICMP, 0, 8],
    [ICMP, 14, 13],
    [ICMP, 3, 3],
    [ICMPV6, 129, 128],
    [ICMPV6, 1, 1],
  ])("of protocol %i type %i is of type %i", (protocol, type, request) => {
    const fields = { ...emptyPacketFields(), protocol, port: type << 8 };
    swapEnds(fields);
    expect(fields.port >> 8).toBe(request);
    expect(fields.sourcePort).toBe(0);
  });

  test("a connection picked up in mid-stream is turned only when the ports leave no doubt", () => {
    expect(looksInverted(5432, 40000)).toBe(true);
    expect(looksInverted(40000, 5432)).toBe(false);
    expect(looksInverted(40000, 40001)).toBe(false);
    expect(looksInverted(80, 443)).toBe(false);
    expect(looksInverted(0, 40000)).toBe(false);
  });
});
