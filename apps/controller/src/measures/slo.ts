/**
 * M1 to M8 from what is on record: who is under policy, edges of a window, incidents, drift, hourly counts, and the last
 * measurement of latency. Pure; `docs/measures.md` defines each in words, and this file is what they mean.
 */
import type { Latency, MeasureView, SloAnswer, StatusAnswer } from "@bulkhead/api";
import type { Edge } from "@bulkhead/model";
import type { DriftEvent, Incident, Tally } from "@bulkhead/store";
import { DEFINITIONS, isMet, type MeasureId } from "./definitions.ts";
import { fingerprintOf, isDenied, isScan } from "./denied.ts";
import { delaysOf } from "./alert-delay.ts";

export interface SloInput {
  readonly now: number;
  readonly since: number;
  /** When the first flow was recorded; absent when none was. */
  readonly oldest?: number;
  readonly coverage: StatusAnswer["coverage"];
  /** Modes of workloads now, by id. */
  readonly modes: Readonly<Record<string, "observe" | "audit" | "enforce">>;
  /** Of the window, own probes left out. */
  readonly edges: readonly Edge[];
  readonly incidents: readonly Incident[];
  readonly drift: readonly DriftEvent[];
  readonly tallies: readonly Tally[];
  readonly latency: Latency | undefined;
}

export const WEEK_MS = 604_800_000;

interface Found {
  readonly value: number | null;
  readonly reason?: string;
  readonly parts: Readonly<Record<string, number>>;
  readonly from?: number;
  readonly until?: number;
}

export function sloOf(input: SloInput): SloAnswer {
  const { now, since, incidents } = input;
  return {
    at: now,
    since,
    measures: (Object.keys(MEASURES) as MeasureId[]).map((id) => {
      const { value, reason, parts, from = since, until = now } = MEASURES[id](input);
      const definition = DEFINITIONS[id];
      const state = value === null ? "unknown" : isMet(definition, value) ? "ok" : "burning";
      return {
        ...definition,
        value,
        state,
        ...(reason === undefined ? {} : { reason }),
        from,
        until,
        parts: { ...parts },
      } satisfies MeasureView;
    }),
    incidents: incidents.map((one) => ({ ...one })),
  };
}

const connectionsOf = (edges: readonly Edge[]): number =>
  edges.reduce((sum, { connections }) => sum + connections, 0);

/** What was ever on its way: packets that could not be read tell of no connection. */
const realOf = (edges: readonly Edge[]): readonly Edge[] =>
  edges.filter(({ verdict }) => verdict !== "error");

const MEASURES: Readonly<Record<MeasureId, (input: SloInput) => Found>> = {
  M1: coverage,
  M2: unauthorized,
  M3: repair,
  M4: drift,
  M5: latency,
  M6: installs,
  M7: falseDenies,
  M8: alerts,
};

function coverage({ coverage: now, modes, edges, now: at }: SloInput): Found {
  const { workloads, underPolicy, enforced } = now;
  const real = realOf(edges);
  const touching = (which: readonly string[]): number =>
    connectionsOf(
      real.filter((edge) =>
        [edge.source, edge.destination].some(
          ({ workload = "" }) => modes[workload] !== undefined && which.includes(modes[workload]),
        ),
      ),
    );
  const parts = {
    workloads,
    underPolicy,
    enforced,
    connections: touching(["observe", "audit", "enforce"]),
    connectionsUnderPolicy: touching(["audit", "enforce"]),
    connectionsEnforced: touching(["enforce"]),
  };
  return workloads === 0
    ? { value: null, reason: "no workload is known", parts, from: at }
    : { value: underPolicy / workloads, parts, from: at };
}

/** What was denied and, as a person or a later revision said, should not have been. */
function confirmedIn(incidents: readonly Incident[]): (edge: Edge) => boolean {
  const subjects = new Set(
    incidents.flatMap(({ kind, subject }) => (kind === "false-deny" ? [subject] : [])),
  );
  return (edge) => subjects.has(fingerprintOf(edge));
}

function unauthorized({ edges, incidents }: SloInput): Found {
  const real = realOf(edges);
  const wasWrong = confirmedIn(incidents);
  const connections = connectionsOf(real);
  const denied = real.filter(isDenied);
  const unexpected = denied.filter((edge) => !isScan(edge) && !wasWrong(edge));
  const parts = {
    connections,
    denied: connectionsOf(denied),
    unexpected: connectionsOf(unexpected),
    wouldDeny: connectionsOf(real.filter(({ verdict }) => verdict === "audit")),
  };
  return connections === 0
    ? { value: null, reason: "no flow was recorded in this time", parts }
    : { value: parts.unexpected / connections, parts };
}

