/**
 * How complete the picture of everybody is: what the numbers say of what was not seen, what the calendar has not shown, and
 * what is awaited by name; and from these a state and a date. `docs/readiness.md` has the definitions in words.
 */
import {
  AGENT_ORIGIN,
  DAY_MS,
  HOUR_MS,
  type Awaited,
  type Cidr,
  type ConfiguredDependency,
  type EdgeHistory,
  type FlowFormat,
  type FlowOrigin,
  type Inventory,
  type Readiness,
  type ReadinessState,
  type Schedule,
  type Unseen,
  type Watch,
} from "@bulkhead/model";
import { by } from "../order.ts";
import { awaitedBy, dateOf } from "./awaited.ts";
import { calendarGaps, type Gap } from "./calendar.ts";
import { changingNames } from "./changing.ts";
import { awaitedDoubts, type Doubts } from "./doubts.ts";
import { LEAST_DAYS, MOST_FLOWS, QUIET_DAYS } from "./limits.ts";
import { firstTold, sharesOf } from "./origins.ts";
import { sightOf } from "./sight.ts";
import { placeSubjects, type Level, type Subject } from "./subjects.ts";
import { estimate, later, newBetween, tallyOf, togetherOf, type Tally } from "./unseen.ts";
import { hoursIn, watchersOf, type Watched, type Watchers } from "./watched.ts";

export interface ReadinessInput {
  /** Of edges that suggest a rule alone: a scan is no evidence, and nobody waits for the next. See `acceptedHistories`. */
  readonly histories: readonly EdgeHistory[];
  readonly watch: readonly Watch[];
  /** Empty: everybody who was seen. */
  readonly inventory: Inventory;
  readonly schedules: readonly Schedule[];
  readonly dependencies: readonly ConfiguredDependency[];
  /** Of the histories, those that wait for a person's word, by their very edges. Absent: everything was answered for. */
  readonly doubts?: Doubts;
  /** As wide as a person said: addresses in these are no news, whenever they were seen. Absent: none. */
  readonly ranges?: readonly Cidr[];
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly level: Level;
}

/** From so many days on, a day is the unit of time; before, an hour. */
export const LEAST_DAYS_AS_UNITS = 7;
/** Further than this nobody can see. */
const HORIZON_DAYS = 730;

/** One for each subject, by name. */
export function assessReadiness(input: ReadinessInput): readonly Readiness[] {
  const { histories, inventory, level, now } = input;
  const watchers = watchersOf(input.watch, histories, now);
  const placing = placeSubjects(histories, inventory, level);
  const awaited = awaitedBy(input.schedules, input.dependencies, placing, watchers, level, now);
  const eras = erasOf(watchers, now);
  const known = new Set(placing.subjects.map(({ subject }) => subject.name));
  const strangers = [...awaited.keys()]
    .filter((name) => !known.has(name))
    .map((name): Subject => ({
      subject: { kind: level, name, workloads: [] },
      edges: new Map(),
      named: new Map(),
      nameless: false,
    }));
  return [...placing.subjects, ...strangers]
    .map((subject) => readinessOf(subject, awaited.get(subject.subject.name) ?? [], eras, input))
    .toSorted(by(({ subject }) => subject.name));
}

/** What was looked at since each way of looking first told of somebody, kept for all of whom that is the same. */
interface Era {
  readonly watched: Watched;
  readonly hours: number;
  readonly gaps: readonly Gap[];
}

type Eras = (firsts: ReadonlyMap<FlowFormat, number>) => Era;

function erasOf(watchers: Watchers, now: number): Eras {
  const eras = new Map<string, Era>();
  return (firsts) => {
    const key = [...firsts].toSorted(by(([format]) => format)).join(" ");
    const known = eras.get(key);
    if (known !== undefined) return known;
    const own = watchers.since(firsts);
    const era = { watched: own, hours: hoursIn(own), gaps: calendarGaps(own, now) };
    eras.set(key, era);
    return era;
  };
}

