/** Stores that hang, throw, or choke on one batch: nothing is lost that fits, the oldest go first, and every loss is counted. */
import { pino } from "pino";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { StoreFullError, type FlowBatch, type FlowStore } from "@bulkhead/store";
import { FlowBuffer } from "../src/flows/flow-buffer.ts";
import { withPatience } from "../src/flows/patient-store.ts";

const end = { address: "10.0.0.1", name: "world", labels: {} };
const batch = (sequence: number, count = 1, names: readonly string[] = []): FlowBatch => ({
  boot: "b",
  sequence,
  flows: Array.from({ length: count }, () => ({
    start: 1,
    end: 2,
    source: end,
    destination: { ...end, names },
    protocol: 6,
    port: 443,
    sourcePort: 1,
    verdict: "forwarded" as const,
    connections: 2,
    established: 0,
    failed: 0,
    bytes: 0,
    packets: 0,
  })),
});

type Append = (batches: readonly FlowBatch[]) => Promise<unknown>;

function set(append: Append, more: { readonly records?: number; readonly bytes?: number } = {}) {
  const done: number[] = [];
  const limits = { records: 10, bytes: 1_000_000, patienceMs: 1000, retryMs: 4000, ...more };
  const buffer = new FlowBuffer({ store: { append }, log: pino({ level: "silent" }), limits });
  const add = (...batches: readonly FlowBatch[]) =>
    batches.forEach((one) => buffer.add(one, (sequence) => void done.push(sequence)));
  return { buffer, add, done };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it("waits for a store that hangs, gives up the oldest beyond its bounds, and goes on by itself", async () => {
  const stored: number[] = [];
  const hanging: (() => void)[] = [];
  const { buffer, add, done } = set(
    (batches) =>
      new Promise((resolve) => {
        hanging.push(() => {
          stored.push(...batches.map(({ sequence }) => sequence));
          resolve(undefined);
        });
      }),
  );
  add(batch(1, 3));
  let returned = false;
  const flushed = buffer.flush().then(() => (returned = true));
  await vi.advanceTimersByTimeAsync(900);
  expect([returned, buffer.problem]).toEqual([false, undefined]);
  await vi.advanceTimersByTimeAsync(200);
  await flushed;
  expect(buffer.problem).toBe("the flow store does not answer");
  // Whoever asks now is not kept waiting again.
  await buffer.flush();
  add(batch(2, 4), batch(3, 3), batch(4, 4));
  // Batch 1 is being written and may be on disk; 2 is the oldest that is not.
  expect([buffer.waiting, buffer.unstored, done]).toEqual([10, 8, [2]]);
  hanging.shift()?.();
  await vi.advanceTimersByTimeAsync(0);
  hanging.shift()?.();
  await vi.advanceTimersByTimeAsync(0);
  expect([stored, done, buffer.waiting]).toEqual([[1, 3, 4], [2, 1, 3, 4], 0]);
  expect([buffer.problem, buffer.unstored]).toEqual([undefined, 8]);
});

it("tries again what a failing store did not take, ever more seldom, and unasked", async () => {
  let fails = true;
  let tries = 0;
  const { buffer, add, done } = set(() => {
    tries += 1;
    return fails ? Promise.reject(new Error("no")) : Promise.resolve();
  });
  add(batch(1), batch(2));
  await buffer.flush();
  expect([buffer.problem, buffer.waiting, done]).toEqual(["flows could not be stored", 2, []]);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(tries).toBeGreaterThan(5);
  expect(tries).toBeLessThan(60);
  fails = false;
  await vi.advanceTimersByTimeAsync(4000);
  expect([buffer.problem, buffer.waiting, buffer.unstored, done]).toEqual([
    undefined,
    0,
    0,
    [1, 2],
  ]);
});

it("gives up the one batch that can never be stored, and no other", async () => {
  const stored: number[] = [];
  const { buffer, add, done } = set((batches) => {
    if (batches.some(({ sequence }) => sequence === 2)) return Promise.reject(new Error("odd"));
    stored.push(...batches.map(({ sequence }) => sequence));
    return Promise.resolve();
  });
  add(batch(1), batch(2), batch(3), batch(4));
  await buffer.flush();
  await vi.advanceTimersByTimeAsync(10_000);
  expect([stored, done.toSorted(), buffer.unstored, buffer.waiting]).toEqual([
    [1, 3, 4],
    [1, 2, 3, 4],
    2,
    0,
  ]);
});

it("is bounded by bytes, too", () => {
  const { buffer, add, done } = set(() => Promise.resolve(), { bytes: 5000 });
  add(batch(1, 1, ["a".repeat(1000)]), batch(2), batch(3, 1, ["a".repeat(1000)]));
  expect([done, buffer.unstored]).toEqual([[1], 2]);
});

it("stores what a full disk refused once there is room", async () => {
  let full = true;
  const { buffer, add, done } = set(() =>
    full ? Promise.reject(new StoreFullError("less than 32 MiB are free")) : Promise.resolve(),
  );
  add(batch(1), batch(2));
  await buffer.flush();
  expect([buffer.problem, buffer.unstored, done]).toEqual(["less than 32 MiB are free", 0, []]);
  full = false;
  await buffer.flush();
  expect([buffer.problem, done]).toEqual([undefined, [1, 2]]);
});

it("does not wait for ever for an answer out of history", async () => {
  const silent = new Promise<never>(() => undefined);
  const store = withPatience({ edges: () => silent } as Partial<FlowStore> as FlowStore, 1000);
  const answer = store.edges({ probes: false }).catch((error: unknown) => String(error));
  await vi.advanceTimersByTimeAsync(1000);
  expect(await answer).toContain("does not answer");
});
