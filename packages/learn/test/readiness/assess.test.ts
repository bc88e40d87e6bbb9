/** States, dates and what is waited for. */
import {
  AGENT_ORIGIN,
  DAY_MS,
  HOUR_MS,
  type ConfiguredDependency,
  type Schedule,
} from "@bulkhead/model";
import fc from "fast-check";
import { expect, test } from "vitest";
import { assessReadiness, type ReadinessInput } from "../../src/index.ts";
import { edge, inventoryOf } from "../shop.ts";
import { ALL_DAY, at, MONDAY, range, seen, watching } from "./worlds.ts";

/** The shop's busy edges, on so many days from the Monday. */
const shop = (days: readonly number[]) => [
  seen("web", "storefront-1", "8080/tcp", days),
  seen("web", "storefront-2", "8080/tcp", days),
  seen("storefront-1", "db", "5432/tcp", days),
  seen("storefront-2", "db", "5432/tcp", days),
  seen("storefront-1", "cache", "6379/tcp", days),
];

function assess(
  name: string,
  over: Partial<ReadinessInput> & { readonly days?: readonly number[] },
) {
  const { days = range(0, 30), ...rest } = over;
  const found = assessReadiness({
    histories: shop(days),
    watch: watching(days),
    inventory: inventoryOf(),
    schedules: [],
    dependencies: [],
    now: at(Math.max(0, ...days) + 1),
    level: "group",
    ...rest,
  });
  const one = found.find(({ subject }) => subject.name === name);
  if (one === undefined)
    throw new Error(`nobody is called ${name}: ${found.map((r) => r.subject.name).join(", ")}`);
  return one;
}

const date = (time: number | undefined): string | undefined =>
  time === undefined ? undefined : new Date(time).toISOString().slice(0, 16);

const MAIL: ConfiguredDependency = {
  workload: "shop/storefront-1",
  host: "mail.example.com",
  port: 25,
  scheme: "smtp",
  place: "environment MAIL_URL",
};

test("nothing seen: it learns, and no number is made up", () => {
  const none = assess("shop/web", { histories: [], watch: [] });
  expect(none).toMatchObject({
    state: "learning",
    unseen: { seen: 0, mass: 1, massInterval: { low: 0, high: 1 } },
  });
  expect(none.readyAt).toBeUndefined();
  expect(none.reason).toContain("nothing was seen of it yet");
});

test("minutes of history: it learns, says not before when, and what it waits for", () => {
  const [first] = shop([0]);
  const minutes = assess("shop/storefront", {
    histories: [{ ...first!, days: [{ day: MONDAY, hours: 1 << 9, connections: 12 }] }],
    watch: [{ day: MONDAY, hours: 1 << 9 }],
    dependencies: [MAIL],
    now: at(0, 9) + 600_000,
  });
  expect(minutes).toMatchObject({
    state: "learning",
    unseen: { units: 1, unit: "hour", mass: 1, massInterval: { low: 0, high: 1 } },
    awaited: [{ kind: "dependency", dependency: MAIL }],
    reason: "one day was looked at, and 14 have to be",
  });
  expect(minutes.readyAt).toBeUndefined();
  expect(date(minutes.notBefore)).toBe("2026-01-18T09:10");
});

test("a fortnight of quiet: ready but for what the calendar has not shown, with its dates", () => {
  const days = range(0, 16);
  const fortnight = assess("shop/storefront", { days });
  expect(fortnight.state).toBe("ready-except");
  expect(fortnight.calendar.map(({ kind, text }) => `${kind}: ${text}`)).toEqual([
    "day-of-month: the 21st to 28th of a month",
    "month-end: the end of a month",
    "day-of-month: the 1st to 4th of a month",
    "quarter-end: the end of a quarter",
  ]);
  expect(date(fortnight.readyAt)).toBe("2026-04-02T00:00");
});

test("ready once a quarter has turned and nothing is awaited", () => {
  expect(assess("shop/storefront", { days: range(0, 90) })).toMatchObject({
    state: "ready",
    calendar: [],
    awaited: [],
    reason: "all that is needed was seen",
  });
});

