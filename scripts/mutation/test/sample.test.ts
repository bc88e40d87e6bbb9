import { expect, test } from "vitest";
import { interval, inTurn, sampleOf } from "../sample.ts";

const numbers = Array.from({ length: 1000 }, (_, at) => at);

test("a sample is as large as asked, and the same for the same seed; its beginning is one, too", () => {
  const sample = sampleOf(numbers, 100, 7);
  expect(new Set(sample).size).toBe(100);
  expect(sampleOf(numbers, 50, 7)).toEqual(sample.slice(0, 50));
  expect(sampleOf(numbers, 100, 7)).toEqual(sample);
  expect(sampleOf(numbers, 100, 8)).not.toEqual(sample);
  expect(sampleOf(numbers, 2000, 7).toSorted((a, b) => a - b)).toEqual(numbers);
});

test("no part is preferred: with many seeds, each comes up about as often as any other", () => {
  const times = numbers.map(() => 0);
  for (let seed = 0; seed < 200; seed++)
    for (const one of sampleOf(numbers, 100, seed)) times[one]! += 1;
  expect(Math.min(...times)).toBeGreaterThan(3);
  expect(Math.max(...times)).toBeLessThan(45);
});

test("lists take turns", () => {
  expect(inTurn([[1, 2, 3], [], [4], [5, 6]])).toEqual([1, 4, 5, 2, 6, 3]);
  expect(inTurn([])).toEqual([]);
});

test("intervals are Wilson's", () => {
  const rounded = (hits: number, tries: number) =>
    interval(hits, tries).map((one) => one.toFixed(1));
  // Worked by hand from Wilson's formula (JASA 22, 1927).
  expect(rounded(31, 40)).toEqual(["62.5", "87.7"]);
  expect(rounded(10, 10)).toEqual(["72.2", "100.0"]);
  expect(rounded(0, 10)).toEqual(["0.0", "27.8"]);
  expect(rounded(0, 0)).toEqual(["0.0", "100.0"]);
});
