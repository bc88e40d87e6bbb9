/** From records to stored flows: named, ruled, acknowledged only when stored, and a full disk costs flows, not peace. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { expect, it, vi } from "vitest";
import type { Flow } from "@bulkhead/model";
import {
  openDuckDbFlowStore,
  StoreFullError,
  type FlowBatch,
  type FlowStore,
} from "@bulkhead/store";
import type { ObservedRecord } from "@bulkhead/wire";
import { startFlowIntake } from "../src/flows/flow-intake.ts";
import { createNamer } from "../src/world/naming.ts";
import { buildWorld } from "../src/world/world.ts";
import { reading, service, SHOP, shop } from "./fixtures.ts";

const record = (more: Partial<ObservedRecord> = {}): ObservedRecord => ({
  start: 1,
  end: 2,
  source: "10.9.0.10",
  destination: "10.9.0.11",
  protocol: 6,
  port: 5432,
  sourcePort: 1,
  verdict: "forwarded",
  connections: 1,
  established: 0,
  failed: 0,
  bytes: 0,
  packets: 1,
  ...more,
});

function set(world = shop([]).world, now: () => number = () => 1_000_000, real?: FlowStore) {
  const stored: FlowBatch[] = [];
  const seen: Flow[] = [];
  const acknowledged: number[] = [];
  const disk = { full: false };
  const store = {
    append: (batches: readonly FlowBatch[]) => {
      if (disk.full) return Promise.reject(new StoreFullError("full"));
      stored.push(...batches);
      return Promise.resolve();
    },
  } as Pick<FlowStore, "append"> as FlowStore;
  const namer = createNamer(world, []);
  const intake = startFlowIntake({
    store: real ?? store,
    log: pino({ level: "silent" }),
    namer: () => namer,
    ruleOf: (cookie) => (cookie === "0badcafe" ? "Policy/shop/db#ingress" : undefined),
    denial: ({ connections }) =>
      connections === 0
        ? { verdict: "dropped", rule: "Policy/shop/db#ingress", direction: "ingress" }
        : null,
    onFlows: (flows) => void seen.push(...flows),
    now,
  });
  const take = (sequence: number, records: readonly ObservedRecord[]) =>
    intake.take(
      { boot: "boot", host: "n1" },
      sequence,
      records,
      (number) => void acknowledged.push(number),
    );
  return { intake, take, stored, seen, acknowledged, disk };
}

it("names an end on the machine by the control group of its socket, whoever holds it", async () => {
  const around = {
    ...SHOP,
    processes: [
      service("/system.slice/cron.service"),
      service("/system.slice/nginx.service", { sockets: [{ family: 4, protocol: 6, port: 80 }] }),
    ],
  } as const;
  const { intake, take, stored } = set(buildWorld(reading([]).declared, around));
  const host = { source: "10.9.0.1", destination: "10.9.0.1", port: 80 } as const;
  const sourceProcess = { name: "nginx", uid: 0, cgroup: "/system.slice/cron.service" };
  take(1, [
    record({ ...host, sourceProcess }),
    record({ ...host, port: 81, destinationProcess: sourceProcess }),
    record({ ...host, destinationProcess: { uid: 0, cgroup: "/" } }),
    // News of a connection whose socket has gone, and another connection with its ports.
    record({ ...host, port: 82, sourceProcess }),
    record({ ...host, port: 82, connections: 0 }),
    record({ ...host, port: 82 }),
    record({ ...host, port: 82, connections: 0 }),
  ]);
  await intake.flush();
  expect(
    stored[0]?.flows.map(({ source, destination }) => [source.name, destination.name]),
  ).toEqual([
    ["host/cron.service", "host/nginx.service"],
    ["host", "host/cron.service"],
    ["host", "host"],
    ["host/cron.service", "host"],
    ["host/cron.service", "host"],
    ["host", "host"],
    ["host", "host"],
  ]);
});

it("names both ends and the rule, and acknowledges after storing", async () => {
  const { intake, take, stored, seen, acknowledged } = set();
  const denied = { verdict: "dropped", cookie: "0badcafe", direction: "ingress" } as const;
  const process = { name: "psql", pid: 7, uid: 1000, user: "ann" };
  take(1, [record({ ...denied, destinationNames: ["db.example"], sourceProcess: process })]);
  expect([stored, acknowledged]).toEqual([[], []]);
  await intake.flush();
  expect(stored[0]?.flows[0]).toMatchObject({
    node: "n1",
    source: { name: "shop/web", workload: "shop/web", process },
    destination: { name: "shop/db", names: ["db.example"] },
    rule: "Policy/shop/db#ingress",
  });
  expect(stored[0]?.flows[0]?.source).not.toHaveProperty("names");
  expect(stored[0]?.flows[0]?.destination).not.toHaveProperty("process");
  expect(stored[0]?.flows[0]).not.toHaveProperty("destinationNames");
  expect(stored[0]?.flows[0]).not.toHaveProperty("sourceProcess");
  expect(acknowledged).toEqual([1]);
  expect(seen).toHaveLength(1);
});

it("stores later news of a connection as dropped when it is denied by now", async () => {
  const { intake, take, stored, seen } = set();
  take(1, [record({ connections: 0 }), record()]);
  await intake.flush();
  const expected = [
    { verdict: "dropped", rule: "Policy/shop/db#ingress" },
    { verdict: "forwarded" },
  ];
  expect(stored[0]?.flows).toMatchObject(expected);
  expect(seen).toMatchObject(expected);
});

it("shows a batch that is sent again only once", async () => {
  const { intake, take, stored, seen } = set();
  take(1, [record()]);
  take(1, [record()]);
  await intake.flush();
  expect(seen).toHaveLength(1);
  expect(stored.flatMap(({ flows }) => flows)).toHaveLength(1);
});

it("keeps what a full disk does not take until there is room", async () => {
  const { intake, take, stored, acknowledged, disk } = set();
  disk.full = true;
  take(1, [record({ connections: 3 })]);
  await intake.flush();
  expect([intake.waiting, intake.unstored, intake.problem, acknowledged]).toEqual([
    1,
    0,
    "full",
    [],
  ]);
  disk.full = false;
  take(2, [record()]);
  await intake.flush();
  expect([intake.waiting, intake.unstored, intake.problem]).toEqual([0, 0, undefined]);
  expect([stored.length, acknowledged]).toEqual([2, [1, 2]]);
});

it("has what came in on its way to the disk within a second", async () => {
  vi.useFakeTimers();
  try {
    const { take, stored } = set();
    take(1, [record()]);
    await vi.advanceTimersByTimeAsync(500);
    take(2, [record()]);
    await vi.advanceTimersByTimeAsync(350);
    expect(stored).toHaveLength(2);
  } finally {
    vi.useRealTimers();
  }
});

it("lets followers see flows as they come, and go", async () => {
  const { intake, take } = set();
  const ended = new AbortController();
  const flows = intake.follow(ended.signal);
  const first = flows.next();
  take(1, [record(), record({ port: 22 })]);
  expect([(await first).value?.port, (await flows.next()).value?.port]).toEqual([5432, 22]);
  const last = flows.next();
  ended.abort();
  expect((await last).done).toBe(true);
});

it("tells what claims to be from the future as of when it came, and counts it", async () => {
  const { intake, take, stored } = set();
  const late = 9_000_000_000_000;
  take(1, [
    record({ start: 1_000_000, end: late }),
    record({ start: late, end: late + 5 }),
    record({ start: 1_030_000, end: 1_030_005 }),
  ]);
  await intake.flush();
  expect(stored[0]?.flows.map(({ start, end }) => [start, end])).toEqual([
    [1_000_000, 1_000_000],
    [1_000_000, 1_000_000],
    [1_030_000, 1_030_005],
  ]);
  expect(intake.redated).toBe(2);
});

it("stores what waits when it stops", async () => {
  const { intake, take, stored } = set();
  take(1, [record()]);
  await intake.stop();
  expect(stored).toHaveLength(1);
});

const HOUR = 3_600_000;

it.each([
  ["goes back an hour", [0, 1000, 2000 - HOUR, 3000 - HOUR, 4000 - HOUR], 0],
  ["goes forward a day", [0, 1000, 24 * HOUR + 2000, 24 * HOUR + 3000, 24 * HOUR + 4000], 0],
  ["goes forward a day and back again", [0, 24 * HOUR, 1000, 24 * HOUR + 1000, 2000], 0],
] as const)("loses nothing while the clock of the machine %s", async (_, times, redated) => {
  const start = Date.UTC(2026, 10, 21, 12, 30);
  let now = start;
  const { intake, take, stored, seen, acknowledged } = set(undefined, () => now);
  for (const [at, time] of times.entries()) {
    now = start + time;
    take(at + 1, [record({ start: now - 500, end: now, sourcePort: at + 1 })]);
    // Sent again: it is no other flow for the clock being another.
    take(at + 1, [record({ start: now - 500, end: now, sourcePort: at + 1 })]);
    await intake.flush();
  }
  const flows = stored.flatMap((batch) => batch.flows);
  expect(flows.map(({ end }) => end)).toEqual(times.map((time) => start + time));
  expect(flows.map(({ sourcePort }) => sourcePort)).toEqual([1, 2, 3, 4, 5]);
  expect([seen.length, intake.unstored, intake.redated]).toEqual([5, 0, redated]);
  expect(acknowledged.at(-1)).toBe(5);
});

it("keeps what was recorded before the clock went back, dated as of when it came, and counts that", async () => {
  let now = Date.UTC(2026, 10, 21, 12, 30);
  const { intake, take, stored } = set(undefined, () => now);
  const before = record({ start: now - 2000, end: now });
  now -= HOUR;
  take(1, [before, record({ start: now, end: now })]);
  await intake.flush();
  expect(stored[0]?.flows.map(({ start, end }) => [start, end])).toEqual([
    [now, now],
    [now, now],
  ]);
  expect([intake.redated, intake.unstored]).toEqual([1, 0]);
});

it("counts no hour twice and none that was not watched when the clock goes back and forward", async () => {
  const folder = mkdtempSync(join(tmpdir(), "bh-clock-"));
  const store = await openDuckDbFlowStore(join(folder, "flows.duckdb"), { minFreeBytes: 0 });
  try {
    const start = Date.UTC(2026, 10, 21, 12, 30);
    let now = start;
    const { intake, take } = set(undefined, () => now, store);
    // 12:30, 13:30, back to 12:31, 13:31 once more, and a day later.
    for (const [at, time] of [0, HOUR, 60_000, HOUR + 60_000, 25 * HOUR].entries()) {
      now = start + time;
      take(at + 1, [record({ start: now, end: now, sourcePort: at + 1 })]);
    }
    await intake.flush();
    const day = Math.floor(start / (24 * HOUR));
    const bits = (...hours: readonly number[]) => hours.reduce((sum, hour) => sum | (1 << hour), 0);
    expect(await store.watch()).toEqual([
      { day, hours: bits(12, 13), by: { agent: bits(12, 13) } },
      { day: day + 1, hours: bits(13), by: { agent: bits(13) } },
    ]);
    const [edge] = await store.histories({ probes: false });
    expect(edge?.days.map(({ hours, connections }) => [hours, connections])).toEqual([
      [bits(12, 13), 4],
      [bits(13), 1],
    ]);
  } finally {
    await store.close();
    rmSync(folder, { recursive: true });
  }
});
