/**
 * Walks through the weeks of a world as an operator would: what does readiness say of each application at the end of each
 * week, and when is it ready for the first time? Nothing of what comes later is looked at.
 */
import { acceptedHistories, applicationOf, assessReadiness } from "@bulkhead/learn";
import type { Readiness } from "@bulkhead/model";
import { HOURS, WEEK } from "./calendar.ts";
import type { Phase } from "./estate.ts";
import { dependenciesAt, schedulesAt } from "./expectations.ts";
import { labelledOn } from "./labelled.ts";
import { timeOf } from "./traffic.ts";
import { watchUntil, type World } from "./world.ts";

export interface ReadyWalk {
  /** By application: day of the world on which it was ready, or ready but for what is named. */
  readonly ready: ReadonlyMap<string, number>;
  readonly except: ReadonlyMap<string, number>;
  readonly weeks: readonly { readonly day: number; readonly all: readonly Readiness[] }[];
}

/** As learning names it: who has no label that says so belongs to his namespace. */
export const applicationAt = ({ role, labels }: Phase): string =>
  applicationOf({ namespace: role.namespace, labels });

const FIRST_WEEK = 2;

/** To the end where `whole`; else until everybody was ready once. */
export function walk(world: World, lastDay: number, whole: boolean): ReadyWalk {
  const [ready, except] = [new Map<string, number>(), new Map<string, number>()];
  const weeks: ReadyWalk["weeks"][number][] = [];
  for (let day = FIRST_WEEK * WEEK; day <= lastDay; day += WEEK) {
    const all = readinessOn(world, day);
    weeks.push({ day, all });
    for (const { subject, state } of all) {
      const { name } = subject;
      if (state === "ready" && !ready.has(name)) ready.set(name, day);
      if (state !== "learning" && !except.has(name)) except.set(name, day);
    }
    if (!whole && all.every(({ subject }) => ready.has(subject.name))) break;
  }
  return { ready, except, weeks };
}

export function readinessOn(world: World, day: number): readonly Readiness[] {
  const hour = day * HOURS;
  const { inventory, histories } = labelledOn(world, day);
  return assessReadiness({
    // Nobody is there to be asked: whatever is doubtful counts as rejected, and so as denied.
    histories: acceptedHistories(histories, inventory),
    watch: watchUntil(day),
    inventory,
    schedules: schedulesAt(world, hour),
    dependencies: dependenciesAt(world, hour),
    now: timeOf(hour),
    level: "application",
  });
}
