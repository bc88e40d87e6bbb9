/** Names of rows, classes and cookies: by content, whatever the order, also when hashes collide. */
import { describe, expect, it } from "vitest";
import { assignIds, fnv1a, hashText } from "../src/compile/stable-id.ts";

describe("fnv1a", () => {
  it("agrees with the published 32-bit vectors, two bytes to a character", () => {
    // FNV-1a of the bytes 'a' 00: one more step than the published value for "a", 0xe40c292c.
    expect(fnv1a("", 0x811c9dc5)).toBe(0x811c9dc5);
    expect(fnv1a("a", 0x811c9dc5)).toBe(Math.imul(0xe40c292c, 0x01000193) >>> 0);
  });

  it("fills its digits with zeros", () => {
    const short = Array.from({ length: 500 }, (_, i) => hashText(`rule ${i}`, 8));
    expect(short.every((hash) => /^[0-9a-f]{8}$/.test(hash))).toBe(true);
    expect(short.some((hash) => hash.startsWith("0"))).toBe(true);
    expect(hashText("rule", 16)).toMatch(/^[0-9a-f]{16}$/);
  });
});

/** Everything collides. */
const clumsy = (text: string) => `0000000${text.includes("\u0000") ? text.at(-1) : 0}`;

describe("assignIds", () => {
  it("gives the same id whatever the order, and whoever else is there", () => {
    const ids = assignIds(["b", "a"], 8);
    expect(assignIds(["a", "b"], 8)).toEqual(ids);
    expect(assignIds(["a"], 8).get("a")).toBe(ids.get("a"));
  });

  it("resolves collisions by the order of keys and never gives all zeros", () => {
    const expected = new Map([
      ["a", "00000001"],
      ["b", "00000002"],
      ["c", "00000003"],
    ]);
    expect(assignIds(["b", "a", "c", "a"], 8, clumsy)).toEqual(expected);
    expect(assignIds(["c", "b", "a"], 8, clumsy)).toEqual(expected);
  });
});
