import { expect, it } from "vitest";
import { areApart } from "../src/roles/apart.ts";
import type { Profile, Scale } from "../src/roles/profiles.ts";

const COPIES = 120;
/** Two features on one port, each with its own peer. */
function profile(members: readonly number[], keys: readonly number[]): Profile {
  const of = new Map(keys.map((key) => [key, 1]));
  const [found, values] = [Int32Array.from(keys), Float64Array.from(keys, () => 1)];
  return { home: "", members, keys: found, values, of, total: keys.length };
}
const range = (from: number, count: number): number[] =>
  Array.from({ length: count }, (_, at) => from + at);

it.each([
  ["parts who was there together", 0, true],
  ["does not part who never could have met the other's peers", 100, false],
])("%s", (_, later, expected) => {
  const one = range(0, COPIES);
  const other = range(COPIES, COPIES);
  const peers = range(2 * COPIES, 4);
  const isLater = (end: number): boolean => other.includes(end) || peers.indexOf(end) > 1;
  const first = Float64Array.from(range(0, 2 * COPIES + 4), (end) => (isLater(end) ? later : 0));
  const scale: Scale = {
    weight: Float64Array.of(1, 1, 1, 1),
    frequency: Int32Array.of(COPIES, COPIES, COPIES, COPIES),
    slot: Int32Array.of(3, 3, 3, 3),
    common: 6,
    meetings: {
      first,
      last: first.map((at) => at + 100),
      peers: (key) => [peers[key] ?? 0],
      byRole: false,
    },
  };
  expect(areApart(profile(one, [0, 1]), profile(other, [2, 3]), scale)).toBe(expected);
});
