/** At which hours of the day (UTC) a role acts, if it keeps to any: whoever works around the clock has no hours to be outside of. */
import type { Habit } from "./habits.ts";

/** So many days of other habits are needed to speak of hours. */
const KNOWN_DAYS = 5;
/** Hours of a day that somebody keeps to are at most so many. */
const MOST_HOURS = 16;

/** Bit h: something was begun in that hour. Undefined where it keeps to none, or too little is known. */
export function actingHours(habits: readonly Habit[]): number | undefined {
  const days = habits.flatMap((habit) => habit.days);
  if (new Set(days.map(({ day }) => day)).size < KNOWN_DAYS) return undefined;
  const hours = days.reduce((mask, day) => mask | day.hours, 0);
  const count = hoursIn(hours).length;
  return count === 0 || count > MOST_HOURS ? undefined : hours;
}

/** `at 3:00 and 4:00 UTC`, if all of it was at other hours than those, not next to them either. */
export function outside({ days }: Habit, acting: number | undefined): string | undefined {
  if (acting === undefined || days.length === 0) return undefined;
  const wide = hoursIn(acting).reduce(
    (mask, hour) => mask | (1 << ((hour + 1) % 24)) | (1 << ((hour + 23) % 24)),
    acting,
  );
  const own = days.reduce((mask, day) => mask | day.hours, 0);
  if (own === 0 || (own & wide) !== 0) return undefined;
  const words = hoursIn(own).map((hour) => `${hour}:00`);
  const last = words.pop() ?? "";
  return `at ${words.length === 0 ? last : `${words.join(", ")} and ${last}`} UTC`;
}

function hoursIn(mask: number): readonly number[] {
  return Array.from({ length: 24 }, (_, hour) => hour).filter((hour) => (mask >> hour) & 1);
}
