/**
 * Which parts of the calendar nobody has looked at yet: hours of the week, days of the month, the turn of a month and that of
 * a quarter. Jobs that run then cannot have been seen, and no estimate from other days tells of them. All of it in UTC.
 */
import { countHours, DAY_MS, HOUR_MS, type CalendarGap } from "@bulkhead/model";
import type { Watched } from "./watched.ts";

/** A gap, and when it will have been looked at, if somebody looks. */
export interface Gap {
  readonly gap: CalendarGap;
  readonly over: number;
}

/** So many of its hours make a day one that was looked at. */
const MOST_HOURS = 18;

const WEEK_HOURS = 168;
/** From so many hours on, both ends of a gap tell less than that nearly all is missing. */
const MOST_OF_WEEK = 144;
const DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
/** Every month has these; what comes on the 29th and later is looked at with its end. */
const COMMON_DAYS = 28;

export function calendarGaps(watched: Watched, now: number): readonly Gap[] {
  const whole = (day: number): boolean => countHours(watched.get(day) ?? 0) >= MOST_HOURS;
  const gaps = [
    ...hourGaps(watched, now),
    ...dayGaps([...watched.keys()].filter(whole), now),
    ...turnGap("month-end", "the end of a month", 1, watched, whole, now),
    ...turnGap("quarter-end", "the end of a quarter", 3, watched, whole, now),
  ];
  return gaps.toSorted((a, b) => a.gap.next - b.gap.next || a.over - b.over);
}

/** Days since the epoch to days since Monday: the epoch was a Thursday. */
const weekday = (day: number): number => (((day + 3) % 7) + 7) % 7;

function hourGaps(watched: Watched, now: number): readonly Gap[] {
  const seen = new Set<number>();
  for (const [day, hours] of watched) {
    for (let hour = 0; hour < 24; hour++) {
      if ((hours & (1 << hour)) !== 0) seen.add(weekday(day) * 24 + hour);
    }
  }
  const nowHour = Math.floor(now / HOUR_MS);
  const thisHour = weekday(Math.floor(nowHour / 24)) * 24 + (nowHour % 24);
  return runsOf(WEEK_HOURS, (hour) => !seen.has(hour), true).map(({ from, length }) => {
    const until = (hour: number): number => (hour - thisHour + WEEK_HOURS) % WEEK_HOURS;
    const inside = (thisHour - from + WEEK_HOURS) % WEEK_HOURS < length;
    const next = inside ? now : (nowHour + until(from)) * HOUR_MS;
    const last = inside && length === WEEK_HOURS ? WEEK_HOURS : 0;
    return {
      gap: { kind: "hour-of-week", text: hoursText(from, length), next },
      // Where it is under way, what went by unseen of it comes again within a week.
      over: inside
        ? (nowHour + (last || WEEK_HOURS)) * HOUR_MS
        : (nowHour + until(from) + length) * HOUR_MS,
    };
  });
}

function hoursText(from: number, length: number): string {
  if (length === WEEK_HOURS) return "every hour of the week";
  if (length >= MOST_OF_WEEK) return "the rest of the week";
  const hour = (at: number): string => `${String(at % 24).padStart(2, "0")}:00`;
  const day = (at: number): string => DAYS[Math.floor(at / 24) % 7] ?? "";
  const end = from + length;
  const sameDay = Math.floor(from / 24) === Math.floor((end - 1) / 24);
  const until = sameDay
    ? end % 24 === 0
      ? "24:00"
      : hour(end)
    : end % 24 === 0
      ? `${day(end - 1)} 24:00`
      : `${day(end)} ${hour(end)}`;
  return `${day(from)} ${hour(from)}–${until} UTC`;
}

function dayGaps(whole: readonly number[], now: number): readonly Gap[] {
  const seen = new Set(whole.map((day) => new Date(day * DAY_MS).getUTCDate()));
  return runsOf(COMMON_DAYS, (index) => !seen.has(index + 1), false).map(({ from, length }) => {
    const [first, last] = [from + 1, from + length];
    const today = Math.floor(now / DAY_MS);
    const date = new Date(now).getUTCDate();
    const next = date >= first && date <= last ? now : nextDate(today, first) * DAY_MS;
    const text =
      first === last
        ? `the ${nth(first)} of a month`
        : `the ${nth(first)} to ${nth(last)} of a month`;
    // What of it went by unseen this month comes again with the next.
    const missed = date > first && date <= last;
    const final = missed ? nextDate(today, date - 1) : nextDate(today, last);
    return { gap: { kind: "day-of-month", text, next }, over: (final + 1) * DAY_MS };
  });
}

/** The day, from today on, that has this date. */
function nextDate(today: number, date: number): number {
  for (let day = today; ; day++) if (new Date(day * DAY_MS).getUTCDate() === date) return day;
}

export function nth(number: number): string {
  const tens = number % 100;
  const ending =
    tens >= 11 && tens <= 13 ? "th" : ({ 1: "st", 2: "nd", 3: "rd" }[number % 10] ?? "th");
  return `${number}${ending}`;
}

/** Both the last day and the first of the next month: jobs of the turn run on either. */
function turnGap(
  kind: "month-end" | "quarter-end",
  text: string,
  months: number,
  watched: Watched,
  whole: (day: number) => boolean,
  now: number,
): readonly Gap[] {
  const ends = (day: number): boolean => {
    const next = new Date((day + 1) * DAY_MS);
    return next.getUTCDate() === 1 && next.getUTCMonth() % months === 0;
  };
  for (const day of watched.keys()) {
    if (ends(day) && whole(day) && whole(day + 1)) return [];
  }
  const today = Math.floor(now / DAY_MS);
  // Under way, and looked at so far.
  let day = ends(today - 1) && whole(today - 1) ? today - 1 : today;
  while (!ends(day)) day++;
  return [{ gap: { kind, text, next: Math.max(now, day * DAY_MS) }, over: (day + 2) * DAY_MS }];
}

interface Run {
  readonly from: number;
  readonly length: number;
}

/** Runs of indexes that hold; around the end where `round`. */
function runsOf(count: number, holds: (index: number) => boolean, round: boolean): readonly Run[] {
  const all = Array.from({ length: count }, (_, index) => holds(index));
  if (all.every(Boolean)) return [{ from: 0, length: count }];
  const begin = round ? all.indexOf(false) : 0;
  const runs: Run[] = [];
  let length = 0;
  for (let step = 0; step <= count; step++) {
    const index = (begin + step) % count;
    if (step < count && all[index] === true) length++;
    else if (length > 0) {
      runs.push({ from: (begin + step - length) % count, length });
      length = 0;
    }
  }
  return runs;
}