test("learning with a date, as long as it brings something new", () => {
  const days = range(0, 20);
  const histories = [...shop(days), seen("storefront-1", "metrics", "9100/tcp", [18, 19])];
  const learning = assess("shop/storefront", { days, histories });
  expect(learning.state).toBe("learning");
  expect(date(learning.exceptAt)).toBe("2026-02-07T00:00");
  expect(learning.reason).toBe("it brought a new edge 1 day ago, and 14 quiet ones have to pass");
});

test("no fortnight is promised to be quiet while new edges keep coming", () => {
  const days = range(0, 20);
  const fresh = (count: number) =>
    Array.from({ length: count }, (_, at) =>
      seen("storefront-1", `203.0.113.${at + 1}`, "443/tcp", [19 - at], { daily: 1 }),
    );
  const waits = [0, 1, 4].map((count) => {
    const histories = [
      ...shop(days),
      seen("storefront-1", "metrics", "9100/tcp", [18, 19]),
      ...fresh(count),
    ];
    const { exceptAt } = assess("shop/storefront", { days, histories });
    return ((exceptAt ?? Infinity) - at(20)) / DAY_MS;
  });
  expect(waits[0]).toBe(13);
  expect(waits[1]).toBeGreaterThanOrEqual(14);
  expect(waits[2]).toBeGreaterThan(20);
});

test("a new copy of a known group is as ready as the group", () => {
  const days = range(0, 90);
  const late = seen("storefront-2", "cache", "6379/tcp", [89]);
  expect(assess("shop/storefront", { days, histories: [...shop(days), late] }).state).toBe("ready");
  const alone = assess("shop/storefront-2", {
    days,
    level: "workload",
    histories: [...shop(days), late],
  });
  expect(alone.state).toBe("learning");
});

test("an application is all its groups, and what is between two of them is one edge", () => {
  const application = assess("shop", { level: "application" });
  expect(application.unseen.seen).toBe(3);
  expect(application.subject.workloads).toHaveLength(inventoryOf().workloads.length);
});

const BACKUP: Schedule = {
  name: "timer backup.timer",
  kind: "systemd-timer",
  expression: "monthly",
  node: "node-1",
  workload: "shop/db",
  nextRun: at(120, 3),
};

test("a job that has not run while anybody looked is awaited by name, with its date", () => {
  const waiting = assess("shop/db", { days: range(0, 90), schedules: [BACKUP] });
  expect(waiting).toMatchObject({
    state: "ready-except",
    awaited: [{ kind: "schedule", schedule: BACKUP }],
  });
  expect(waiting.readyAt).toBe(BACKUP.nextRun);
});

test.each([
  ["while somebody looked", at(40, 3), "ready", -1],
  ["before anybody looked", at(-3, 3), "ready-except", -1],
  ["in an hour when nobody did", at(40, 3), "ready-except", 40],
])("it ran %s", (_, lastRun, state, unwatched) => {
  const days = range(0, 90).filter((day) => day !== unwatched);
  expect(assess("shop/db", { days, schedules: [{ ...BACKUP, lastRun }] }).state).toBe(state);
});

test("a job whose pods are nobody's yet is awaited by its application, or under its own name", () => {
  const job: Schedule = {
    name: "CronJob shop/invoices",
    kind: "cronjob",
    expression: "0 3 1 * *",
    namespace: "shop",
    labels: { app: "invoices" },
  };
  expect(assess("shop", { level: "application", schedules: [job] }).awaited).toHaveLength(1);
  expect(assess("shop", { level: "group", schedules: [job] })).toMatchObject({
    state: "learning",
    subject: { workloads: [] },
  });
});

