/**
 * When anybody looked. Hours in which records came in, whoever sent them, and those in which an edge is known to have begun;
 * what claims to be of the future is a clock that is wrong, and counts for nothing. All times are UTC.
 */
import { DAY_MS, EVERY_HOUR, HOUR_MS, type EdgeHistory, type Watch } from "@bulkhead/model";

/** Hours (bit h) by days since the epoch, ascending. */
export type Watched = ReadonlyMap<number, number>;

/** Of a day, as far as it has come: none of a day to come. */
export function hoursUntil(now: number, day: number): number {
  const over = Math.floor((now - day * DAY_MS) / HOUR_MS);
  if (over < 0) return 0;
  return over >= 23 ? EVERY_HOUR : (1 << (over + 1)) - 1;
}

export function watchedOf(
  watch: readonly Watch[],
  histories: readonly EdgeHistory[],
  now: number,
): Watched {
  const hours = new Map<number, number>();
  const look = (day: number, mask: number): void => {
    const seen = mask & hoursUntil(now, day);
    if (day >= 0 && seen !== 0) hours.set(day, (hours.get(day) ?? 0) | seen);
  };
  for (const { day, hours: mask } of watch) look(day, mask);
  for (const { days } of histories) for (const { day, hours: mask } of days) look(day, mask);
  return new Map([...hours].toSorted(([a], [b]) => a - b));
}

/** From an hour on. */
export function watchedSince(watched: Watched, since: number): Watched {
  const first = Math.floor(since / DAY_MS);
  const hour = Math.floor((since - first * DAY_MS) / HOUR_MS);
  const own = new Map<number, number>();
  for (const [day, hours] of watched) {
    const left = day === first ? hours & (EVERY_HOUR << hour) : hours;
    if (day >= first && left !== 0) own.set(day, left);
  }
  return own;
}

export const isWatched = (watched: Watched, at: number): boolean => {
  const day = Math.floor(at / DAY_MS);
  const hour = Math.floor((at - day * DAY_MS) / HOUR_MS);
  return ((watched.get(day) ?? 0) & (1 << hour)) !== 0;
};