function readinessOf(
  { subject, edges, named, nameless }: Subject,
  expected: readonly Awaited[],
  eras: Eras,
  { doubts = NO_DOUBTS, ranges = [], now }: Pick<ReadinessInput, "doubts" | "ranges" | "now">,
): Readiness {
  const sights = [...edges.values()].flatMap((own) => sightOf(own, now));
  const firstHour = sights.reduce((least, sight) => Math.min(least, sight.firstHour), Infinity);
  if (!Number.isFinite(firstHour)) {
    return {
      subject,
      state: "learning",
      unseen: estimate(tallyOf([], 0, {}), "hour"),
      calendar: [],
      awaited: expected,
      reason: nameless
        ? "no label tells what it is, so that no rule could name it"
        : "nothing was seen of it yet that a rule could rest on",
      weakened: [],
    };
  }
  const era = eras(firstTold(edges, firstHour * HOUR_MS, now));
  const days = era.watched.size;
  const unit: Unseen["unit"] = days >= LEAST_DAYS_AS_UNITS ? "day" : "hour";
  const weakened = weakenedOf(edges);
  const tally = tallyOf(
    sights.map((sight) => (unit === "day" ? sight.days : sight.hours)),
    unit === "day" ? days : era.hours,
    {
      connections: sights.map((sight) => sight.connections),
      together: togetherOf(sights.map((s) => (unit === "day" ? s.firstDay : s.firstHour))),
      sampling: weakened.reduce((most, { sampling }) => Math.max(most, sampling), 1),
    },
  );
  const unseen = estimate(tally, unit);
  const newest = sights.reduce((most, { firstDay }) => Math.max(most, firstDay), -Infinity);
  const quiet = [...era.watched.keys()].filter((day) => day > newest).length;
  const settled = isSettled(unseen, quiet, tally.sampling);
  const changing =
    unit === "day"
      ? changingNames({
          named,
          edges,
          days: [...era.watched.keys()],
          sampling: tally.sampling,
          ranges,
          now,
        })
      : [];
  const doubtful = awaitedDoubts(edges.values(), doubts);
  // They have no date, and so come last.
  const awaited = [...expected, ...changing, ...doubtful.named];
  const waits = era.gaps.length > 0 || awaited.length > 0;
  const state: ReadinessState = settled ? (waits ? "ready-except" : "ready") : "learning";
  const seen = [...edges.values()].flat();
  const told = sharesOf(edges);
  return {
    subject,
    state,
    unseen,
    calendar: era.gaps.map(({ gap }) => gap),
    awaited,
    ...(doubtful.more === 0 ? {} : { moreDoubts: doubtful.more }),
    ...datesOf({
      tally,
      unseen,
      quiet,
      settled,
      era,
      awaited,
      moreDoubts: doubtful.more,
      firstHour,
      now,
    }),
    weakened,
    ...(told.length === 0 ? {} : { told }),
    firstSeen: seen.reduce((least, { edge }) => Math.min(least, edge.firstSeen), Infinity),
    lastSeen: seen.reduce((most, { edge }) => Math.max(most, edge.lastSeen), -Infinity),
  };
}

/** `quiet`: days that were looked at since the last new edge. Of `sampling` days that bring something new, a sample shows one. */
function isSettled(unseen: Unseen, quiet: number, sampling: number): boolean {
  return (
    unseen.unit === "day" &&
    unseen.units >= LEAST_DAYS &&
    unseen.flows <= MOST_FLOWS &&
    (unseen.flowsInterval.high <= MOST_FLOWS || quiet >= QUIET_DAYS * sampling)
  );
}

const NO_DOUBTS: Doubts = new Map();

interface Case {
  readonly tally: Tally;
  readonly unseen: Unseen;
  readonly quiet: number;
  readonly settled: boolean;
  readonly era: Era;
  readonly awaited: readonly Awaited[];
  readonly moreDoubts: number;
  readonly firstHour: number;
  readonly now: number;
}

type Dates = Pick<Readiness, "readyAt" | "exceptAt" | "notBefore" | "reason">;

function datesOf(item: Case): Dates {
  const { settled, era, awaited, moreDoubts, now } = item;
  const dateless = awaited.filter((one) => dateOf(one) === undefined);
  const coming = [...awaited.map((one) => dateOf(one) ?? 0), ...era.gaps.map(({ over }) => over)];
  const last = Math.max(0, ...coming);
  if (settled) {
    if (last === 0 && dateless.length === 0)
      return { readyAt: now, reason: "all that is needed was seen" };
    if (dateless.length > 0) return { reason: datelessText(dateless, moreDoubts) };
    return { readyAt: last, reason: "by then all that is awaited has come" };
  }
  const settling = settlesAt(item);
  if (settling.at === undefined) return settling;
  const { at, reason } = settling;
  if (dateless.length > 0)
    return { exceptAt: at, reason: `${reason}; ${datelessText(dateless, moreDoubts)}` };
  return { exceptAt: at, readyAt: Math.max(at, last), reason };
}

