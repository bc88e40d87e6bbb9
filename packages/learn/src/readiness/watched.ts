/**
 * When anybody looked. Hours in which records came in, by who sent them, and those in which an edge is known to have begun; what
 * claims to be of the future is a clock that is wrong, and counts for nothing. Whoever never told of somebody does not see him,
 * so that his hours are silence of nobody: each is watched by those who told of him, since they first did. All times are UTC.
 */
import {
  countHours,
  DAY_MS,
  EVERY_HOUR,
  formatsOf,
  HOUR_MS,
  type EdgeHistory,
  type FlowFormat,
  type Watch,
} from "@bulkhead/model";

/** Hours (bit h) by days since the epoch, ascending. */
export type Watched = ReadonlyMap<number, number>;

/** Of a day, as far as it has come: none of a day to come. */
export function hoursUntil(now: number, day: number): number {
  const over = Math.floor((now - day * DAY_MS) / HOUR_MS);
  if (over < 0) return 0;
  return over >= 23 ? EVERY_HOUR : (1 << (over + 1)) - 1;
}

export interface Watchers {
  /** By anybody. */
  readonly all: Watched;
  /** By any of these, or by who is not known; one and the same for the same of them. */
  of(formats: ReadonlySet<FlowFormat>): Watched;
  /** By each of these since its own hour (milliseconds since the epoch), and by who is not known since the first of them. */
  since(firsts: ReadonlyMap<FlowFormat, number>): Watched;
}

/** `anybody`: nobody knows who it was. */
type Watcher = FlowFormat | "anybody";

export function watchersOf(
  watch: readonly Watch[],
  histories: readonly EdgeHistory[],
  now: number,
): Watchers {
  const found = new Map<Watcher, Map<number, number>>();
  const ownOf = (who: Watcher): Map<number, number> => {
    const own = found.get(who) ?? new Map<number, number>();
    found.set(who, own);
    return own;
  };
  const look = (own: Map<number, number>, day: number, mask: number): void => {
    const seen = mask & hoursUntil(now, day);
    if (day >= 0 && seen !== 0) own.set(day, (own.get(day) ?? 0) | seen);
  };
  for (const { day, hours, by = {} } of watch) {
    let rest = hours;
    for (const [format, mask] of Object.entries(by) as [FlowFormat, number][]) {
      look(ownOf(format), day, mask);
      rest &= ~mask;
    }
    look(ownOf("anybody"), day, rest);
  }
  for (const { edge, days } of histories) {
    for (const format of formatsOf(edge)) {
      const own = ownOf(format);
      for (const { day, hours } of days) look(own, day, hours);
    }
  }
  const known = new Map<string, Watched>();
  return {
    all: union([...found.values()]),
    of(formats) {
      const key = [...formats].toSorted().join(" ");
      const own = known.get(key) ?? union(watchingOf([...formats, "anybody"], found));
      known.set(key, own);
      return own;
    },
    since(firsts) {
      const first = Math.min(...firsts.values());
      const all: (readonly [Watcher, number])[] = [...firsts, ["anybody", first]];
      return union(
        all.flatMap(([who, since]) =>
          watchingOf([who], found).map((watched) => watchedSince(watched, since)),
        ),
      );
    },
  };
}

const watchingOf = (
  who: readonly Watcher[],
  found: ReadonlyMap<Watcher, Watched>,
): readonly Watched[] => who.flatMap((one) => found.get(one) ?? []);

function union(all: readonly Watched[]): Watched {
  const hours = new Map<number, number>();
  for (const one of all)
    for (const [day, mask] of one) hours.set(day, (hours.get(day) ?? 0) | mask);
  return new Map([...hours].toSorted(([a], [b]) => a - b));
}

/** From an hour on. */
function watchedSince(watched: Watched, since: number): Watched {
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

export const hoursIn = (watched: Watched): number =>
  [...watched.values()].reduce((sum, mask) => sum + countHours(mask), 0);
