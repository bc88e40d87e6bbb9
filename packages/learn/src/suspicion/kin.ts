/**
 * Who does the same under another name: groups that are called and call on the same ports, whoever is at their other ends. A role of
 * one copy has nobody to be compared with, but a tenant's database has those of other tenants, and an appliance in a role of its own
 * the others of its make. What none of them does on any port is as odd as what no copy does.
 */
import { DAY_MS } from "@bulkhead/model";
import type { End } from "../ends.ts";
import { push } from "../order.ts";
import type { Habit } from "./habits.ts";

/** Alike: they share at least as much as they differ in, and what all have tells nothing. */
const ALIKE = 0.5;
/** What comes so long after its group was first seen was no part of it in the beginning. */
const BELATED_MS = 7 * DAY_MS;

/** How many workloads do what the habit's group does, and have never done this; 0 where one of them has, or it is as old as its group. */
export function kinOf(habits: readonly Habit[]): (habit: Habit) => number {
  const slots = new Map<string, Set<string>>();
  const copies = new Map<string, number>();
  const ever = new Map<string, Set<string>>();
  const add = (end: End | undefined, slot: string): void => {
    if (end?.kind !== "group") return;
    const own = slots.get(end.key) ?? new Set();
    slots.set(end.key, own.add(slot));
  };
  for (const habit of habits) {
    const source = sourceOf(habit);
    copies.set(source, Math.max(copies.get(source) ?? 1, habit.copies));
    ever.set(outwards(habit), (ever.get(outwards(habit)) ?? new Set()).add(source));
    // What may be an intruder's says nothing of who somebody is.
    if (isBelated(habit)) continue;
    for (const need of habit.needs) {
      add(need.source, outwards(habit));
      add(need.destination, `in ${portOf(habit)}`);
    }
  }
  const bearers = new Map<string, string[]>();
  for (const [key, own] of slots) for (const slot of own) push(bearers, slot, key);
  const worth = (slot: string): number =>
    Math.log(slots.size / (bearers.get(slot)?.length ?? slots.size));
  const total = new Map(
    [...slots].map(([key, own]) => [key, [...own].reduce((sum, slot) => sum + worth(slot), 0)]),
  );
  const known = new Map<string, readonly string[]>();
  const alike = (key: string): readonly string[] => {
    const shared = new Map<string, number>();
    for (const slot of slots.get(key) ?? []) {
      // What most have is worth little, and would make everybody a candidate.
      if (2 * (bearers.get(slot)?.length ?? 0) > slots.size) continue;
      for (const other of bearers.get(slot) ?? []) {
        if (other !== key) shared.set(other, (shared.get(other) ?? 0) + worth(slot));
      }
    }
    return [...shared].flatMap(([other, sum]) => {
      const union = (total.get(key) ?? 0) + (total.get(other) ?? 0) - sum;
      return sum >= ALIKE * union ? other : [];
    });
  };
  return (habit) => {
    if (!isBelated(habit)) return 0;
    const source = sourceOf(habit);
    const own = known.get(source) ?? alike(source);
    known.set(source, own);
    // What another of them came to as well, in its own time, is what such as they do.
    if (own.some((other) => ever.get(outwards(habit))?.has(other))) return 0;
    return own.reduce((sum, other) => sum + (copies.get(other) ?? 1), 0);
  };
}

const isBelated = ({ alone, firstSeen, knownSince }: Habit): boolean =>
  alone && firstSeen - knownSince > BELATED_MS;

const sourceOf = ({ needs }: Habit): string => needs[0]?.source.key ?? "";

const portOf = ({ needs }: Habit): string => `${needs[0]?.protocol}/${needs[0]?.port}`;

const outwards = (habit: Habit): string => `out ${portOf(habit)}`;