function datelessText(awaited: readonly Awaited[], moreDoubts: number): string {
  const coming = awaited.filter(({ kind }) => kind !== "doubt");
  const doubts = awaited.length - coming.length + moreDoubts;
  return [
    ...(coming.length === 0 ? [] : [comingText(coming)]),
    ...(doubts === 0
      ? []
      : [
          doubts === 1
            ? "a doubtful edge waits for a person's word"
            : `${doubts} doubtful edges wait for a person's word`,
        ]),
  ].join(", and ");
}

const comingText = (awaited: readonly Awaited[]): string =>
  awaited.every(({ kind }) => kind === "addresses")
    ? "new addresses keep coming behind a name it calls"
    : awaited.length === 1
      ? "nobody can tell when what it waits for will come"
      : `nobody can tell when ${awaited.length} of what it waits for will come`;

type Settling =
  | { readonly at: number; readonly reason: string }
  | { readonly at?: undefined; readonly notBefore?: number; readonly reason: string };

/** By extrapolation, as far as so few days allow it. */
function settlesAt({ tally, unseen, quiet, era, firstHour, now }: Case): Settling {
  const days = era.watched.size;
  const lived = Math.floor(now / DAY_MS) - Math.floor(firstHour / 24);
  // Where nobody looked on some days, as many will be lost of those to come.
  const pace = Math.max(1, lived / days);
  const after = (more: number): number => now + Math.ceil(more * pace) * DAY_MS;
  if (unseen.unit === "hour") {
    const looked = `${days === 1 ? "one day was" : `${days} days were`} looked at`;
    return {
      notBefore: after(LEAST_DAYS - days),
      reason: `${looked}, and ${LEAST_DAYS} have to be`,
    };
  }
  for (let more = 1; more <= HORIZON_DAYS; more = more < 60 ? more + 1 : Math.ceil(more * 1.1)) {
    const needed = QUIET_DAYS * tally.sampling;
    // Days to come are quiet where less than one new edge is to be expected.
    const stays = newBetween(tally, Math.max(0, more - needed), more) < 1;
    const still = stays ? quiet + more : 0;
    if (!isSettled(estimate(later(tally, more)), still, tally.sampling)) continue;
    return { at: after(more), reason: whyNot(unseen, quiet, tally.sampling) };
  }
  return {
    reason: `${whyNot(unseen, quiet, tally.sampling)}, and at this pace it would take more than two years`,
  };
}

function whyNot(unseen: Unseen, quiet: number, sampling: number): string {
  if (unseen.units < LEAST_DAYS)
    return `${unseen.units} days were looked at, and ${LEAST_DAYS} have to be`;
  const share = (value: number): string => `${Number((value * 100).toPrecision(2))} %`;
  if (unseen.flows > MOST_FLOWS) {
    return `new edges still come, with some ${share(unseen.flows)} of its connections`;
  }
  const days = quiet === 1 ? "day" : "days";
  return `it brought a new edge ${quiet} ${days} ago, and ${QUIET_DAYS * sampling} quiet ones have to pass`;
}

/** Ways of looking that left something out, of edges that nobody told of who saw all. */
function weakenedOf(edges: Subject["edges"]): readonly FlowOrigin[] {
  const found = new Map<string, FlowOrigin>();
  for (const own of edges.values()) {
    for (const { edge } of own) {
      const origins = edge.origins ?? [AGENT_ORIGIN];
      if (origins.some(isWhole)) continue;
      for (const origin of origins) found.set(JSON.stringify(origin), origin);
    }
  }
  return [...found].toSorted(by(([key]) => key)).map(([, origin]) => origin);
}

const isWhole = ({ sampling, aggregation, direction }: FlowOrigin): boolean =>
  sampling <= 1 && direction === "told" && aggregation <= HOUR_MS;
