/** From all that is on record to readiness: what is evidence is found first, and how much was not is told along. */
import { countHours, type EdgeHistory, type Readiness } from "@bulkhead/model";
import type { SuggestOptions } from "../suggest.ts";
import { acceptedHistories } from "./accepted.ts";
import { assessReadiness, type ReadinessInput } from "./assess.ts";
import { watchedOf } from "./watched.ts";

export interface ReadinessReport {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly level: ReadinessInput["level"];
  /** By name. */
  readonly subjects: Readiness[];
  /** Days on which anybody looked, and hours of them. */
  readonly watched: { readonly days: number; readonly hours: number };
  /** Edges that suggest a rule, and those set aside, which are no evidence. */
  readonly edges: number;
  readonly setAside: number;
}

/** `histories`: all of them but for our own probes. */
export function readinessReport(
  input: ReadinessInput,
  options: Pick<SuggestOptions, "namedSets"> = {},
): ReadinessReport {
  const { now, level, watch } = input;
  const histories: readonly EdgeHistory[] = acceptedHistories(
    input.histories,
    input.inventory,
    options,
  );
  const watched = watchedOf(watch, histories, now);
  return {
    at: now,
    level,
    subjects: [...assessReadiness({ ...input, histories })],
    watched: {
      days: watched.size,
      hours: [...watched.values()].reduce((sum, mask) => sum + countHours(mask), 0),
    },
    edges: histories.length,
    setAside: input.histories.length - histories.length,
  };
}
