import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { CounterReading } from "@bulkhead/datapath";
import { watchCounters } from "../../src/link/counter-watch.ts";

const special = (packets: number): CounterReading => ({
  kind: "special",
  name: "live_suppressed",
  packets,
  bytes: 0,
});
const leaf: CounterReading = {
  kind: "leaf",
  plane: "live",
  direction: "ingress",
  verdict: "drop",
  cookie: "0badcafe",
  packets: 5,
  bytes: 300,
};

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it("tells the counters that stand for no rule, keeps the last ones when reading fails, and goes on", async () => {
  const answers: (readonly CounterReading[] | Error)[] = [
    [special(3), leaf],
    new Error("busy"),
    [special(7)],
  ];
  const problems: unknown[] = [];
  const read = async () => {
    const next = answers.shift() ?? [];
    if (next instanceof Error) throw next;
    return next;
  };
  const watch = watchCounters(read, (error) => problems.push(error), 1000);
  expect(watch.latest()).toEqual({});
  await vi.advanceTimersByTimeAsync(1000);
  expect(watch.latest()).toEqual({ live_suppressed: 3 });
  await vi.advanceTimersByTimeAsync(1000);
  expect(watch.latest()).toEqual({ live_suppressed: 3 });
  expect(problems).toEqual([new Error("busy")]);
  await vi.advanceTimersByTimeAsync(1000);
  expect(watch.latest()).toEqual({ live_suppressed: 7 });
  watch.stop();
  await vi.advanceTimersByTimeAsync(5000);
  expect(watch.latest()).toEqual({ live_suppressed: 7 });
});

it("does not ask again before it was answered", async () => {
  let asked = 0;
  const watch = watchCounters(
    () => {
      asked += 1;
      return new Promise(() => undefined);
    },
    () => undefined,
    1000,
  );
  await vi.advanceTimersByTimeAsync(5000);
  expect(asked).toBe(1);
  watch.stop();
});
