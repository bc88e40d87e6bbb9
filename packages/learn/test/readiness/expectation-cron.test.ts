/** Lines of cron against what crontab(5) and Kubernetes' documents say of them; 2026-11-20 is a Friday. */
import { expect, test } from "vitest";
import { readCron, type CronReader } from "../../src/readiness/expectation-cron.ts";

const AFTER = Date.parse("2026-11-20T23:00:00Z");

const next = (expression: string, zone = "UTC", reader: CronReader = "crontab") => {
  const time = readCron(expression, zone, reader).runs?.next(AFTER);
  return time === undefined ? undefined : new Date(time).toISOString().slice(0, 16);
};

test.each([
  // Examples of crontab(5), their commands left out.
  ["5 0 * * *", "2026-11-21T00:05"],
  ["15 14 1 * *", "2026-12-01T14:15"],
  ["0 22 * * 1-5", "2026-11-23T22:00"],
  ["23 0-23/2 * * *", "2026-11-21T00:23"],
  ["5 4 * * sun", "2026-11-22T04:05"],
  // Neither day begins with a star: either counts.
  ["30 4 1,15 * 5", "2026-11-27T04:30"],
  // One begins with a star: both must match. Monday, and an odd day of the month.
  ["0 0 */2 * 1", "2026-11-23T00:00"],
  ["0 4 8-14 * *", "2026-12-08T04:00"],
  ["0 4 * * 7", "2026-11-22T04:00"],
  ["0 4 * * 0", "2026-11-22T04:00"],
  ["0 3 1 jan,jul *", "2027-01-01T03:00"],
  ["59 23 31 12 *", "2026-12-31T23:59"],
  ["*/15 * * * *", "2026-11-20T23:15"],
  ["0 0 29 2 *", "2028-02-29T00:00"],
  ["@hourly", "2026-11-21T00:00"],
  ["@daily", "2026-11-21T00:00"],
  ["@midnight", "2026-11-21T00:00"],
  ["@weekly", "2026-11-22T00:00"],
  ["@monthly", "2026-12-01T00:00"],
  ["@yearly", "2027-01-01T00:00"],
  ["@annually", "2027-01-01T00:00"],
])("%s runs next at %s", (expression, expected) => {
  expect(next(expression)).toBe(expected);
});

test("zones, and the hour that a clock passes over", () => {
  expect(next("30 6 * * *", "America/New_York")).toBe("2026-11-21T11:30");
  expect(next("@daily", "Europe/Berlin")).toBe("2026-11-21T23:00");
  const spring = readCron("30 2 * * *", "Europe/Berlin", "crontab").runs;
  const run = spring?.next(Date.parse("2027-03-28T00:00:00Z"));
  // Clocks go from 02:00 to 03:00: cron(8) runs such a job soon after.
  expect(new Date(run ?? 0).toISOString()).toMatch(/^2027-03-28T01:/);
});

test("a day that no month has never comes", () => {
  expect(readCron("0 0 31 2 *", "UTC", "crontab").runs?.next(AFTER)).toBeUndefined();
});

test("@reboot, and what is drawn at random, are sound and have no date", () => {
  expect(readCron("@reboot", "UTC", "crontab")).toEqual({});
  expect(readCron("0~59 3 * * *", "UTC", "crontab")).toEqual({});
  expect(readCron("@every 1h30m", "UTC", "kubernetes")).toEqual({});
});

test.each([
  "61 * * * *",
  "* 24 * * *",
  "0 0 0 1 *",
  "0 0 32 1 *",
  "0 0 * 13 *",
  "0 0 * * 8",
  "* * * *",
  "* * * * * *",
  "0 0 L * *",
  "0 0 15W * *",
  "0 0 * * 5#2",
  "5/10 * * * *",
  "*/0 * * * *",
  "5-1 * * * *",
  "a b c d e",
  "@fortnightly",
  "@daily extra",
  "",
])("`%s` is no time that cron knows", (expression) => {
  const { runs, problem } = readCron(expression, "UTC", "crontab");
  expect(runs).toBeUndefined();
  expect(problem).toBeTruthy();
});

test("a zone that nobody knows is told", () => {
  expect(readCron("0 0 * * *", "Mars/Olympus", "kubernetes").problem).toContain("Mars/Olympus");
});

test("Kubernetes takes `?`, steps after a number, and a star with a step as a restriction", () => {
  expect(next("0 3 ? * 1", "UTC", "kubernetes")).toBe("2026-11-23T03:00");
  expect(next("5/20 * * * *", "UTC", "kubernetes")).toBe("2026-11-20T23:05");
  expect(next("0 0 */2 * 1", "UTC", "kubernetes")).toBe("2026-11-21T00:00");
});

test.each([
  ["30 2 *", undefined],
  ["31 2,4,6,9,11 *", undefined],
  ["31 feb,Apr *", undefined],
  ["31,30 2-2 */7", undefined],
  ["31 2-4/2 *", undefined],
  ["31 2-4 *", "2027-03-31T00:00"],
  ["30 feb 1", "2027-02-01T00:00"],
  ["31 */2 *", "2027-01-31T00:00"],
])("days that no month has are known at once, however many are asked for: %s", (rest, expected) => {
  expect(next(`0 0 ${rest}`)).toBe(expected);
});

test("ten thousand lines that never run cost nobody his time", () => {
  const found = Array.from({ length: 10_000 }, (_, at) => next(`${at % 60} 0 31 4-4,6,9,11 *`));
  expect(found.every((one) => one === undefined)).toBe(true);
});
