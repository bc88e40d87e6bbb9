/** What is equal is one object; what differs anywhere is not equal. */
import { describe, expect, it } from "vitest";
import { isSame, share } from "../src/compile/same.ts";

describe("share", () => {
  it("gives what was there before where it says the same", () => {
    const before = { list: [1, "a", null, [true]] };
    expect(share(before, { list: [1, "a", null, [true]] })).toBe(before);
    const now = { list: [1, "a", null, [false]] };
    expect(share(before, now)).toBe(now);
    expect(share<unknown>(undefined, undefined)).toBe(undefined);
    expect(share(undefined, now)).toBe(now);
  });
});

describe("isSame", () => {
  it("tells apart whatever differs in a value, a kind, a length or a name", () => {
    const values: unknown[] = [
      1,
      2,
      "1",
      1n,
      true,
      null,
      undefined,
      [],
      {},
      [1],
      [1, 2],
      { a: 1 },
      { b: 1 },
      { a: 2 },
    ];
    values.push({ a: undefined }, { a: 1, b: 2 }, [[]], [{}], [null], { 0: 1 });
    const same = values.map((a) => values.map((b) => isSame(a, b)));
    expect(same).toEqual(values.map((_a, i) => values.map((_b, j) => i === j)));
  });
});
