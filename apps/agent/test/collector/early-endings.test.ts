/** What ends before the packet log can have told of its beginning is told behind it, once, and never kept for ever. */
import { expect, it } from "vitest";
import { emptyConnection, type Connection } from "../../src/collector/conntrack-message.ts";
import { EarlyEndings, isUntold, UNTOLD_MS } from "../../src/collector/early-endings.ts";

const NOW = 1_000_000;
const begun = (start: number, id = 1): Connection => ({ ...emptyConnection(), id, start });

it("is untold for a moment, not where nobody noted when it began, nor by a clock that was set back", () => {
  expect([0, UNTOLD_MS - 1, UNTOLD_MS, -1].map((age) => isUntold(begun(NOW - age), NOW))).toEqual([
    true,
    true,
    false,
    false,
  ]);
  expect(isUntold(begun(0), 1)).toBe(false);
});

it("waits as it was, and is told once", () => {
  const early = new EarlyEndings(10);
  const decoded = begun(NOW, 1);
  decoded.ends.port = 80;
  early.add(decoded);
  // The decoder goes on with the next one in the same place.
  decoded.ends.port = 443;
  early.add(begun(NOW + 50, 2));
  expect(early.take(NOW + UNTOLD_MS - 1)).toEqual([]);
  const told = early.take(NOW + UNTOLD_MS);
  expect(told.map(({ id, ends }) => [id, ends.port])).toEqual([[1, 80]]);
  expect(early.take(NOW + UNTOLD_MS + 50).map(({ id }) => id)).toEqual([2]);
  expect(early.take(NOW + 10 * UNTOLD_MS)).toEqual([]);
});

it("does not wait where too many do", () => {
  const early = new EarlyEndings(1);
  expect([early.add(begun(NOW)), early.add(begun(NOW))]).toEqual([true, false]);
});
