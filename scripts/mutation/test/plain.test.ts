/** Mutants are judged by a small stand-in for Vitest: what holds in one must hold in the other. */
import { expect, test } from "vitest";
import { expect as plain } from "../plain-vitest.ts";

type AnyMatcher = Readonly<Record<string, (wanted: unknown) => void>>;

const VALUES = [
  undefined,
  null,
  0,
  1,
  "a",
  "ab",
  [],
  [1],
  [1, undefined],
  {},
  { a: 1 },
  { a: 1, b: undefined },
  { a: { b: [1] } },
  new Map([["a", 1]]),
  new Set([1]),
  new Set([2]),
];
const vitest = expect as unknown as (got: unknown) => AnyMatcher;
const holds = (run: () => void): boolean => {
  try {
    run();
    return true;
  } catch {
    return false;
  }
};

test.each(["toBe", "toEqual", "toMatchObject"] as const)("%s", (matcher) => {
  for (const got of VALUES) {
    for (const wanted of VALUES) {
      if (matcher === "toMatchObject" && (!isObject(got) || !isObject(wanted))) continue;
      const inVitest = holds(() => vitest(got)[matcher]!(wanted));
      const inPlain = holds(() => plain(got)[matcher](wanted));
      expect([got, wanted, inPlain]).toEqual([got, wanted, inVitest]);
      expect(holds(() => plain(got).not[matcher](wanted))).toBe(!inPlain);
    }
  }
});

const isObject = (value: unknown): boolean =>
  Array.isArray(value) || (typeof value === "object" && value?.constructor === Object);

test.each([
  ["any", Number, 1, "1"],
  ["arrayContaining", [1], [2, 1], [2]],
  ["objectContaining", { a: 1 }, { a: 1, b: 2 }, { a: 2 }],
  ["stringContaining", "b", "abc", "ac"],
  ["stringMatching", /^a/, "abc", "cba"],
] as const)("%s stands for many", (pattern, argument, one, other) => {
  const wanted = [(plain[pattern] as (argument: unknown) => unknown)(argument)];
  expect(holds(() => plain([one]).toEqual(wanted))).toBe(true);
  expect(holds(() => plain([other]).toEqual(wanted))).toBe(false);
});
