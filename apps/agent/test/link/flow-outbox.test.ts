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

it("numbers batches from 1 and keeps them until they are stored", () => {
  const outbox = new FlowOutbox(100);
  expect(
    [outbox.add([record()]), outbox.add([record(), record()])].map(({ sequence }) => sequence),
  ).toEqual([1, 2]);
  expect(outbox.depth).toBe(3);
  outbox.stored(1);
  expect(outbox.pending().map(({ sequence }) => sequence)).toEqual([2]);
  expect(outbox.depth).toBe(2);
  outbox.stored(2);
  outbox.stored(2);
  expect([outbox.depth, outbox.lost]).toEqual([0, 0]);
});

it("gives up the oldest when too many wait, and counts their connections", () => {
  const outbox = new FlowOutbox(2);
  outbox.add([record(5), record(7)]);
  outbox.add([record(1)]);
  expect(outbox.pending().map(({ sequence }) => sequence)).toEqual([2]);
  expect([outbox.depth, outbox.lost]).toEqual([1, 12]);
});

it("keeps the newest batch even when it alone is too large", () => {
  const outbox = new FlowOutbox(1);
  outbox.add([record(), record()]);
  expect([outbox.depth, outbox.lost]).toEqual([2, 0]);
});
