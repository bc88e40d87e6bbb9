import {
  DAY_MS,
  type Edge,
  type EdgeDay,
  type EdgeHistory,
  type SetAsideReason,
} from "@bulkhead/model";
import { describe, expect, it } from "vitest";
import { suggest, type SuggestOptions } from "../src/index.ts";
import { edge, inventoryOf, workload } from "./shop.ts";

const START = 20_000 * DAY_MS;
const MONTH = 30;
const known = [
  ...[1, 2, 3, 4].map((copy) => workload(`web-${copy}`, copy + 1, { app: "web" })),
  workload("db", 20, { app: "db" }),
  workload("cache", 21, { app: "cache" }),
  workload("vault", 22, { app: "vault" }),
  workload("audit", 23, { app: "audit" }),
  workload("single", 24, { app: "single" }),
  ...["a", "b", "c"].map((one, at) => workload(`shard-${one}`, 25 + at, { app: `shard-${one}` })),
];
const world = inventoryOf(known);

interface When {
  /** Days after the beginning. */
  readonly from?: number;
  readonly to?: number;
  readonly every?: number;
  readonly hours?: readonly number[];
  readonly connections?: number;
  readonly over?: Partial<Edge>;
}

const WORK = [8, 9, 10, 11, 12, 13, 14, 15, 16, 17];
const ALWAYS = Array.from({ length: 24 }, (_, hour) => hour);

function seen(from: string, to: string, port: string, when: When = {}): EdgeHistory {
  const { from: first = 0, to: last = MONTH - 1, every = 1, hours = WORK } = when;
  const { connections = hours.length, over = {} } = when;
  const days: EdgeDay[] = [];
  for (let day = first; day <= last; day += every) {
    const mask = hours.reduce((bits, hour) => bits | (1 << hour), 0);
    days.push({ day: 20_000 + day, hours: mask, connections });
  }
  const total = days.reduce((sum, day) => sum + day.connections, 0);
  const made = edge(
    from,
    to,
    port,
    {
      connections: total,
      windows: total,
      firstSeen: START + first * DAY_MS,
      lastSeen: START + (days.at(-1)!.day - 20_000 + 0.9) * DAY_MS,
      ...over,
    },
    4,
    known,
  );
  return { edge: made, days };
}

const webs = (to: string, port: string, when: When = {}): readonly EdgeHistory[] =>
  [1, 2, 3, 4].map((copy) => seen(`web-${copy}`, to, port, when));
const usual = [
  ...webs("db", "5432/tcp"),
  ...webs("cache", "6379/tcp"),
  seen("single", "db", "5432/tcp"),
];

function doubts(more: readonly EdgeHistory[], options: SuggestOptions = {}): readonly string[] {
  const history = [...usual, ...more];
  const { setAside } = suggest(
    history.map((one) => one.edge),
    world,
    { history, ...options },
  );
  return setAside.map(
    ({ reason, edge: { source, destination, port } }) =>
      `${reason}: ${source.name} → ${destination.name} ${port}`,
  );
}
const why = (more: readonly EdgeHistory[], reason: SetAsideReason): readonly string[] => {
  const history = [...usual, ...more];
  return suggest(
    history.map((one) => one.edge),
    world,
    { history },
  ).setAside.flatMap((item) => (item.reason === reason ? item.detail : []));
};

