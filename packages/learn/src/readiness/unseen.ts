/**
 * From how often each edge was seen to what was not seen. A unit of time is a trial, an edge seen in it an incidence.
 *
 * `mass` is the share, of the incidences that a unit of time like those brings on average, that is of edges never seen so
 * far: Σ p over edges unseen, divided by Σ p over all, where p is the chance of an edge to be seen in a unit. `flows` is the
 * same, each incidence weighed by its connections. Both hold as long as time to come is like the time that was looked at;
 * what comes by the calendar, and did not come yet, is told apart.
 */
import type { Interval, Unseen } from "@bulkhead/model";
import { hiddenEdges } from "./chao.ts";
import { coverageDeficit, missedAgain, unseenInterval, Z95 } from "./mass.ts";

export interface UnseenOptions {
  readonly unit?: Unseen["unit"];
  /** Connections of each edge in all its units together, in the order of the incidences. Absent: one an incidence. */
  readonly connections?: readonly number[];
  /** Edges that come along together, on average over edges: 1 where each comes by itself. See `togetherOf`; absent: nobody knows. */
  readonly together?: number;
  /** One packet in so many was looked at: that much more may have been missed. */
  readonly sampling?: number;
}

/** All that the estimates are made of. */
export interface Tally {
  readonly units: number;
  readonly seen: number;
  readonly once: number;
  readonly twice: number;
  /** Incidences, and connections. */
  readonly total: number;
  readonly carried: number;
  /** Connections of edges that were seen once. */
  readonly carriedOnce: number;
  /** Squares of connections in one unit of edges that were seen in two. */
  readonly carriedTwice: number;
  /** Connections that an edge not seen so far would bring at once. */
  readonly weight: number;
  readonly together: number;
  readonly sampling: number;
}

/** `incidences`: in how many units each edge was seen, 1 to `units`. What is seen in none, or is no number, counts for nothing. */
export function unseenOf(
  incidences: readonly number[],
  units: number,
  options: UnseenOptions = {},
): Unseen {
  return estimate(tallyOf(incidences, units, options), options.unit);
}

export function tallyOf(
  incidences: readonly number[],
  units: number,
  { connections, together = COMPANY, sampling = 1 }: UnseenOptions,
): Tally {
  const trials = Number.isFinite(units) ? Math.max(0, Math.floor(units)) : 0;
  const edges = incidences.flatMap((incidence, index) => {
    const count = Math.min(Math.floor(incidence), trials);
    return count >= 1 ? [{ count, weight: connections?.[index] ?? count }] : [];
  });
  const singles = edges.filter(({ count }) => count === 1);
  const doubles = edges.filter(({ count }) => count === 2);
  return {
    units: trials,
    seen: edges.length,
    once: singles.length,
    twice: doubles.length,
    total: edges.reduce((sum, { count }) => sum + count, 0),
    carried: edges.reduce((sum, { weight }) => sum + weight, 0),
    carriedOnce: singles.reduce((sum, { weight }) => sum + weight, 0),
    carriedTwice: doubles.reduce((sum, { weight }) => sum + (weight / 2) ** 2, 0),
    weight: weightOfRare(edges, trials),
    together: Math.max(1, together),
    sampling: Math.max(1, sampling),
  };
}

export function estimate(tally: Tally, unit: Unseen["unit"] = "day"): Unseen {
  const { units, seen, once, twice, total, carried, carriedOnce, together, sampling } = tally;
  const chao = hiddenEdges({ seen, once, twice, total, units, together });
  const mass = coverageDeficit(once, twice, total, units);
  // What the correction for doubletons leaves of Good and Turing's own holds of connections, too.
  const left = once === 0 ? 0 : mass / (once / total);
  const flows = carried === 0 || units < 2 ? mass : (carriedOnce / carried) * left;
  const least = together * leastHidden(chao.interval.low / together);
  const none = least / (chao.edges || 1);
  const intervalOf = (
    value: number,
    counted: { readonly once: number; readonly twiceSquared: number; readonly total: number },
    scale: number,
  ): Interval => {
    if (units < 2) return { low: 0, high: 1 };
    const { low, high } = unseenInterval({ ...counted, scale });
    return {
      low: Math.min(value, low * Math.min(1, none)),
      // Of what comes so seldom that it may be missed whole, a sample shows one in so many.
      high: Math.max(value, Math.min(1, high * sampling)),
    };
  };
  return {
    seen,
    units,
    unit,
    once,
    twice,
    mass,
    massInterval: intervalOf(mass, { once, twiceSquared: twice * together, total }, together),
    edges: chao.edges,
    edgesInterval: {
      low: least,
      high: Math.max(chao.interval.high, mostAlike(once, together)) * sampling,
    },
    flows,
    flowsInterval: intervalOf(
      flows,
      { once: carriedOnce, twiceSquared: tally.carriedTwice * together, total: carried },
      together * tally.weight,
    ),
  };
}

