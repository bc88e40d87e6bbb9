/**
 * Two roles that were taken for one, since they have much in common: some of the members have a habit with one peer that the
 * others never had, though they were there all the time that it was kept up. What somebody could not have had (a pod that lived before
 * or after, a standby that had nothing to do) tells nothing, and neither does what a few do: a leader, an intruder.
 */
import { DAY_MS } from "@bulkhead/model";
import type { Conversations } from "./conversations.ts";

/** When a habit was kept up by anybody, by feature. */
export interface Spans {
  readonly begun: Float64Array;
  readonly ended: Float64Array;
}

/** A side of fewer is chance. */
const SMALLEST = 3;
/** So much of a life within the time of a habit is an opportunity, and so many days of it are enough. */
const ENOUGH_MS = 14 * DAY_MS;
/** Of those that lack it, so many could have had it. */
const COULD = 0.9;

/** `bearers` do it as a habit, `ever` did it at all. */
export function couldHave(
  members: readonly number[],
  bearers: ReadonlySet<number>,
  ever: ReadonlySet<number>,
  span: { readonly begun: number; readonly ended: number },
  { first, last }: Pick<Conversations, "first" | "last">,
): boolean {
  const lacking = members.filter((member) => !ever.has(member));
  if (bearers.size < SMALLEST || lacking.length < SMALLEST) return false;
  if (bearers.size + lacking.length < COULD * members.length) return false;
  const able = lacking.filter((member) => {
    const from = Math.max(first[member] ?? 0, span.begun);
    const until = Math.min(last[member] ?? 0, span.ended);
    return until - from >= ENOUGH_MS;
  });
  return able.length >= COULD * lacking.length;
}