function repair({ incidents, now }: SloInput): Found {
  const ended = incidents.filter((one) => one.endedAt !== undefined);
  const open = incidents.filter((one) => one.endedAt === undefined);
  const means = Map.groupBy(ended, ({ kind }) => kind);
  const parts: Record<string, number> = { ended: ended.length, open: open.length };
  let worst = 0;
  for (const [kind, ones] of means) {
    const seconds =
      ones.reduce((sum, one) => sum + Math.max(0, (one.endedAt ?? now) - one.detectedAt), 0) /
      ones.length /
      1000;
    parts[kind] = seconds;
    worst = Math.max(worst, seconds);
  }
  const oldest = Math.max(0, ...open.map(({ detectedAt }) => now - detectedAt)) / 1000;
  if (open.length > 0) parts["oldestOpen"] = oldest;
  if (incidents.length === 0) return { value: null, reason: "nothing had to be repaired", parts };
  // What is not repaired yet has taken so long already.
  const value = Math.max(worst, oldest);
  return open.length === 0
    ? { value, parts }
    : { value, reason: `${open.length} not repaired yet`, parts };
}

function drift({ drift: events, since, now, oldest }: SloInput): Found {
  const unlike = events.filter((event, at) => {
    const before = events.slice(0, at).findLast(({ host }) => host === event.host);
    // What was not repaired and is found again is the same drift.
    return before === undefined || before.repaired || before.actualDigest !== event.actualDigest;
  });
  // Less than a week is not made a week of: what was found is counted.
  const span = Math.max(WEEK_MS, now - Math.max(since, oldest ?? since));
  const repaired = unlike.filter((one) => one.repaired).length;
  return {
    value: (unlike.length * WEEK_MS) / span,
    parts: { events: unlike.length, repaired, left: unlike.length - repaired },
  };
}

function latency({ latency: found, now }: SloInput): Found {
  if (found === undefined) {
    return {
      value: null,
      reason: "not measured yet: `sudo bulkhead slo --measure-latency`",
      parts: {},
      from: now,
    };
  }
  const { exchange, connect, samples, entries, at } = found;
  return {
    value: exchange.withRules.p95 / exchange.without.p95 - 1,
    parts: {
      withP95: exchange.withRules.p95 / 1e6,
      withoutP95: exchange.without.p95 / 1e6,
      connectWithP95: connect.withRules.p95 / 1e6,
      connectWithoutP95: connect.without.p95 / 1e6,
      samples,
      entries,
    },
    from: at,
    until: at,
  };
}

export const INSTALLS = { done: "installs_done", failed: "installs_failed" } as const;

export function tallied(tallies: readonly Tally[], name: string): number {
  return tallies.reduce((sum, one) => (one.name === name ? sum + one.count : sum), 0);
}

function installs({ tallies }: SloInput): Found {
  const failed = tallied(tallies, INSTALLS.failed);
  const attempts = failed + tallied(tallies, INSTALLS.done);
  const parts = { attempts, failed };
  return attempts === 0
    ? { value: null, reason: "nothing was put in force in this time", parts }
    : { value: failed / attempts, parts };
}

function falseDenies({ edges, incidents, coverage: { enforced } }: SloInput): Found {
  const denied = edges.filter(({ verdict }) => verdict === "dropped" || verdict === "rejected");
  const wrong = denied.filter(confirmedIn(incidents));
  const parts = { denied: connectionsOf(denied), falselyDenied: connectionsOf(wrong) };
  if (parts.denied > 0) return { value: parts.falselyDenied / parts.denied, parts };
  return enforced === 0
    ? { value: null, reason: "nothing is enforced, and nothing was denied", parts }
    : { value: 0, reason: "nothing was denied", parts };
}

function alerts({ tallies }: SloInput): Found {
  const { count, meanSeconds, p95Seconds } = delaysOf(tallies);
  if (count === 0)
    return { value: null, reason: "nothing was denied in this time", parts: { count } };
  return {
    value: meanSeconds,
    parts: { count, ...(p95Seconds === undefined ? {} : { p95Below: p95Seconds }) },
  };
}