test.each([
  ["by name", { names: ["mail.example.com"] }, 25, true],
  ["by address", {}, 25, true, "203.0.113.25"],
  ["on another port", { names: ["mail.example.com"] }, 587, false],
  ["to somebody else", { names: ["example.com"] }, 25, false],
])("a dependency called %s", (_, over, port, called, host = "mail.example.com") => {
  const days = range(0, 90);
  const call = seen("storefront-2", "203.0.113.25", `${port}/tcp`, days);
  const named = {
    ...call,
    edge: { ...call.edge, destination: { ...call.edge.destination, ...over } },
  };
  const dependency = { ...MAIL, host };
  const storefront = assess("shop/storefront", {
    days,
    histories: [...shop(days), named],
    dependencies: [dependency],
  });
  expect(storefront.awaited).toEqual(called ? [] : [{ kind: "dependency", dependency }]);
  if (!called)
    expect(storefront).toMatchObject({
      state: "ready-except",
      reason: "nobody can tell when what it waits for will come",
    });
});

test.each(["db", "db.shop", "DB.shop.svc.cluster.local.", "10.0.0.14"])(
  "a dependency %s is the database",
  (host) => {
    const dependency = { ...MAIL, host, port: 5432 };
    expect(assess("shop/storefront", { dependencies: [dependency] }).awaited).toEqual([]);
    expect(
      assess("shop/storefront", { dependencies: [{ ...dependency, host: "db.other" }] }).awaited,
    ).toHaveLength(host === "db" ? 1 : 1);
  },
);

test("silence while nobody looked is no evidence", () => {
  const days = [...range(0, 5), ...range(60, 65)];
  const gaps = assess("shop/storefront", { days });
  expect(gaps).toMatchObject({ state: "learning", unseen: { units: 10 } });
  // Ten days of sixty-five were looked at: five more, for a quiet fortnight, take five times six and a half.
  expect(date(gaps.exceptAt)).toBe("2026-04-13T00:00");
});

test("a clock that is wrong, days that are in no order, and days to come", () => {
  const [first, ...rest] = shop(range(0, 20));
  const shuffled = { ...first!, days: first!.days.toReversed().concat(first!.days.slice(0, 3)) };
  const future = seen("storefront-1", "metrics", "9100/tcp", [400]);
  const past = {
    ...seen("storefront-1", "dns", "53/udp", [0]),
    days: [{ day: -5, hours: 1, connections: 1 }],
  };
  const input = { days: range(0, 20), now: at(20) };
  const odd = assess("shop/storefront", { ...input, histories: [shuffled, ...rest, future, past] });
  const plain = assess("shop/storefront", input);
  expect({ ...odd, lastSeen: plain.lastSeen }).toMatchObject({
    state: plain.state,
    unseen: { seen: 3, units: 20 },
    calendar: plain.calendar,
  });
});

test("what a sample left out makes the interval wider, and is told", () => {
  const origin = {
    format: "gcp-vpc",
    sampling: 10,
    aggregation: 60_000,
    direction: "told",
  } as const;
  const days = range(0, 30);
  const histories = shop(days).map((one) => ({ ...one, edge: { ...one.edge, origins: [origin] } }));
  const sampled = assess("shop/storefront", { days, histories });
  expect(sampled.weakened).toEqual([origin]);
  expect(sampled).toMatchObject({
    state: "learning",
    reason: "it brought a new edge 29 days ago, and 140 quiet ones have to pass",
  });
  expect(sampled.unseen.massInterval.high).toBeGreaterThan(
    assess("shop/storefront", { days }).unseen.massInterval.high * 5,
  );
});

test("hours of the week that nobody looked at are named", () => {
  const days = range(0, 90);
  const night = 0b111111;
  const hours = ALL_DAY & ~night;
  const histories = shop(days).map((one) => ({
    ...one,
    days: one.days.map((day) => ({ ...day, hours })),
  }));
  const nights = assess("shop/storefront", { days, histories, watch: watching(days, hours) });
  expect(nights.calendar.map(({ text }) => text)).toEqual(
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"].map(
      (day) => `${day} 00:00–06:00 UTC`,
    ),
  );
  expect(nights.calendar[0]!.next).toBe(at(90));
  expect(nights.calendar[1]!.next - nights.calendar[0]!.next).toBe(24 * HOUR_MS);
});

