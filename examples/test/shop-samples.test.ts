/** Counting is what the demo's claims stand on. */
import { expect, test } from "vitest";
import { latencyOf, tally } from "../shop/programs/lib/samples.ts";

test("percentiles are nearest-rank and do not depend on order", () => {
  const values = Array.from({ length: 100 }, (_, index) => 100 - index);
  expect(latencyOf(values)).toEqual({ p50: 50, p95: 95, p99: 99, max: 100 });
});

test("failures are counted by kind and cause, and have no latency", () => {
  const result = tally([
    { at: 1, ms: 2, kind: "order", family: 4 },
    { at: 2, ms: 4, kind: "order", family: 6 },
    { at: 3, ms: 5000, kind: "order", family: 6, error: "ETIMEDOUT" },
  ]);
  expect(result).toMatchObject({
    done: 2,
    failed: 1,
    byFamily: { ipv4: 1, ipv6: 1 },
    errors: { "order: ETIMEDOUT": 1 },
    latencyMs: { max: 4 },
  });
});
