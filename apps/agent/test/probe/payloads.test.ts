import { describe, expect, test } from "vitest";
import { crc32c } from "../../src/probe/crc32c.ts";
import {
  icmpMessage,
  isSctpAnswer,
  sctpAnswer,
  sctpInit,
  servicePayload,
} from "../../src/probe/payloads.ts";
import { socketAddress } from "../../src/probe/socket-address.ts";

// RFC 3720, appendix B.4 (the same polynomial), and the customary check value.
test.each([
  [Buffer.from("123456789"), 0xe3069283],
  [Buffer.alloc(32), 0x8a9136aa],
  [Buffer.alloc(32, 0xff), 0x62a8ab43],
])("the checksum of %j", (bytes, expected) => {
  expect(crc32c(bytes)).toBe(expected);
});

describe("SCTP", () => {
  const checksumHolds = (packet: Buffer): boolean => {
    const zeroed = Buffer.from(packet);
    zeroed.writeUInt32LE(0, 8);
    return packet.readUInt32LE(8) === crc32c(zeroed);
  };

  test("an INIT has verification tag 0 and its answer carries the INIT's tag", () => {
    const init = sctpInit(40_000, 2905, 0xdeadbeef);
    expect(checksumHolds(init)).toBe(true);
    expect([
      init.readUInt16BE(0),
      init.readUInt16BE(2),
      init.readUInt32BE(4),
      init.readUInt8(12),
    ]).toEqual([40_000, 2905, 0, 1]);
    const answer = sctpAnswer(init, 7)!;
    expect(checksumHolds(answer)).toBe(true);
    expect([
      answer.readUInt16BE(0),
      answer.readUInt16BE(2),
      answer.readUInt32BE(4),
      answer.readUInt8(12),
    ]).toEqual([2905, 40_000, 0xdeadbeef, 2]);
    expect(isSctpAnswer(answer, 40_000, 2905)).toBe(true);
    expect(isSctpAnswer(answer, 40_001, 2905)).toBe(false);
    expect(isSctpAnswer(init, 2905, 40_000)).toBe(false);
  });

  test("only an INIT is answered", () => {
    expect(sctpAnswer(sctpAnswer(sctpInit(1, 2, 3), 4)!, 5)).toBeNull();
    expect(sctpAnswer(Buffer.alloc(8), 5)).toBeNull();
  });
});

test("an ICMP message sums to all ones (RFC 1071)", () => {
  const message = icmpMessage(4, 8 << 8, 0xbeef);
  let sum = 0;
  for (let at = 0; at < message.length; at += 2) sum += message.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  expect(sum).toBe(0xffff);
  expect(message.readUInt16BE(4)).toBe(0xbeef);
});

test("a real service gets an empty datagram, a DNS server a query for the root's name servers", () => {
  expect(servicePayload(514, 1)).toEqual({ payload: Buffer.alloc(0), answered: false });
  const { payload, answered } = servicePayload(53, 0x1234);
  expect(answered).toBe(true);
  expect(payload.toString("hex")).toBe("1234000000010000000000000000020001");
});

test("socket addresses have the kernel's layout", () => {
  expect(socketAddress("10.1.2.3", 443).toString("hex")).toBe("020001bb0a0102030000000000000000");
  expect(socketAddress("fd00::1", 80).toString("hex")).toBe(
    `0a00005000000000fd00${"00".repeat(13)}0100000000`,
  );
  expect(() => socketAddress("nowhere", 1)).toThrow("not an address");
});
