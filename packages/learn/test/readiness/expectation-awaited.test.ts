/** What is awaited still: jobs that nobody saw run, and destinations that nobody saw called. */
import { expect, test } from "vitest";
import {
  DAY_MS,
  HOUR_MS,
  TCP,
  type ConfiguredDependency,
  type EdgeHistory,
  type FlowEnd,
  type Schedule,
  type Watch,
} from "@bulkhead/model";
import { awaitedOf, type AwaitedInput } from "../../src/readiness/expectation-awaited.ts";

const NOW = Date.parse("2026-11-20T12:00:00Z");
const TODAY = Math.floor(NOW / DAY_MS);
/** The last `days` days, but not the hours of `blind`. */
const watched = (days: number, blind: readonly number[] = []): readonly Watch[] =>
  Array.from({ length: days }, (_, ago) => ({
    day: TODAY - days + 1 + ago,
    hours: blind.reduce((mask, hour) => mask & ~(1 << hour), 0xff_ffff),
  }));

const job = (more: Partial<Schedule>): Schedule => ({
  name: "CronJob shop/invoices",
  kind: "cronjob",
  expression: "0 3 1 * *",
  timeZone: "UTC",
  ...more,
});
const awaited = (more: Partial<AwaitedInput>) =>
  awaitedOf({
    schedules: [],
    dependencies: [],
    histories: [],
    watch: watched(10),
    now: NOW,
    ...more,
  });

test("a monthly job is awaited until the first of a month was watched", () => {
  expect(awaited({ schedules: [job({})] })).toHaveLength(1);
  expect(awaited({ schedules: [job({})], watch: watched(25) })).toEqual([]);
  expect(awaited({ schedules: [job({})], watch: watched(25, [3]) })).toHaveLength(1);
  expect(awaited({ schedules: [job({})], watch: [] })).toHaveLength(1);
});

test("what runs in the last minutes of an hour is seen in the next", () => {
  const late = job({ expression: "58 3 * * *" });
  expect(awaited({ schedules: [late] })).toEqual([]);
  expect(awaited({ schedules: [late], watch: watched(10, [4]) })).toHaveLength(1);
});

test("runs before a job was what it is do not count", () => {
  const since = Date.parse("2026-11-05T00:00:00Z");
  expect(awaited({ schedules: [job({ since })], watch: watched(25) })).toHaveLength(1);
  expect(
    awaited({ schedules: [job({ since, expression: "0 3 10 * *" })], watch: watched(25) }),
  ).toEqual([]);
});

test("a timer's last run is what the machine tells, and none is computed", () => {
  const timer = job({ kind: "systemd-timer", expression: "hourly", name: "timer backup.timer" });
  expect(awaited({ schedules: [timer] })).toHaveLength(1);
  expect(awaited({ schedules: [{ ...timer, lastRun: NOW - 2 * HOUR_MS }] })).toEqual([]);
  expect(awaited({ schedules: [{ ...timer, lastRun: NOW - 400 * HOUR_MS }] })).toHaveLength(1);
});

test("what is switched off is not waited for, and the soonest comes first", () => {
  const later = job({ name: "later", nextRun: NOW + 2 });
  const sooner = job({ name: "sooner", nextRun: NOW + 1 });
  const dateless = job({ name: "@reboot", kind: "cron", expression: "@reboot" });
  const found = awaited({ schedules: [dateless, later, sooner, job({ suspended: true })] });
  expect(found.map((one) => one.kind === "schedule" && one.schedule.name)).toEqual([
    "sooner",
    "later",
    "@reboot",
  ]);
});

test("years of a job each minute in hours that nobody watched are passed over at once", () => {
  const watch = watched(
    3000,
    [...Array(24).keys()].filter((hour) => hour !== 5),
  );
  const minutely = job({ expression: "* 4 * * *" });
  expect(awaited({ schedules: [minutely], watch })).toHaveLength(1);
});

const end = (name: string, address: string, more: Partial<FlowEnd> = {}): FlowEnd => ({
  address,
  name,
  labels: {},
  ...(name === "world" ? {} : { workload: name }),
  ...more,
});
const seen = (destination: FlowEnd, port: number): EdgeHistory => ({
  edge: {
    source: end("shop/web", "10.0.0.1"),
    destination,
    protocol: TCP,
    port,
    verdict: "forwarded",
    connections: 1,
    established: 1,
    failed: 0,
    bytes: 1,
    packets: 1,
    firstSeen: 0,
    lastSeen: 0,
    windows: 1,
  },
  days: [{ day: TODAY, hours: 1, connections: 1 }],
});
const wants = (host: string, port?: number): ConfiguredDependency => ({
  workload: "shop/web",
  namespace: "shop",
  host,
  place: "environment DATABASE_URL",
  ...(port === undefined ? {} : { port }),
});

const DB = end("shop/db", "10.0.0.9", { labels: { app: "database" } });
const OUTSIDE = end("world", "192.0.2.7", { names: ["api.example.com"] });

test.each([
  ["an address", wants("10.0.0.9", 5432), seen(DB, 5432)],
  ["any port where none is told", wants("10.0.0.9"), seen(DB, 5432)],
  ["a name that DNS gave", wants("api.example.com", 443), seen(OUTSIDE, 443)],
  [
    "a name that the resolver completed",
    wants("api", 443),
    seen({ ...OUTSIDE, names: ["api.corp.example"] }, 443),
  ],
  ["a workload's name", wants("db", 5432), seen(DB, 5432)],
  ["what its labels call it", wants("database", 5432), seen(DB, 5432)],
  [
    "a Service of a cluster, at its pods' port",
    wants("db.shop.svc.cluster.local", 80),
    seen(DB, 8080),
  ],
  ["loopback", wants("localhost", 6379), seen(end("host", "127.0.0.1"), 6379)],
])("%s is seen", (_, dependency, history) => {
  expect(awaited({ dependencies: [dependency], histories: [history] })).toEqual([]);
});

test.each([
  ["another port", wants("10.0.0.9", 5433), seen(DB, 5432)],
  ["another host", wants("backup.example.com", 443), seen(OUTSIDE, 443)],
  ["a name that only begins alike", wants("ap", 443), seen(OUTSIDE, 443)],
  ["another namespace", wants("db.blog.svc", 5432), seen(DB, 5432)],
  ["somebody else's call", { ...wants("db", 5432), workload: "shop/other" }, seen(DB, 5432)],
])("%s is awaited", (_, dependency, history) => {
  expect(awaited({ dependencies: [dependency], histories: [history] })).toEqual([
    { kind: "dependency", dependency },
  ]);
});
