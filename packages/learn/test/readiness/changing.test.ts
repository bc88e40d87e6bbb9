/** Names whose addresses change: a policy that holds those seen denies the next. */
import type { Awaited } from "@bulkhead/model";
import fc from "fast-check";
import { expect, test } from "vitest";
import { assessReadiness, type ReadinessInput } from "../../src/index.ts";
import { inventoryOf } from "../shop.ts";
import { ALL_DAY, at, range, seen, watching } from "./worlds.ts";

const DAYS = range(0, 130);
const BUSY = [
  seen("web", "storefront-1", "8080/tcp", DAYS),
  seen("storefront-1", "db", "5432/tcp", DAYS),
];

/** The storefront calls an address behind a name on these days. */
function calls(address: string, days: readonly number[], name = "api.example.com", daily = 50) {
  const one = seen("storefront-1", "db", "443/tcp", days, { daily });
  const destination = { name: "world", address, labels: {}, names: [name] };
  return { ...one, edge: { ...one.edge, destination } };
}

function assess(named: ReadinessInput["histories"], over: Partial<ReadinessInput> = {}) {
  const found = assessReadiness({
    histories: [...BUSY, ...named],
    watch: watching(DAYS),
    inventory: inventoryOf(),
    schedules: [],
    dependencies: [],
    now: at(130),
    level: "group",
    ...over,
  });
  const one = found.find(({ subject }) => subject.name === "shop/storefront");
  if (one === undefined) throw new Error("the storefront is gone");
  return one;
}

const changing = (awaited: readonly Awaited[]) =>
  awaited.flatMap((one) => (one.kind === "addresses" ? [one] : []));

/** Replaced every 40 days, each there for good until the next. */
const REPLACED = [
  calls("198.51.100.1", range(0, 40)),
  calls("198.51.100.2", range(40, 80)),
  calls("198.51.100.3", range(80, 130)),
];

test("one address all the time: ready", () => {
  expect(assess([calls("198.51.100.1", DAYS)])).toMatchObject({ state: "ready", awaited: [] });
});

test("replaced now and then: ready except for it, though the last one came long ago and no estimate tells", () => {
  const one = assess(REPLACED);
  expect(one).toMatchObject({
    state: "ready-except",
    calendar: [],
    reason: "new addresses keep coming behind a name it calls",
    unseen: { flows: 0 },
    awaited: [
      {
        kind: "addresses",
        name: "api.example.com",
        protocol: 6,
        port: 443,
        addresses: 3,
        later: 2,
        days: 130,
        newest: at(80),
        flows: 0,
      },
    ],
  });
  expect(one.readyAt).toBeUndefined();
});

test("a pool that was seen whole in its first week, and is quiet since: ready", () => {
  const pool = range(0, 6).map((k) => calls(`198.51.100.${k}`, range(k, 130)));
  expect(assess(pool)).toMatchObject({ state: "ready", awaited: [] });
});

test.each([
  { quiet: 14, held: 0 },
  { quiet: 13, held: 1 },
])("a gap of three days waits a fortnight: $quiet quiet days", ({ quiet, held }) => {
  const newest = 129 - quiet;
  const named = [
    calls("198.51.100.1", range(newest - 3, 130)),
    calls("198.51.100.2", range(newest, 130)),
  ];
  expect(changing(assess(named).awaited)).toHaveLength(held);
});

test("three times the longest gap, where that is longer", () => {
  const gap = (length: number) => [
    calls("198.51.100.1", range(0, 130)),
    calls("198.51.100.2", range(length, 130)),
  ];
  expect(changing(assess(gap(32)).awaited)).toHaveLength(0);
  expect(changing(assess(gap(33)).awaited)).toHaveLength(1);
});

test("many addresses seen once: their share is estimated, and holds it back long after", () => {
  const once = range(0, 12).map((k) => calls(`198.51.100.${k}`, [k], "api.example.com", 5000));
  const steady = calls("198.51.100.200", DAYS);
  const [one] = changing(assess([...once, steady]).awaited);
  expect(one).toMatchObject({ addresses: 13, later: 11 });
  expect(one?.flows).toBeGreaterThan(0.0005);
});

test("a prefix that was said ends it; what is outside of it counts alone", () => {
  expect(assess(REPLACED, { ranges: ["198.51.100.0/24"] })).toMatchObject({
    state: "ready",
    awaited: [],
  });
  const outside = [
    ...REPLACED,
    calls("203.0.113.1", range(0, 130)),
    calls("203.0.113.2", range(90, 130)),
  ];
  const found = changing(assess(outside, { ranges: ["198.51.100.0/24"] }).awaited);
  expect(found).toMatchObject([{ addresses: 2, later: 1, newest: at(90) }]);
});

test("addresses without a name are edges, not news behind one", () => {
  const nameless = REPLACED.map((one) => {
    const { names: _, ...destination } = one.edge.destination;
    return { ...one, edge: { ...one.edge, destination } };
  });
  expect(changing(assess(nameless).awaited)).toEqual([]);
});

test("in whatever order histories come, at every level", () => {
  const all = [...BUSY, ...REPLACED, calls("203.0.113.9", range(3, 130), "cdn.example.com")];
  const more = [...all, calls("203.0.113.8", range(100, 130), "cdn.example.com")];
  fc.assert(
    fc.property(
      fc.shuffledSubarray(more, { minLength: more.length }),
      fc.constantFrom("workload", "group", "application"),
      (histories, level) => {
        const input = {
          watch: watching(DAYS),
          inventory: inventoryOf(),
          schedules: [],
          dependencies: [],
          now: at(130),
          level,
        } as const;
        const found = assessReadiness({ ...input, histories });
        expect(found).toEqual(assessReadiness({ ...input, histories: more }));
        expect(found.flatMap(({ awaited }) => changing(awaited))).toHaveLength(2);
      },
    ),
    { numRuns: 20 },
  );
});

test("nearly a whole week that nobody looked at is the rest of it", () => {
  const few = (hours: number) =>
    assessReadiness({
      histories: BUSY.map((one) => ({
        ...one,
        days: [{ day: at(0) / 86_400_000, hours, connections: 9 }],
      })),
      watch: [],
      inventory: inventoryOf(),
      schedules: [],
      dependencies: [],
      now: at(0, 23),
      level: "group",
    }).flatMap(({ calendar }) =>
      calendar.flatMap(({ kind, text }) => (kind === "hour-of-week" ? [text] : [])),
    );
  expect(new Set(few(1))).toEqual(new Set(["the rest of the week"]));
  expect(new Set(few(ALL_DAY))).toEqual(new Set(["the rest of the week"]));
});
