/** Of what is known to be coming, what has been seen. */
import { expect, test } from "vitest";
import {
  DAY_MS,
  HOUR_MS,
  TCP,
  type ConfiguredDependency,
  type Edge,
  type FlowEnd,
  type Schedule,
  type Watch,
} from "@bulkhead/model";
import { hasBeenWatched, isTowards } from "../../src/readiness/expectation-awaited.ts";
import { watchersOf } from "../../src/readiness/watched.ts";

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
  since: 0,
  ...more,
});
const wasSeen = (schedule: Schedule, watch: readonly Watch[] = watched(10)): boolean =>
  hasBeenWatched(schedule, watchersOf(watch, [], NOW).all, NOW);

test("a monthly job is awaited until the first of a month was watched", () => {
  expect(wasSeen(job({}))).toBe(false);
  expect(wasSeen(job({}), watched(25))).toBe(true);
  expect(wasSeen(job({}), watched(25, [3]))).toBe(false);
  expect(wasSeen(job({}), [])).toBe(false);
});

test("what runs in the last minutes of an hour is seen in the next", () => {
  const late = job({ expression: "58 3 * * *" });
  expect(wasSeen(late)).toBe(true);
  expect(wasSeen(late, watched(10, [4]))).toBe(false);
  expect(wasSeen(late, watched(10, [3]))).toBe(false);
});

test("runs before a job was what it is do not count", () => {
  const since = Date.parse("2026-11-05T00:00:00Z");
  expect(wasSeen(job({ since }), watched(25))).toBe(false);
  expect(wasSeen(job({ since, expression: "0 3 10 * *" }), watched(25))).toBe(true);
  const { since: _, ...unknown } = job({});
  expect(wasSeen(unknown, watched(25))).toBe(false);
  expect(wasSeen({ ...unknown, lastRun: since }, watched(25))).toBe(true);
});

test("a timer's last run is what the machine tells, and none is computed", () => {
  const timer = job({ kind: "systemd-timer", expression: "hourly", name: "timer backup.timer" });
  expect(wasSeen(timer)).toBe(false);
  expect(wasSeen({ ...timer, lastRun: NOW - 2 * HOUR_MS })).toBe(true);
  expect(wasSeen({ ...timer, lastRun: NOW - 400 * HOUR_MS })).toBe(false);
});

test("years of a job each minute in hours that nobody watched are passed over at once", () => {
  const watch = watched(
    3000,
    [...Array(24).keys()].filter((hour) => hour !== 5),
  );
  expect(wasSeen(job({ expression: "* 4 * * *" }), watch)).toBe(false);
});

const end = (name: string, address: string, more: Partial<FlowEnd> = {}): FlowEnd => ({
  address,
  name,
  labels: {},
  ...(name === "world" ? {} : { workload: name }),
  ...more,
});
const seen = (destination: FlowEnd, port: number): Edge => ({
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
])("%s is seen", (_, dependency, edge) => {
  expect(isTowards(edge, dependency)).toBe(true);
});

test.each([
  ["another port", wants("10.0.0.9", 5433), seen(DB, 5432)],
  ["another host", wants("backup.example.com", 443), seen(OUTSIDE, 443)],
  ["a name that only begins alike", wants("ap", 443), seen(OUTSIDE, 443)],
  ["another namespace", wants("db.blog.svc", 5432), seen(DB, 5432)],
])("%s is not it", (_, dependency, edge) => {
  expect(isTowards(edge, dependency)).toBe(false);
});
