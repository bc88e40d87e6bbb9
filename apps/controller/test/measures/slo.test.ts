/** M1 to M8 of what is on record: each as `docs/measures.md` defines it, from numbers that can be counted by hand. */
import { describe, expect, it } from "vitest";
import type { Latency } from "@bulkhead/api";
import type { Edge, FlowVerdict } from "@bulkhead/model";
import type { Tally } from "@bulkhead/store";
import { countsOf, delaysOf } from "../../src/measures/alert-delay.ts";
import { SCANNER_LABEL } from "../../src/measures/denied.ts";
import { sloOf, WEEK_MS, type SloInput } from "../../src/measures/slo.ts";
import { NOW } from "../fixtures.ts";

const HOUR = 3_600_000;

function edge(
  [from, to]: readonly [string, string],
  verdict: FlowVerdict,
  connections: number,
  more: Partial<Edge> = {},
): Edge {
  const end = (name: string) => ({ address: "10.9.0.1", workload: name, name, labels: {} });
  return {
    source: end(from),
    destination: end(to),
    protocol: 6,
    port: 5432,
    verdict,
    connections,
    established: 0,
    failed: 0,
    bytes: 0,
    packets: 0,
    firstSeen: NOW - HOUR,
    lastSeen: NOW - HOUR,
    windows: 1,
    ...more,
  };
}

const tallies = (counts: Readonly<Record<string, number>>): readonly Tally[] =>
  Object.entries(counts).map(([name, count]) => ({ hour: NOW, name, count }));

function slo(more: Partial<SloInput> = {}) {
  const answer = sloOf({
    now: NOW,
    since: NOW - WEEK_MS,
    oldest: NOW - 4 * WEEK_MS,
    coverage: { workloads: 0, underPolicy: 0, enforced: 0, ratio: 0, enforcedRatio: 0 },
    modes: {},
    edges: [],
    incidents: [],
    drift: [],
    tallies: [],
    latency: undefined,
    ...more,
  });
  return Object.fromEntries(answer.measures.map((one) => [one.id, one]));
}

it("knows nothing where there is nothing to know, and says why", () => {
  const told = Object.values(slo()).map(({ id, value, state, reason }) => [
    id,
    value,
    state,
    reason,
  ]);
  expect(told).toEqual([
    ["M1", null, "unknown", "no workload is known"],
    ["M2", null, "unknown", "no flow was recorded in this time"],
    ["M3", null, "unknown", "nothing had to be repaired"],
    ["M4", 0, "ok", undefined],
    ["M5", null, "unknown", "not measured yet: `sudo bulkhead slo --measure-latency`"],
    ["M6", null, "unknown", "nothing was put in force in this time"],
    ["M7", null, "unknown", "nothing is enforced, and nothing was denied"],
    ["M8", null, "unknown", "nothing was denied in this time"],
  ]);
});

it("M1: workloads under policy, and what share of connections touch them", () => {
  const { M1 } = slo({
    coverage: { workloads: 4, underPolicy: 3, enforced: 1, ratio: 0.75, enforcedRatio: 0.25 },
    modes: { "shop/web": "enforce", "shop/db": "audit", "shop/old": "observe" },
    edges: [
      edge(["shop/web", "world"], "forwarded", 10),
      edge(["world", "shop/db"], "forwarded", 20),
      edge(["world", "shop/old"], "forwarded", 30),
      edge(["world", "office"], "forwarded", 40),
    ],
  });
  expect(M1).toMatchObject({ value: 0.75, state: "burning", target: 0.9 });
  expect(M1?.parts).toEqual({
    workloads: 4,
    underPolicy: 3,
    enforced: 1,
    connections: 60,
    connectionsUnderPolicy: 30,
    connectionsEnforced: 10,
  });
});

describe("M2", () => {
  const passing = edge(["shop/web", "shop/db"], "forwarded", 9_980);

  it("counts denied connections that nobody expected, among all", () => {
    const { M2 } = slo({
      edges: [
        passing,
        edge(["evil", "shop/db"], "dropped", 10),
        edge(["evil", "shop/web"], "rejected", 6),
        edge(["evil", "world"], "spoofed", 4),
        edge(["shop/web", "shop/new"], "audit", 100),
        edge(["shop/web", "shop/new"], "error", 1_000),
      ],
    });
    expect(M2?.parts).toEqual({ connections: 10_100, denied: 20, unexpected: 20, wouldDeny: 100 });
    expect(M2).toMatchObject({ value: 20 / 10_100, state: "burning" });
  });

  it("leaves out declared scanners, and what was confirmed as falsely denied", () => {
    const scanner = edge(["audit/scanner", "shop/db"], "dropped", 500);
    const { M2 } = slo({
      edges: [
        passing,
        { ...scanner, source: { ...scanner.source, labels: { [SCANNER_LABEL]: "true" } } },
        edge(["shop/report", "shop/db"], "dropped", 15),
        edge(["evil", "shop/db"], "dropped", 5),
      ],
      incidents: [
        {
          kind: "false-deny",
          subject: "shop/report → shop/db 5432/tcp",
          message: "",
          detectedAt: NOW - HOUR,
        },
      ],
    });
    expect(M2?.parts).toMatchObject({ connections: 10_500, denied: 520, unexpected: 5 });
    expect(M2?.state).toBe("ok");
  });
});

