/** From all that is on record to readiness: what is evidence is found first, and how much was not is told along. */
import { countHours, type Readiness } from "@bulkhead/model";
import type { SuggestOptions } from "../suggest.ts";
import { weighHistories } from "./accepted.ts";
import { assessReadiness, type ReadinessInput } from "./assess.ts";
import type { DoubtAnswers } from "./doubts.ts";
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

/** `histories`: all of them but for our own probes; `answers`: what was said of those that do not fit. */
export function readinessReport(
  input: ReadinessInput,
  options: Pick<SuggestOptions, "namedSets"> = {},
  answers: DoubtAnswers = {},
): ReadinessReport {
  const { now, level, watch } = input;
  const { histories, doubts } = weighHistories(input.histories, input.inventory, options, answers);
  const watched = watchedOf(watch, histories, now);
  return {
    at: now,
    level,
    subjects: [...assessReadiness({ ...input, histories, doubts })],
    watched: {
      days: watched.size,
      hours: [...watched.values()].reduce((sum, mask) => sum + countHours(mask), 0),
    },
    edges: histories.length,
    setAside: input.histories.length - histories.length,
  };
}
