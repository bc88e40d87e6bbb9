/** Who looked, and at whom: hours of an import are nobody's but theirs of whom it told. */
import { AGENT_ORIGIN, type EdgeHistory, type FlowOrigin, type Watch } from "@bulkhead/model";
import { describe, expect, it } from "vitest";
import { readinessReport, type ReadinessInput } from "../../src/index.ts";
import { evidenceOf } from "../../src/evidence.ts";
import { inventoryOf } from "../shop.ts";
import { ALL_DAY, at, MONDAY, range, seen } from "./worlds.ts";

const AWS: FlowOrigin = { format: "aws-vpc", sampling: 1, aggregation: 60_000, direction: "told" };
const ZEEK: FlowOrigin = { format: "zeek", sampling: 1, aggregation: 0, direction: "told" };

const by = (days: readonly number[], own: Watch["by"]): readonly Watch[] =>
  days.map((day) => ({
    day: MONDAY + day,
    hours: ALL_DAY,
    ...(own === undefined ? {} : { by: own }),
  }));
const agent = (days: readonly number[]) => by(days, { agent: ALL_DAY });
const aws = (days: readonly number[]) => by(days, { "aws-vpc": ALL_DAY });

const told = (history: EdgeHistory, ...origins: readonly FlowOrigin[]): EdgeHistory => ({
  ...history,
  edge: { ...history.edge, origins },
});
/** Called on these days, as one told of it. */
const checkout = (days: readonly number[], ...origins: readonly FlowOrigin[]): EdgeHistory => {
  const history = seen("checkout", "cache", "6379/tcp", days);
  return origins.length === 0 ? history : told(history, ...origins);
};

function report(histories: readonly EdgeHistory[], over: Partial<ReadinessInput>) {
  return readinessReport({
    histories,
    watch: [],
    inventory: inventoryOf(),
    schedules: [],
    dependencies: [],
    now: at(60),
    level: "group",
    ...over,
  });
}

const units = (histories: readonly EdgeHistory[], watch: readonly Watch[]): number | undefined =>
  report(histories, { watch }).subjects.find(({ subject }) => subject.name === "shop/checkout")
    ?.unseen.units;

describe("a subject is watched by those who told of it", () => {
  it.each([
    ["our collectors' silence does not count for whom an import alone saw", [AWS], 21],
    ["an import's silence does not count for whom our collectors alone saw", [], 41],
    ["nor does that of another import: hours of its two days", [ZEEK], 48],
    ["both count for whom both saw", [AWS, AGENT_ORIGIN], 60],
  ] as const)("%s", (_, origins, expected) => {
    // Both ends of its life are days of either.
    const watch = [...aws(range(0, 21)), ...agent([0, ...range(20, 60)])];
    expect(units([checkout([0, 20], ...origins)], watch)).toBe(expected);
  });

  it("each counts since it first told: not for the time before", () => {
    const histories = [
      checkout([0, 20], AWS),
      told(seen("checkout", "db", "5432/tcp", [40, 50]), AGENT_ORIGIN),
    ];
    const watch = [...aws(range(0, 21)), ...agent(range(0, 60))];
    expect(units(histories, watch)).toBe(21 + 20);
  });

  it("hours of nobody knows whom count for everybody", () => {
    const watch = [...by(range(0, 30), undefined), ...agent(range(30, 60))];
    expect(units([checkout([0, 20], AWS)], watch)).toBe(30);
  });

  it("a job that ran while others alone looked was not seen to run", () => {
    const input = (watch: readonly Watch[]): Partial<ReadinessInput> => ({
      watch,
      schedules: [
        {
          name: "timer backup.timer",
          kind: "systemd-timer",
          expression: "monthly",
          workload: "shop/checkout",
          lastRun: at(30, 3),
          nextRun: at(61),
        },
      ],
    });
    const awaited = (watch: readonly Watch[]): number =>
      report([checkout([0, 20])], input(watch)).subjects.flatMap((one) => one.awaited).length;
    expect(awaited(agent(range(0, 60)))).toBe(0);
    expect(awaited([...agent(range(0, 21)), ...aws(range(21, 60))])).toBe(1);
  });

  it("the report tells hours that imports alone looked at", () => {
    const { watched } = report([checkout([0, 20], AWS)], {
      watch: [...aws(range(0, 30)), ...agent(range(20, 60))],
    });
    expect(watched).toEqual({ days: 60, hours: 60 * 24, importedHours: 20 * 24 });
  });
});

describe("how much rests on whom", () => {
  const sharesOf = (histories: readonly EdgeHistory[]) =>
    report(histories, { watch: agent(range(0, 60)) }).subjects.find(
      ({ subject }) => subject.name === "shop/checkout",
    )?.told;

  it("is told where imports told, and not where our collectors alone did", () => {
    expect(sharesOf([checkout([0, 20])])).toBeUndefined();
    expect(sharesOf([checkout([0, 20], AWS)])).toEqual([
      { format: "aws-vpc", edges: 1, connections: 1, alone: 1 },
    ]);
  });

  it("in shares of edges and connections, and of what nobody else told of", () => {
    const histories = [
      checkout(range(0, 6), AWS, AGENT_ORIGIN),
      told(seen("checkout", "db", "5432/tcp", range(0, 2)), AWS),
      seen("checkout", "metrics", "9100/tcp", range(0, 2)),
    ];
    expect(sharesOf(histories)).toEqual([
      { format: "agent", edges: 2 / 3, connections: 0.8, alone: 0.2 },
      { format: "aws-vpc", edges: 2 / 3, connections: 0.8, alone: 0.2 },
    ]);
  });

  it("evidence tells of edges that none of our own collectors saw", () => {
    const [ours, both, theirs] = [
      checkout([0]),
      checkout([0], AWS, AGENT_ORIGIN),
      checkout([0], ZEEK, AWS),
    ].map(({ edge }) => edge);
    expect(evidenceOf([ours!, both!]).imported).toBeUndefined();
    expect(evidenceOf([ours!, both!, theirs!]).imported).toEqual({
      formats: ["aws-vpc", "zeek"],
      edges: 1,
      connections: 1000,
    });
  });
});