describe("needs that do not fit", () => {
  it("has no doubts about what is usual, however rare, if several copies do it", () => {
    const monthly = [1, 2].map((copy) =>
      seen(`web-${copy}`, "vault", "8200/tcp", { from: 14, to: 14, hours: [3] }),
    );
    expect(doubts(monthly)).toEqual([]);
  });

  it("sets aside what one of four does seldom, and says that the others never did", () => {
    const lone = [seen("web-2", "vault", "8200/tcp", { from: 3, to: 3, hours: [12] })];
    expect(doubts(lone)).toEqual(["lone: shop/web-2 → shop/vault 8200"]);
    expect(why(lone, "lone")).toEqual([
      "`shop/web-2` did it a few times, and none of the 3 others of its role ever did",
    ]);
  });

  it("takes pods that take each other's place for one copy", () => {
    const days = (copy: string, from: number, to: number): readonly EdgeHistory[] => [
      seen(copy, "db", "5432/tcp", { from, to }),
      seen(copy, "cache", "6379/tcp", { from, to }),
    ];
    // Two generations of two.
    const replaced = [
      ...days("web-1", 0, 60),
      ...days("web-2", 0, 60),
      ...days("web-3", 60, 120),
      ...days("web-4", 60, 120),
    ];
    const visit = (copy: string, from: number, to: number) =>
      seen(copy, "vault", "8200/tcp", { from, to, every: 18 });
    const asideOf = (more: readonly EdgeHistory[]) => {
      const history = [...replaced, ...more];
      const { setAside } = suggest(
        history.map((one) => one.edge),
        world,
        { history },
      );
      return setAside.map(({ reason, edge: { source } }) => `${reason} ${source.name}`);
    };
    // On seven days always one of two: one in sixty-four, which may be chance. On eight it is less than one in a hundred.
    expect(asideOf([visit("web-1", 2, 38), visit("web-3", 64, 118)])).toEqual([]);
    const all = [visit("web-1", 2, 56), visit("web-3", 64, 118)];
    expect(asideOf(all)).toEqual(["lone shop/web-1", "lone shop/web-3"]);
    // Both of a generation do it: it is how they are made.
    expect(asideOf([...all, visit("web-4", 80, 80)])).toEqual([]);
  });

  it("calls late what somebody begins who took another's place in an old role", () => {
    const working = (copy: string, from: number, to: number) =>
      seen(copy, "db", "5432/tcp", { from, to });
    const visit = seen("web-3", "vault", "8200/tcp", { from: 22, to: 22 });
    const doubted = (history: readonly EdgeHistory[]) =>
      suggest(
        history.map((one) => one.edge),
        world,
        { history },
      ).setAside.map(({ reason }) => reason);
    const before = [working("web-1", 0, 20), working("web-2", 0, 20)];
    const since = [working("web-3", 20, 29), working("web-4", 20, 29)];
    expect(doubted([...before, ...since, visit])).toEqual(["first-ever"]);
    // Nobody was there before them: the role is as new as what it does.
    expect(doubted([seen("single", "db", "5432/tcp"), ...since, visit])).toEqual([]);
  });

  it("lets the leader lead: one copy alone, day by day from the beginning", () => {
    expect(doubts([seen("web-1", "vault", "8200/tcp", { from: 1 })])).toEqual([]);
  });

  it("sets aside what one copy began late, even if it then does it daily", () => {
    const late = [seen("web-3", "vault", "8200/tcp", { from: 20 })];
    expect(doubts(late)).toEqual(["first-ever: shop/web-3 → shop/vault 8200"]);
    expect(why(late, "first-ever")).toEqual([
      "`shop/web-3` did it first 20 days after watching began, often, and none of the 3 others of its role ever did",
    ]);
  });

  it("sets aside what one of two copies has begun of late, though it did it on many of its few days", () => {
    const pair = (to: string, port: string, from = 0): readonly EdgeHistory[] =>
      [1, 2].map((copy) => seen(`web-${copy}`, to, port, { from, to: 97 }));
    // Four days of fourteen: an intruder who has just come, with two to five calls a week.
    const visits = (copy: number): EdgeHistory =>
      seen(`web-${copy}`, "vault", "8200/tcp", { from: 84, to: 96, every: 4, hours: [11] });
    const doubted = (more: readonly EdgeHistory[]): readonly string[] => {
      const history = [...pair("db", "5432/tcp"), ...more];
      const { setAside } = suggest(
        history.map((one) => one.edge),
        world,
        { history },
      );
      return setAside.map(({ reason, detail }) => `${reason}: ${detail}`);
    };
    expect(doubted([visits(2)])).toEqual([
      "first-ever: `shop/web-2` did it first 84 days after watching began, often, and the other of its role never did",
    ]);
    // A new version of both is not one copy alone.
    expect(doubted([visits(1), visits(2)])).toEqual([]);
    expect(doubted(pair("vault", "8200/tcp", 84))).toEqual([]);
  });

  it("sets aside what one copy alone began after the beginning, before the half of the picture and often", () => {
    const visit = (copy: string, from: number, every = 3): EdgeHistory =>
      seen(copy, "vault", "8200/tcp", { from, every, hours: [11] });
    // On six of the eighteen days since; nobody else of four.
    expect(doubts([visit("web-2", 12)])).toEqual(["first-ever: shop/web-2 → shop/vault 8200"]);
    // So often, and from the beginning: a leader's habit.
    expect(doubts([visit("web-2", 2)])).toEqual([]);
    // The other leads for a while.
    expect(doubts([visit("web-2", 12), visit("web-4", 20)])).toEqual([]);
  });

  it("does not hold it against a copy that came late itself, nor against whoever has no others", () => {
    const fresh = [seen("single", "vault", "8200/tcp", { from: 20 })];
    expect(doubts(fresh)).toEqual([]);
  });

  it("calls several new peers one by one a search, of a workload without others too", () => {
    const slow = ["vault", "audit", "cache"].map((to, at) =>
      seen("single", to, "22/tcp", { from: 18 + 3 * at, to: 18 + 3 * at, hours: [11] }),
    );
    expect(doubts(slow)).toEqual([
      "fan-out: shop/single → shop/audit 22",
      "fan-out: shop/single → shop/cache 22",
      "fan-out: shop/single → shop/vault 22",
    ]);
  });

  it("sets aside what one copy does at night when its role sleeps", () => {
    const night = [seen("web-1", "vault", "8200/tcp", { from: 5, to: 6, hours: [2, 3] })];
    expect(why(night, "off-hours")).toEqual([
      "`shop/web-1` did it only at 2:00 and 3:00 UTC, when its role is else never seen to act, and none of the 3 others of its role ever did",
    ]);
    expect(doubts(webs("vault", "8200/tcp", { from: 5, to: 6, hours: [2] }))).toEqual([]);
  });

  it("knows calls home by their hours, their number and their size", () => {
    const small = { bytes: 24 * 29 * 900, packets: 24 * 29 * 8 };
    const home = { hours: ALWAYS, over: small };
    expect(doubts([seen("web-1", "203.0.113.7", "443/tcp", home)])).toEqual([
      "beacon: shop/web-1 → world 443",
    ]);
    // All copies do: it is how they are made. And whoever has much to say does not only call home.
    expect(doubts(webs("203.0.113.7", "443/tcp", home))).toEqual([]);
    expect(
      doubts([seen("web-1", "203.0.113.7", "443/tcp", { hours: ALWAYS, over: { bytes: 9e9 } })]),
    ).toEqual([]);
    expect(doubts([seen("web-1", "203.0.113.7", "123/udp", home)])).toEqual([]);
  });

  it("allows what a person has accepted, by group or by the two ends", () => {
    const lone = [seen("web-2", "vault", "8200/tcp", { from: 3, to: 3, hours: [12] })];
    for (const accept of ["shop/web → shop/vault 8200/tcp", "shop/web-2 -> shop/vault 8200/tcp"]) {
      expect(doubts(lone, { accept: [accept] })).toEqual([]);
    }
    expect(doubts(lone, { accept: ["shop/web → shop/db 8200/tcp"] })).toHaveLength(1);
  });

  it("says nothing of a picture of less than three days, and nothing of hours without a history", () => {
    const short = [
      ...webs("db", "5432/tcp", { to: 1 }),
      seen("web-2", "vault", "8200/tcp", { to: 0 }),
    ];
    const edges = short.map((one) => one.edge);
    expect(suggest(edges, world, { history: short }).setAside).toEqual([]);
    const night = [...usual, seen("web-1", "vault", "8200/tcp", { from: 5, to: 6, hours: [2, 3] })];
    const blind = suggest(
      night.map((one) => one.edge),
      world,
    ).setAside;
    expect(blind.map(({ reason }) => reason)).toEqual(["lone"]);
  });

  describe("of a role of one copy, by those who do the same under other names", () => {
    const shards = ["shard-a", "shard-b", "shard-c"].flatMap((shard) => [
      seen(shard, "db", "5433/tcp"),
      ...webs(shard, "7000/tcp"),
    ]);
    const visits = seen("shard-b", "vault", "8200/tcp", { from: 12, every: 6 });

    it("doubts what none of them does, seldom, and begun when it had long been known", () => {
      expect(doubts([...shards, visits])).toEqual(["lone: shop/shard-b → shop/vault 8200"]);
      expect(why([...shards, visits], "lone")).toEqual([
        "`shop/shard-b` did it a few times, and none of the 2 others that do as it does ever did",
      ]);
    });

    it("has no doubts where another of them came to use the port as well, whomever it calls", () => {
      const other = seen("shard-c", "audit", "8200/tcp", { from: 20, every: 6 });
      expect(doubts([...shards, visits, other])).toEqual([]);
    });

    it("has none about what is as old as itself, and none where nobody does as it does", () => {
      const old = seen("shard-b", "vault", "8200/tcp", { from: 3, every: 6 });
      const unlike = seen("single", "vault", "8200/tcp", { from: 12, every: 6 });
      expect(doubts([...shards, old])).toEqual([]);
      expect(doubts([...shards, unlike])).toEqual([]);
    });
  });

  it("proposes no rule that allows what was set aside", () => {
    const history = [...usual, seen("web-2", "vault", "8200/tcp", { from: 3, to: 3 })];
    const found = suggest(
      history.map((one) => one.edge),
      world,
      { history },
    );
    expect(found.covered).toEqual([]);
    expect(found.rules.map(({ name }) => name)).toEqual(["clients-to-db-5432", "web-to-cache"]);
  });
});