test("what no rule could name is neither seen nor missing", () => {
  const days = range(0, 30);
  const denied = {
    ...seen("storefront-1", "metrics", "9100/tcp", [7]),
    edge: edge("storefront-1", "metrics", "9100/tcp", { verdict: "dropped" }),
  };
  expect(assess("shop/storefront", { days, histories: [...shop(days), denied] }).unseen).toEqual(
    assess("shop/storefront", { days }).unseen,
  );
});

test("who has no label is told of as that", () => {
  const { workloads, ...rest } = inventoryOf();
  const inventory = { ...rest, workloads: workloads.map((one) => ({ ...one, labels: {} })) };
  const nameless = assess("shop/db", { level: "workload", inventory });
  expect(nameless).toMatchObject({ state: "learning", unseen: { seen: 0 } });
  expect(nameless.reason).toContain("no label tells");
});

test("a name that DNS has for changing addresses is one edge", () => {
  const days = range(0, 30);
  const called = days.map((day) => {
    const one = seen("storefront-1", `203.0.113.${day + 1}`, "443/tcp", [day]);
    const destination = { ...one.edge.destination, names: ["api.example.com"] };
    return { ...one, edge: { ...one.edge, destination } };
  });
  const { unseen } = assess("shop/storefront", { days, histories: [...shop(days), ...called] });
  expect(unseen).toMatchObject({ seen: 4, once: 0 });
});

test("a sample weakens nothing where our own collectors saw the same", () => {
  const origin = { format: "gcp-vpc", sampling: 10, aggregation: 0, direction: "told" } as const;
  const days = range(0, 30);
  const histories = shop(days).map((one) => ({
    ...one,
    edge: { ...one.edge, origins: [origin, AGENT_ORIGIN] },
  }));
  const both = assess("shop/storefront", { days, histories });
  expect(both).toMatchObject({ weakened: [], unseen: assess("shop/storefront", { days }).unseen });
});

const day = fc.integer({ min: -3, max: 60 });
const anyDays = fc.array(
  fc.record({ day: day.map((one) => MONDAY + one), hours: fc.integer(), connections: fc.nat(50) }),
  { minLength: 1, maxLength: 40 },
);

test("whatever the days, shares stay shares, intervals hold their estimate, and dates lie ahead", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.constantFrom("web", "db", "cache", "metrics"), fc.nat(3), anyDays), {
        maxLength: 12,
      }),
      fc.array(fc.record({ day: day.map((one) => MONDAY + one), hours: fc.integer() }), {
        maxLength: 60,
      }),
      fc.constantFrom("workload" as const, "group" as const, "application" as const),
      fc.integer({ min: -1, max: 70 }),
      (edges, watch, level, today) => {
        const histories = edges.map(([to, port, days]) => ({
          edge: edge("storefront-1", to, `${5000 + port}/tcp`),
          days,
        }));
        const now = at(today, 5);
        const found = assessReadiness({
          histories,
          watch,
          inventory: inventoryOf(),
          schedules: [],
          dependencies: [MAIL],
          now,
          level,
        });
        for (const { unseen, readyAt = now, exceptAt = now, notBefore = now, calendar } of found) {
          for (const [value, { low, high }] of [
            [unseen.mass, unseen.massInterval],
            [unseen.flows, unseen.flowsInterval],
          ] as const) {
            expect([low >= 0, low <= value, value <= high, high <= 1]).toEqual([
              true,
              true,
              true,
              true,
            ]);
          }
          expect(unseen.once + unseen.twice).toBeLessThanOrEqual(unseen.seen);
          expect(
            Math.min(readyAt, exceptAt, notBefore, ...calendar.map(({ next }) => next)),
          ).toBeGreaterThanOrEqual(now);
        }
      },
    ),
    { numRuns: 150, seed: 20_260_105 },
  );
});
