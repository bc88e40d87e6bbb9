import { describe, expect, it } from "vitest";
import { labels } from "../../worlds/baselines/labels.ts";
import { tuples } from "../../worlds/baselines/tuples.ts";
import { always, judge, pairsOf, rolesFound } from "../../worlds/judging.ts";
import type { Learned } from "../../worlds/method.ts";
import { ours } from "../../worlds/ours.ts";
import { db, job, tiny, web } from "./tiny.ts";

const HALF = 5;
const judged = (learned: Learned) => judge(tiny, always(learned, HALF), HALF, 10);

describe("a rule for each tuple, learned in five days and judged in five", () => {
  const learned = tuples.learn(tiny, HALF);

  it("denies the job that nobody saw, and allows the intruder whom it saw", () => {
    const verdicts = judged(learned);
    // Five days of web, one of the job, ten connections each.
    expect(verdicts.flows).toBe(60);
    expect(verdicts.denied).toEqual({ born: 0, drift: 0, address: 0, unseen: 10, refused: 0 });
    expect(verdicts.edges).toBe(2);
    expect(verdicts).toMatchObject({ intrusions: 2, admitted: 1 });
  });

  it("counts rules, and pairs that are needed and that are allowed", () => {
    expect(learned.rules).toBe(2);
    // Allowed: web to db, which is needed, and the intruder's job to web. Needed besides: job to db.
    expect(pairsOf(tiny, learned, HALF)).toEqual({ precision: 0.5, recall: 0.5 });
  });

  it("knows no roles", () => {
    expect(rolesFound(tiny, learned, HALF)).toBe(1); // each role has one copy
  });
});

it("what is denied since labels were repaired is the change of labels'", () => {
  const mistyped = { ...web, labels: { app: "wbe" }, span: [0, 6 * 24], drifted: true } as const;
  const repaired = { ...web, span: [6 * 24, 240] } as const;
  const tracks = tiny.tracks.flatMap((track) => {
    if (track.source !== web) return track;
    const [before, after] = [track.days.slice(0, 6), track.days.slice(6)];
    return [
      { ...track, source: mistyped, days: before },
      { ...track, source: repaired, days: after },
    ];
  });
  const phases = new Map(tiny.estate.phases).set(web.role.name, [mistyped, repaired]);
  const world = { ...tiny, tracks, estate: { ...tiny.estate, phases } };
  const { denied } = judge(world, always(labels.learn(world, HALF), HALF), HALF, 10);
  expect(denied).toMatchObject({ drift: 40, refused: 0 });
});

it("only who is confined is judged, and from its day on", () => {
  const learned = tuples.learn(tiny, HALF);
  const verdicts = judge(
    tiny,
    (phase) => (phase === web ? { day: 7, learned } : undefined),
    HALF,
    10,
  );
  // Web's own connections on days 7, 8 and 9; the job and the database are not confined.
  expect(verdicts.flows).toBe(30);
  expect(verdicts.denied.unseen).toBe(0);
  expect(verdicts).toMatchObject({ intrusions: 1, admitted: 1 });
});

it("groups by labels are told apart by what they say", () => {
  const { groupOf } = labels.learn(tiny, HALF);
  expect(groupOf({ ...web, workload: "t/another" })).toBe(groupOf(web));
  expect(groupOf(job)).not.toBe(groupOf(db));
});

it("our own is read back from its text and asked like any other", () => {
  const learned = ours.learn(tiny, HALF);
  const may = (source: typeof web, destination: typeof web, port: number) => {
    const { egress, ingress } = learned.answer({ source, destination, protocol: 6, port });
    return egress && ingress;
  };
  expect(may(web, db, 5432)).toBe(true);
  expect(may(web, db, 5433)).toBe(false);
  expect(may(job, db, 5432)).toBe(false);
  expect(judged(learned).denied.unseen).toBe(10);
});
