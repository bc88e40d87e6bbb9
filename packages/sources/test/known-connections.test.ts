/** What is remembered of connections: those met before are known, with their state, until so many newer ones were met. */
import { expect, it } from "vitest";
import { KnownConnections } from "../src/shared/known-connections.ts";

it("knows what was met before, and forgets the oldest half when it is full", () => {
  const known = new KnownConnections(64);
  expect(known.find(1, 2, 3)).toBe(false);
  expect(known.meet(1, 2, 3)).toBe(false);
  known.state = 2;
  known.last = 500;
  expect(known.meet(1, 2, 3)).toBe(true);
  expect([known.state, known.last]).toEqual([2, 500]);
  expect(known.find(1, 2, 4)).toBe(false);
  for (let at = 0; at < 70; at += 1) known.meet(at, 9, 9);
  // In the older half: found, and brought back with what was known of it.
  expect(known.find(1, 2, 3)).toBe(true);
  expect([known.state, known.last]).toEqual([2, 500]);
  for (let at = 0; at < 200; at += 1) known.meet(at, 8, 8);
  expect(known.find(1, 2, 3)).toBe(false);
});

it("tells a hundred thousand connections apart", () => {
  const known = new KnownConnections(131_072);
  let taken = 0;
  for (let at = 0; at < 100_000; at += 1) {
    if (known.meet(0x0a000001 + (at % 250), 0x0a010001, 5432 * 65_536 + at)) taken += 1;
  }
  expect(taken).toBe(0);
});
