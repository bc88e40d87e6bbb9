import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { CounterReading } from "@bulkhead/datapath";
import { watchCounters } from "../../src/link/counter-watch.ts";

const special = (packets: number): CounterReading => ({
  kind: "special",
  name: "live_suppressed",
  packets,
  bytes: 0,
});
const rule: Omit<Extract<CounterReading, { kind: "leaf" }>, "kind"> = {
  plane: "live",
  direction: "ingress",
  verdict: "drop",
  cookie: "0badcafe",
  packets: 5,
  bytes: 300,
};
const leaf: CounterReading = { kind: "leaf", ...rule };

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
  const watch = watchCounters(read, (error) => problems.push(error), Date.now, 1000);
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

it("tells how often each rule was hit, and when it was last seen to be", async () => {
  let readings: readonly CounterReading[] = [leaf];
  const fail = (error: unknown) => expect.fail(String(error));
  const watch = watchCounters(async () => readings, fail, Date.now, 1000);
  // Nobody knows when these five came.
  expect(await watch.rules()).toEqual([rule]);
  readings = [{ ...leaf, packets: 6 }];
  await vi.advanceTimersByTimeAsync(1000);
  const hit = Date.now();
  await vi.advanceTimersByTimeAsync(5000);
  expect(await watch.rules()).toEqual([{ ...rule, packets: 6, lastHit: hit }]);
  // New since: whatever it has counted came since.
  const fresh = { ...rule, cookie: "0badcaff" };
  const unused = { ...rule, cookie: "0badca00", packets: 0 };
  readings = [leaf, { kind: "leaf", ...fresh }, { kind: "leaf", ...unused }];
  expect(await watch.rules()).toEqual([
    { ...rule, lastHit: hit },
    { ...fresh, lastHit: Date.now() },
    unused,
  ]);
  watch.stop();
});

it("does not ask again before it was answered", async () => {
  let asked = 0;
  const watch = watchCounters(
    () => {
      asked += 1;
      return new Promise(() => undefined);
    },
    () => undefined,
    Date.now,
    1000,
  );
  await vi.advanceTimersByTimeAsync(5000);
  expect(asked).toBe(1);
  watch.stop();
});