/**
 * What it would be after so many units more, if all goes on as it does: what is not seen shrinks by the same factor with each
 * (Chao & Jost 2012, Ecology 93:2533, extrapolation of coverage), and what is seen grows with time.
 */
export function later(tally: Tally, more: number): Tally {
  const { units, once, twice, total, carried } = tally;
  const now = estimate(tally);
  const growth = (units + more) / units;
  const decay = once === 0 ? 0 : missedAgain(once, twice, units) ** more;
  return {
    ...tally,
    units: units + more,
    total: total * growth,
    carried: carried * growth,
    once: now.mass * decay * total * growth,
    carriedOnce: now.flows * decay * carried * growth,
    twice: twice * decay,
    carriedTwice: tally.carriedTwice * decay,
  };
}

/** How many new edges are to be expected between so many and so many units from now, by the same extrapolation. */
export function newBetween(tally: Tally, from: number, until: number): number {
  const { once, twice, units } = tally;
  if (once === 0) return 0;
  const missed = missedAgain(once, twice, units);
  // A single one by itself tells of a rate alone: one in so many units.
  if (missed === 1) return (until - from) / units;
  return hiddenEdges(tally).edges * (missed ** from - missed ** until);
}

/** There may be fewer hidden than are to be expected, down to none: the low end of a Poisson number. */
const leastHidden = (expected: number): number => Math.max(0, expected - Z95 * Math.sqrt(expected));

/** As many edges as were seen once may be missing that are as rare, and as many more as chance allows of what comes together. */
const mostAlike = (once: number, together: number): number => {
  const half = (Z95 ** 2 * together) / 2;
  return once + half + Math.sqrt(2 * half * once + half ** 2);
};

interface Weighed {
  readonly count: number;
  readonly weight: number;
}

/** From so many on, edges tell what to expect of others like them; fewer tell only that as much, or a little more, may come as with any of them. */
const TELLING = 10;
const RAREST = 5;

/**
 * Connections that an edge not seen so far would bring in a unit: as many as those have that were seen in at most half of the
 * units, on average over connections (Σw²/Σw); where there is no more than one of these, as the rarest have.
 */
function weightOfRare(edges: readonly Weighed[], units: number): number {
  const seldom = edges.filter(({ count }) => count <= Math.max(2, units / 2));
  const rarest = edges.toSorted((a, b) => a.count - b.count || b.weight - a.weight);
  const rare = seldom.length > 1 ? seldom : rarest.slice(0, RAREST);
  const most = rare.reduce((max, { count, weight }) => Math.max(max, weight / count), 1);
  if (rare.length < TELLING) return most * (1 + 2 / Math.max(2, rare.length));
  const sum = rare.reduce((total, { weight }) => total + weight, 0);
  const squares = rare.reduce((total, { count, weight }) => total + weight * (weight / count), 0);
  return sum === 0 ? 1 : Math.max(1, squares / sum);
}

/** Edges that somebody brings who comes for the first time, where nothing tells: a job, say, with its database and where it reports to. */
const COMPANY = 3;

/**
 * How many edges came along together: `firsts` has the unit in which each edge was first seen. Those of the first unit are
 * left out, since all that is common is first seen then. Σn²/Σn over the units, so that a job with ten edges counts as ten;
 * one that nobody saw is counted in, so that little evidence does not pass for independence.
 */
export function togetherOf(firsts: readonly number[]): number {
  const begin = firsts.reduce((least, unit) => Math.min(least, unit), Infinity);
  const counts = new Map<number, number>();
  for (const unit of firsts) if (unit !== begin) counts.set(unit, (counts.get(unit) ?? 0) + 1);
  let [sum, squares] = [COMPANY, COMPANY ** 2];
  for (const count of counts.values()) {
    sum += count;
    squares += count * count;
  }
  return squares / sum;
}
