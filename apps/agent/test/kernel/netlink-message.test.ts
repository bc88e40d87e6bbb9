import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  attribute,
  attributesOf,
  encodeAttributes,
  encodeMessage,
  forEachAttribute,
  messagesOf,
  nfgenHeader,
  u16be,
  u32be,
  u8,
} from "../../src/kernel/netlink-message.ts";
import { errnoName, isKernelError, KernelError } from "../../src/kernel/kernel-error.ts";

describe("attributes", () => {
  test("are padded to four bytes, and their length is without the padding", () => {
    expect(
      encodeAttributes([
        attribute(1, u8(7)),
        attribute(2, u16be(0x0102)),
        attribute(3, u32be(5)),
      ]).toString("hex"),
    ).toBe(["0500010007000000", "0600020001020000", "0800030000000005"].join(""));
  });

  test("nested ones carry the nested flag", () => {
    expect(encodeAttributes([attribute(4, [attribute(1, u8(1))])]).toString("hex")).toBe(
      ["0c000480", "0500010001000000"].join(""),
    );
  });

  test("what is encoded is read back", () => {
    const values = fc.uniqueArray(
      fc.tuple(fc.integer({ min: 1, max: 0x3fff }), fc.uint8Array({ maxLength: 40 })),
      { selector: ([type]) => type, maxLength: 12 },
    );
    fc.assert(
      fc.property(values, (list) => {
        const encoded = encodeAttributes(
          list.map(([type, value]) => attribute(type, Buffer.from(value))),
        );
        const found = attributesOf(encoded, 0, encoded.length);
        expect([...found].map(([type, value]) => [type, value.toString("hex")])).toEqual(
          list.map(([type, value]) => [type, Buffer.from(value).toString("hex")]),
        );
      }),
    );
  });

  test("arbitrary bytes neither throw nor loop", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const buffer = Buffer.from(bytes);
        forEachAttribute(buffer, 0, buffer.length, (_type, start, end) => {
          expect(start).toBeLessThanOrEqual(end);
          expect(end).toBeLessThanOrEqual(buffer.length);
        });
        for (const { start, end } of messagesOf(buffer, buffer.length))
          expect(end).toBeGreaterThanOrEqual(start);
      }),
    );
  });
});

test("a message is its header, its family header, and attributes", () => {
  const message = encodeMessage(0x0401, 5, 9, nfgenHeader(2, 1786), [attribute(1, u8(1))]);
  expect(message.toString("hex")).toBe(
    ["1c000000", "0104", "0500", "09000000", "00000000", "0200", "06fa", "0500010001000000"].join(
      "",
    ),
  );
  expect([...messagesOf(Buffer.concat([message, message]), 56)]).toHaveLength(2);
});

describe("errors of the kernel", () => {
  test("are named", () => {
    expect(errnoName(105)).toBe("ENOBUFS");
    expect(errnoName(11)).toBe("EAGAIN");
    expect(errnoName(95)).toBe("EOPNOTSUPP");
    expect(errnoName(4711)).toBe("errno 4711");
  });

  test("are told apart by name", () => {
    const error = new KernelError("netlink", 16, "binding");
    expect(error.message).toBe("netlink: EBUSY (binding)");
    expect(isKernelError(error, "EBUSY")).toBe(true);
    expect(isKernelError(error, "EPERM")).toBe(false);
    expect(isKernelError(new Error("EBUSY"), "EBUSY")).toBe(false);
  });
});
