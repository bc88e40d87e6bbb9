/** Our own probes are told from other people's connections, one by one, and only for a while. */
import { expect, it } from "vitest";
import type { FlowRecord } from "@bulkhead/model";
import { ProbeMarks } from "../../src/link/probe-marks.ts";

const key = { source: "10.0.0.1", destination: "10.0.0.2", protocol: 6, port: 80 };
const record = (more: Partial<FlowRecord> = {}): FlowRecord => ({
  ...key,
  start: 0,
  end: 0,
  sourcePort: 1,
  verdict: "forwarded",
  connections: 1,
  established: 1,
  failed: 0,
  bytes: 100,
  packets: 4,
  ...more,
});

it("leaves everything alone while nothing was probed", () => {
  const records = [record()];
  expect(new ProbeMarks(() => 0).apply(records)).toBe(records);
});

it("marks one connection a probe, and later news of it", () => {
  const marks = new ProbeMarks(() => 0);
  marks.begin(key);
  expect(marks.apply([record()])).toEqual([{ ...record(), probe: true }]);
  expect(marks.apply([record({ connections: 0 })])).toMatchObject([{ probe: true }]);
  expect(marks.apply([record()])).toEqual([record()]);
});

it("splits a record that holds more than the probe", () => {
  const marks = new ProbeMarks(() => 0);
  marks.begin(key);
  const [own, others] = marks.apply([record({ connections: 3, packets: 9, bytes: 900 })]);
  expect(own).toMatchObject({ connections: 1, probe: true, bytes: 0 });
  expect(others).toMatchObject({ connections: 2, bytes: 900 });
  expect(others).not.toHaveProperty("probe");
});

it("takes the logged packets of one refused attempt for its own, but not a flood", () => {
  const marks = new ProbeMarks(() => 0);
  marks.begin(key);
  const [own, others] = marks.apply([record({ verdict: "dropped", connections: 100 })]);
  expect(own?.connections).toBeLessThan(10);
  expect((own?.connections ?? 0) + (others?.connections ?? 0)).toBe(100);
});

it("marks nothing with another end or port, and nothing after a while", () => {
  let now = 0;
  const marks = new ProbeMarks(() => now);
  marks.begin(key);
  const others = [
    record({ port: 81 }),
    record({ source: "10.0.0.9" }),
    record({ destination: "10.0.0.9" }),
  ];
  expect(marks.apply(others)).toEqual(others);
  now = 60_000;
  expect(marks.apply([record()])).toEqual([record()]);
});
