/**
 * How complete the picture of a workload, a group or an application is: an estimate of what was not seen, with its interval;
 * what the calendar has not shown yet; and what is known to be missing by name.
 */
import type { ConfiguredDependency, Schedule } from "./expectation.ts";
import type { FlowFormat, FlowOrigin } from "./flow-origin.ts";
import type { SetAsideReason } from "./suggestion.ts";
import type { WorkloadId } from "./workload.ts";

/** 95 % unless said otherwise. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** Estimated from how often edges were seen in how many units of time (hours or days in which somebody was looking). */
export interface Unseen {
  /** Distinct edges that were seen. */
  readonly seen: number;
  /** Units of time: trials of the estimate. */
  readonly units: number;
  readonly unit: "hour" | "day";
  /** Edges seen in exactly one unit, and in exactly two: what the estimates stand on. */
  readonly once: number;
  readonly twice: number;
  /** Probability that the next edge that comes along is one never seen (Good–Turing), and its interval. */
  readonly mass: number;
  readonly massInterval: Interval;
  /** How many edges there are besides (Chao2, a lower bound by its nature), and its interval. */
  readonly edges: number;
  readonly edgesInterval: Interval;
  /** Of all connections, the share that belongs to edges never seen: what they would lose if all else were denied. */
  readonly flows: number;
  readonly flowsInterval: Interval;
}

/** A part of the calendar that was looked at, or was not. */
export interface CalendarGap {
  readonly kind: "hour-of-week" | "day-of-month" | "month-end" | "quarter-end";
  /** `Saturday 02:00–06:00 UTC`, `the 1st of a month`, `the end of a quarter`. */
  readonly text: string;
  /** When it comes next, milliseconds since the epoch. */
  readonly next: number;
}

export type Awaited =
  | { readonly kind: "schedule"; readonly schedule: Schedule }
  | { readonly kind: "dependency"; readonly dependency: ConfiguredDependency }
  | ({ readonly kind: "addresses" } & ChangingName)
  | ({ readonly kind: "doubt" } & DoubtfulEdge);

/** Looks real and does not fit: a policy made of what was seen will deny it, until a person says that it is needed. */
export interface DoubtfulEdge {
  /** As a person accepts or rejects it: `shop/web → shop/db 5432/tcp`. */
  readonly edge: string;
  readonly reason: SetAsideReason;
  /** One sentence for the person who decides. */
  readonly detail: string;
  readonly connections: number;
  /** Milliseconds since the epoch. */
  readonly firstSeen: number;
  readonly lastSeen: number;
}

/** A name in DNS behind which new addresses keep coming: a policy that holds those seen will deny the next. */
export interface ChangingName {
  readonly name: string;
  readonly protocol: number;
  readonly port: number;
  /** Distinct ones that were seen, and how many of them came after the first day. */
  readonly addresses: number;
  readonly later: number;
  /** Days that were looked at since it was called first. */
  readonly days: number;
  /** Begin of the day (UTC) on which a new one came last, milliseconds since the epoch. */
  readonly newest: number;
  /** Of all connections, the share estimated to go to addresses behind it that were never seen. */
  readonly flows: number;
}

/** How much of what was seen of a subject one way of looking told of. Several may tell of the same. */
export interface OriginShare {
  readonly format: FlowFormat;
  /** Shares of the subject's edges, and of its connections. */
  readonly edges: number;
  readonly connections: number;
  /** Share of its connections that nobody else told of. */
  readonly alone: number;
}

export type ReadinessState = "learning" | "ready" | "ready-except";

export interface ReadinessSubject {
  readonly kind: "workload" | "group" | "application";
  /** `shop/web-1`, `shop/web`, `shop`. */
  readonly name: string;
  readonly workloads: readonly WorkloadId[];
}

export interface Readiness {
  readonly subject: ReadinessSubject;
  readonly state: ReadinessState;
  readonly unseen: Unseen;
  /** What of the calendar nobody has looked at yet, soonest first. */
  readonly calendar: readonly CalendarGap[];
  /** Named one by one, soonest first; those without a date last. */
  readonly awaited: readonly Awaited[];
  /** Doubtful edges awaited besides: the latest few are named. Absent: none. */
  readonly moreDoubts?: number;
  /** When it will be ready if all goes on as it does, and all that is awaited with a date has come. Absent: no date can be given. */
  readonly readyAt?: number;
  /** Of what is still learning: when it will be ready but for what the calendar has not shown, and for what is awaited by name. */
  readonly exceptAt?: number;
  /** Of what is still learning, and too young for any date: not sooner than this, since so many days have to be looked at. */
  readonly notBefore?: number;
  /** Why there is no date, or why the date is what it is: one sentence. */
  readonly reason: string;
  /** Ways of looking that leave something out; empty where every connection was told of. */
  readonly weakened: readonly FlowOrigin[];
  /** Who told of it, our own collectors too, the most telling first. Absent: these alone. */
  readonly told?: readonly OriginShare[];
  readonly firstSeen?: number;
  readonly lastSeen?: number;
}
