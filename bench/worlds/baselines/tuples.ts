/** A rule for every pair of ends and port that was answered, as a firewall's log made into rules gives it. */
import { daysWithin } from "../world.ts";
import { FIRST_DAY } from "../calendar.ts";
import type { Phase } from "../estate.ts";
import { placeOf, type Learned, type Method, type Question } from "../method.ts";
import type { Track } from "../traffic.ts";
import type { World } from "../world.ts";

/** Tracks that were seen before that day, and answered: nobody makes a rule of what failed. */
export const answeredBefore = (world: World, day: number, since = 0): readonly Track[] =>
  world.tracks.filter(
    ({ outcome, days }) =>
      outcome !== "failed" && daysWithin(days, FIRST_DAY + since, FIRST_DAY + day).length > 0,
  );

/** Rules between whoever is the same by `keyOf`, one for each port. */
export function learnByKey(
  world: World,
  day: number,
  keyOf: (phase: Phase) => string,
  isLiving: (phase: Phase) => boolean = () => true,
): Learned {
  const rule = ({ source, destination, protocol, port }: Question): string =>
    `${keyOf(source)}\n${keyOf(destination)}\n${protocol}/${port}`;
  const seen = answeredBefore(world, day);
  const rules = new Set(seen.map(rule));
  const living = seen.filter((track) => isLiving(track.source) && isLiving(track.destination));
  return {
    answer: (question) => {
      const allowed = rules.has(rule(question));
      return { egress: allowed, ingress: allowed };
    },
    rules: new Set(living.map(rule)).size,
    groupOf: keyOf,
  };
}

export const tuples: Method = {
  name: "rule per tuple",
  // Rules for who is gone are not counted against it.
  learn: (world, day) => learnByKey(world, day, placeOf, ({ span }) => span[1] > day * 24),
};
