/** From all that is on record to readiness: what is evidence is found first, and how much was not is told along. */
import { AGENT_ORIGIN, type FormerName, type Readiness } from "@bulkhead/model";
import type { SuggestOptions } from "../suggest.ts";
import { weighHistories } from "./accepted.ts";
import { assessReadiness, type ReadinessInput } from "./assess.ts";
import type { DoubtAnswers } from "./doubts.ts";
import { hoursIn, watchersOf } from "./watched.ts";

export interface ReadinessReport {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly level: ReadinessInput["level"];
  /** By name. */
  readonly subjects: Readiness[];
  /** Days on which anybody looked, and hours of them. */
  readonly watched: {
    readonly days: number;
    readonly hours: number;
    /** Of these hours, those in which none of our own collectors did. Absent: none. */
    readonly importedHours?: number;
  };
  /** Edges that suggest a rule, and those set aside, which are no evidence. */
  readonly edges: number;
  readonly setAside: number;
  /** Whose history was recorded under another name. Absent: nobody's. */
  readonly formerNames?: FormerName[];
}

/** `histories`: all of them but for our own probes; `answers`: what was said of those that do not fit. */
export function readinessReport(
  input: ReadinessInput,
  options: Pick<SuggestOptions, "namedSets"> = {},
  answers: DoubtAnswers = {},
): ReadinessReport {
  const { now, level, watch } = input;
  const weighed = weighHistories(input.histories, input.inventory, options, answers);
  const { histories, doubts, formerNames } = weighed;
  const watchers = watchersOf(watch, histories, now);
  const hours = hoursIn(watchers.all);
  const importedHours = hours - hoursIn(watchers.of(new Set([AGENT_ORIGIN.format])));
  return {
    at: now,
    level,
    subjects: [...assessReadiness({ ...input, histories, doubts })],
    watched: {
      days: watchers.all.size,
      hours,
      ...(importedHours === 0 ? {} : { importedHours }),
    },
    edges: histories.length,
    setAside: input.histories.length - histories.length,
    ...(formerNames.length === 0 ? {} : { formerNames: [...formerNames] }),
  };
}
