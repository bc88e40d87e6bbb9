/** Doubtful edges hold readiness back until a person, or a rule in force, has answered for them. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Awaited, EdgeHistory, Readiness } from "@bulkhead/model";
import {
  readinessReport,
  suggest,
  type DoubtAnswers,
  type ReadinessInput,
} from "../../src/index.ts";
import { edge, inventoryOf, workload } from "../shop.ts";
import { at, range, seen, watching } from "./worlds.ts";

/** Past a turn of a quarter, so that nothing of the calendar is awaited. */
const DAYS = range(0, 100);
const COPIES = [1, 2, 3, 4];
const PEERS = Array.from({ length: 16 }, (_, index) => `peer-${index + 1}`);
const known = [
  ...COPIES.map((copy) => workload(`web-${copy}`, copy + 1, { app: "web" })),
  workload("db", 20, { app: "db" }),
  ...PEERS.map((name, index) => workload(name, 30 + index, { app: name })),
];
const inventory = inventoryOf(known);

function history(
  from: string,
  to: string,
  port: string,
  days: readonly number[],
  over: Parameters<typeof seen>[4] = {},
): EdgeHistory {
  const { edge: placeless, days: own } = seen("web", "db", "1/tcp", days, over);
  const { connections, firstSeen, lastSeen, windows } = placeless;
  return {
    edge: edge(from, to, port, { connections, firstSeen, lastSeen, windows }, 4, known),
    days: own,
  };
}

const usual = COPIES.map((copy) => history(`web-${copy}`, "db", "5432/tcp", DAYS));
/** One copy of four, on two days, in the first half: `lone`. */
const rare = (to: string, copy = 1, days: readonly number[] = [20, 30]): EdgeHistory =>
  history(`web-${copy}`, to, "8080/tcp", days, { daily: 1, windows: days.length });

function report(
  more: readonly EdgeHistory[],
  answers: DoubtAnswers = {},
  over: Partial<ReadinessInput> = {},
): readonly Readiness[] {
  return readinessReport(
    {
      histories: [...usual, ...more],
      watch: watching(DAYS),
      inventory,
      schedules: [],
      dependencies: [],
      now: at(100),
      level: "group",
      ...over,
    },
    {},
    answers,
  ).subjects;
}

const of = (name: string, subjects: readonly Readiness[]): Readiness =>
  subjects.find(({ subject }) => subject.name === name)!;

type Doubt = Extract<Awaited, { kind: "doubt" }>;
const doubtsOf = ({ awaited }: Readiness): readonly Doubt[] =>
  awaited.filter((one) => one.kind === "doubt");

