import { expect, test } from "vitest";
import { countEntries, type HostPolicy, type MapSet } from "../src/index.ts";

const set = (subjects: number, exact: number, ranges: number, overlay: number): MapSet =>
  ({
    subjects: { egress: Array(subjects).fill(0), ingress: Array(2 * subjects).fill(0) },
    maps: [
      { exact: Array(exact).fill(0), ranges: Array(ranges).fill(0) },
      { exact: Array(exact).fill(0), ranges: [] },
    ],
    overlay: Array(overlay).fill(0),
  }) as unknown as MapSet;

const policy = {
  live: set(1, 10, 100, 1000),
  shadow: set(2, 0, 0, 0),
  rows: Array(5),
} as unknown as HostPolicy;

test("subjects of both directions, addresses, ranges, timed entries and rows, of every look-up", () => {
  expect(countEntries(policy)).toBe(3 + 20 + 100 + 1000 + 6 + 5);
  const settled = set(1, 1, 1, 1);
  const canary = { seed: 0, share: 1, maps: settled } as unknown as HostPolicy["canary"];
  expect(countEntries({ ...policy, canary })).toBe(1134 + 3 + 2 + 1 + 1);
});
