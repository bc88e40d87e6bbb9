/** Records wait until they are stored; too many cost the oldest, and every lost connection is counted. */
import { expect, it } from "vitest";
import type { ObservedRecord } from "@bulkhead/wire";
import { FlowOutbox } from "../../src/link/flow-outbox.ts";

const record = (connections = 1): ObservedRecord => ({
  start: 0,
  end: 0,
  source: "10.0.0.1",
  destination: "10.0.0.2",
  protocol: 6,
  port: 80,
  sourcePort: 1,
  verdict: "forwarded",
  connections,
  established: 0,
  failed: 0,
  bytes: 0,
  packets: 0,
});

const numbers = (outbox: FlowOutbox) => outbox.takeUnsent().map(({ sequence }) => sequence);

it("numbers batches from 1, hands each out once, and keeps it until it is stored", () => {
  const outbox = new FlowOutbox(100);
  outbox.add([record()]);
  outbox.add([record(), record()]);
  expect([numbers(outbox), numbers(outbox)]).toEqual([[1, 2], []]);
  expect(outbox.depth).toBe(3);
  outbox.stored(1);
  outbox.add([record()]);
  expect(numbers(outbox)).toEqual([3]);
  outbox.rewind();
  expect(numbers(outbox)).toEqual([2, 3]);
  outbox.stored(3);
  outbox.stored(3);
  expect([outbox.depth, outbox.lost]).toEqual([0, 0]);
});

it("has only so many on their way at once", () => {
  const outbox = new FlowOutbox(1000);
  for (let batch = 0; batch < 100; batch += 1) outbox.add([record()]);
  const first = numbers(outbox);
  expect(first.length).toBeLessThan(100);
  expect(numbers(outbox)).toEqual([]);
  outbox.stored(10);
  expect(numbers(outbox)).toHaveLength(10);
});

it("gives up the oldest when too many wait, and counts their connections", () => {
  const outbox = new FlowOutbox(2);
  outbox.add([record(5), record(7)]);
  outbox.add([record(1)]);
  expect(numbers(outbox)).toEqual([2]);
  expect([outbox.depth, outbox.lost]).toEqual([1, 12]);
});

it("keeps the newest batch even when it alone is too large", () => {
  const outbox = new FlowOutbox(1);
  outbox.add([record(), record()]);
  expect([outbox.depth, outbox.lost]).toEqual([2, 0]);
});

it("knows when the oldest that waits began", () => {
  const outbox = new FlowOutbox(100);
  expect(outbox.oldest).toBeUndefined();
  outbox.add([
    { ...record(), start: 7 },
    { ...record(), start: 5 },
  ]);
  outbox.add([{ ...record(), start: 9 }]);
  expect(outbox.oldest).toBe(5);
  outbox.stored(1);
  expect(outbox.oldest).toBe(9);
  outbox.stored(2);
  expect(outbox.oldest).toBeUndefined();
});