describe("a doubtful edge", () => {
  const EDGE = "shop/web → shop/peer-1 8080/tcp";

  it("makes `ready` of `ready except`, and is named with what speaks against it", () => {
    expect(of("shop/web", report([])).state).toBe("ready");
    const web = of("shop/web", report([rare("peer-1")]));
    expect(web.state).toBe("ready-except");
    expect(web.readyAt).toBeUndefined();
    expect(web.reason).toBe("a doubtful edge waits for a person's word");
    expect(web.awaited).toEqual([
      {
        kind: "doubt",
        edge: EDGE,
        reason: "lone",
        detail: "`shop/web-1` did it a few times, and none of the 3 others of its role ever did",
        connections: 2,
        firstSeen: at(20),
        lastSeen: at(30, 1),
      },
    ]);
  });

  it("waits at both its ends, of workloads at the one who did it", () => {
    const groups = report([rare("peer-1")]);
    expect(doubtsOf(of("shop/peer-1", groups))).toHaveLength(1);
    expect(doubtsOf(of("shop/db", groups))).toEqual([]);
    const workloads = report([rare("peer-1")], {}, { level: "workload" });
    const holders = workloads.filter((one) => doubtsOf(one).length > 0);
    expect(holders.map(({ subject }) => subject.name)).toEqual(["shop/peer-1", "shop/web-1"]);
  });

  it.each([
    ["accepted as a whole", { accept: [EDGE] }],
    [
      "accepted with another arrow, by its ends",
      { accept: ["shop/web-1 -> shop/peer-1 8080/tcp"] },
    ],
    ["rejected as a whole", { reject: [EDGE] }],
    ["rejected by its ends", { reject: ["shop/web-1 -> shop/peer-1  8080/tcp"] }],
    ["allowed by a rule in force", { ruled: () => "allow" }],
    ["denied by a rule in force", { ruled: () => "deny" }],
  ] satisfies readonly (readonly [string, DoubtAnswers])[])(
    "that is %s is not awaited",
    (_, said) => {
      const web = of("shop/web", report([rare("peer-1")], said));
      expect(web).toMatchObject({ state: "ready", awaited: [] });
    },
  );

  it("counts as seen once it is accepted or allowed, and no more once it is rejected or denied", () => {
    const seenBy = (said: DoubtAnswers): number =>
      of("shop/web", report([rare("peer-1")], said)).unseen.seen;
    expect(seenBy({})).toBe(2);
    expect(seenBy({ accept: [EDGE] })).toBe(2);
    expect(seenBy({ ruled: () => "allow" })).toBe(2);
    expect(seenBy({ reject: [EDGE] })).toBe(1);
    expect(seenBy({ ruled: () => "deny" })).toBe(1);
  });

  it("is not answered by a word on another port or peer, nor by a rule on something else", () => {
    const web = of(
      "shop/web",
      report([rare("peer-1")], {
        accept: ["shop/web → shop/peer-1 8081/tcp"],
        reject: ["shop/web → shop/peer-2 8080/tcp"],
        ruled: ({ port }) => (port === 5432 ? "allow" : undefined),
      }),
    );
    expect(doubtsOf(web)).toHaveLength(1);
  });

  it("is told of with a count where there are many, the latest first", () => {
    const many = PEERS.slice(0, 13).map((name, index) => rare(name, 1, [10, 20 + index]));
    const web = of("shop/web", report(many));
    expect(web).toMatchObject({ moreDoubts: 3 });
    expect(doubtsOf(web)).toHaveLength(10);
    expect(doubtsOf(web)[0]?.edge).toBe("shop/web → shop/peer-13 8080/tcp");
    expect(web.reason).toBe("13 doubtful edges wait for a person's word");
  });

  it("leaves a date for all the rest where somebody is still learning", () => {
    const young = of(
      "shop/web",
      report([rare("peer-1", 1, [3])], {}, { watch: watching(range(0, 10)), now: at(10) }),
    );
    expect(young).toMatchObject({ state: "learning", exceptAt: at(17) });
    expect(young.readyAt).toBeUndefined();
    expect(young.reason).toContain("; a doubtful edge waits for a person's word");
  });
});

it("all that is doubtful and not answered is awaited, and nothing else is", () => {
  const doubtful = fc.record({
    peer: fc.constantFrom(...PEERS),
    copy: fc.constantFrom(...COPIES),
    days: fc.uniqueArray(fc.integer({ min: 0, max: 99 }), { minLength: 1, maxLength: 30 }),
    answer: fc.constantFrom("none", "accept", "reject", "allow", "deny"),
  });
  fc.assert(
    fc.property(
      fc.uniqueArray(doubtful, { selector: ({ peer }) => peer, maxLength: 16 }),
      (all) => {
        const more = all.map(({ peer, copy, days }) => rare(peer, copy, days));
        const histories = [...usual, ...more];
        const answerTo = new Map(all.map(({ peer, answer }) => [`shop/${peer}`, answer]));
        const named = (answer: string): readonly string[] =>
          all
            .filter((one) => one.answer === answer)
            .map(({ peer }) => `shop/web → shop/${peer} 8080/tcp`);
        const expected = suggest(
          histories.map((one) => one.edge),
          inventory,
          { history: histories },
        )
          .setAside.filter(({ reason }) => ["lone", "first-ever", "off-hours"].includes(reason))
          .filter(({ edge: { destination } }) => answerTo.get(destination.name) === "none")
          .map(({ habit }) => habit);
        const ruled: DoubtAnswers["ruled"] = ({ destination }) => {
          const answer = answerTo.get(destination.name);
          return answer === "allow" || answer === "deny" ? answer : undefined;
        };
        const subjects = report(more, { accept: named("accept"), reject: named("reject"), ruled });
        const web = of("shop/web", subjects);
        expect(doubtsOf(web).length + (web.moreDoubts ?? 0)).toBe(expected.length);
        expect(web.state === "ready" && expected.length > 0).toBe(false);
        // Each peer has one alone, so that none of theirs is left out.
        const told = subjects
          .filter(({ subject }) => subject.name !== "shop/web")
          .flatMap((one) => doubtsOf(one).map((doubt) => doubt.edge));
        expect(told.toSorted()).toEqual(expected.toSorted());
      },
    ),
    { numRuns: 60 },
  );
});