describe("M3", () => {
  const ended = (kind: "drift" | "false-deny", hours: number) => ({
    kind,
    subject: "x",
    message: "",
    detectedAt: NOW - 10 * HOUR,
    endedAt: NOW - (10 - hours) * HOUR,
  });

  it("is the worst kind's mean, so that repairs by machines do not hide people's", () => {
    const { M3 } = slo({
      incidents: [
        ended("drift", 0),
        ended("drift", 0),
        ended("false-deny", 5),
        ended("false-deny", 7),
      ],
    });
    expect(M3).toMatchObject({ value: 6 * 3600, state: "burning" });
    expect(M3?.parts).toEqual({ ended: 4, open: 0, drift: 0, "false-deny": 6 * 3600 });
  });

  it("counts what is not repaired yet with the time it has taken so far", () => {
    const open = { kind: "drift", subject: "y", message: "", detectedAt: NOW - 5 * HOUR } as const;
    const { M3 } = slo({ incidents: [ended("false-deny", 1), open] });
    expect(M3).toMatchObject({ value: 5 * 3600, state: "burning", reason: "1 not repaired yet" });
  });
});

it("M4: distinct drift in a week; what is left and found again is the same", () => {
  const found = (hours: number, actualDigest: string, repaired: boolean, host = "edge-1") => ({
    host,
    detectedAt: NOW - hours * HOUR,
    revision: 1,
    actualDigest,
    repaired,
  });
  const drift = [
    found(9, "a", true),
    found(8, "a", true),
    found(7, "b", false),
    found(6, "b", false),
    found(5, "c", false),
    found(5, "b", false, "edge-2"),
  ];
  expect(slo({ drift })["M4"]).toMatchObject({ value: 5, state: "burning" });
  const month = slo({ drift, since: NOW - 4 * WEEK_MS })["M4"];
  expect(month).toMatchObject({
    value: 5 / 4,
    state: "ok",
    parts: { events: 5, repaired: 2, left: 3 },
  });
});

it("M5: P95 with our rules beside without, of the last measurement", () => {
  const latency: Latency = {
    at: NOW - HOUR,
    exchange: { withRules: { p50: 20, p95: 30.6 }, without: { p50: 19, p95: 30 } },
    connect: { withRules: { p50: 60, p95: 80 }, without: { p50: 50, p95: 60 } },
    samples: 4000,
    entries: 100,
  };
  const { M5 } = slo({ latency });
  expect(M5?.value).toBeCloseTo(0.02);
  expect(M5?.parts).toMatchObject({ connectWithP95: 80e-6, connectWithoutP95: 60e-6 });
  expect(M5).toMatchObject({ state: "ok", from: NOW - HOUR, until: NOW - HOUR });
});

it("M6: failed among all attempts", () => {
  const { M6 } = slo({ tallies: tallies({ installs_done: 197, installs_failed: 3 }) });
  expect(M6).toMatchObject({ value: 0.015, state: "burning", parts: { attempts: 200, failed: 3 } });
});

describe("M7", () => {
  const coverage = { workloads: 2, underPolicy: 2, enforced: 2, ratio: 1, enforcedRatio: 1 };

  it("confirmed false denies among what was dropped or rejected", () => {
    const { M7 } = slo({
      coverage,
      edges: [
        edge(["evil", "shop/db"], "dropped", 9_990),
        edge(["evil", "shop/db"], "spoofed", 5_000),
        edge(["shop/report", "shop/db"], "rejected", 10),
      ],
      incidents: [
        {
          kind: "false-deny",
          subject: "shop/report → shop/db 5432/tcp",
          message: "",
          detectedAt: NOW - HOUR,
          endedAt: NOW,
        },
        { kind: "drift", subject: "evil → shop/db 5432/tcp", message: "", detectedAt: NOW },
      ],
    });
    expect(M7).toMatchObject({ value: 0.001, state: "burning" });
    expect(M7?.parts).toEqual({ denied: 10_000, falselyDenied: 10 });
  });

  it("is none where something is enforced and nothing was denied", () => {
    expect(slo({ coverage })["M7"]).toMatchObject({
      value: 0,
      state: "ok",
      reason: "nothing was denied",
    });
  });
});

it("M8: the mean of what hours counted, and the bound that most stay below", () => {
  const first = countsOf(800, 18);
  const second = countsOf(4_000_000, 2);
  const hours = [...tallies(first), ...tallies(second)];
  const { M8 } = slo({ tallies: hours });
  expect(M8).toMatchObject({ value: (18 * 0.8 + 2 * 4000) / 20, state: "ok" });
  expect(M8?.parts).toEqual({ count: 20 });
  expect(delaysOf(hours).below).toEqual(
    [1, 2, 3, 5, 10, 30, 60, 300, 900, 3600].map((bound) => [bound, 18]),
  );
  expect(slo({ tallies: tallies(countsOf(2_500, 1)) })["M8"]?.parts).toEqual({
    count: 1,
    p95Below: 3,
  });
});
