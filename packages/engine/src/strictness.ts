/**
 * Orders that make a decision independent of the order in which policies were given: between blocks, and between
 * actions that claim the same flow.
 */
import type { Block, DecisionVerdict, RuleAction } from "@bulkhead/model";
import { compare } from "./order.ts";

/** Actions that settle a flow, or send it on. */
export type DecidingAction = Exclude<RuleAction, "log" | "audit">;

export function decides(action: RuleAction): action is DecidingAction {
  return action !== "log" && action !== "audit";
}

/** Lower is stricter. `pass` is no permission yet, so it is stricter than `allow`. */
export const STRICTNESS: Readonly<Record<DecidingAction, number>> = {
  deny: 0,
  // Asks a judge outside; none is there, and what cannot be asked is denied.
  custom: 0,
  reject: 1,
  pass: 2,
  allow: 3,
};

export const VERDICT: Readonly<Record<Exclude<DecidingAction, "pass">, DecisionVerdict>> = {
  deny: "drop",
  custom: "drop",
  reject: "reject",
  allow: "allow",
};

/** Lower is stricter. */
export const VERDICT_STRICTNESS: Readonly<Record<DecisionVerdict, number>> = {
  drop: 0,
  reject: 1,
  allow: 2,
};

/** By `order`, element by element and the shorter first; ties by id, so that no tie depends on the input's order. */
export function compareBlocks(a: Block, b: Block): number {
  return compareOrder(a.order, b.order) || compare(a.id, b.id);
}

export function compareOrder(a: readonly number[], b: readonly number[]): number {
  const difference = a.findIndex((number, i) => number !== b[i]);
  if (difference < 0 || difference >= b.length) return compare(a.length, b.length);
  return compare(a[difference]!, b[difference]!);
}

/** Runs of neighbours with the same `order`, in a list sorted by `compareBlocks`. */
export function groupsOfEqualOrder<T extends { readonly block: Block }>(
  sorted: readonly T[],
): T[][] {
  const groups: T[][] = [];
  for (const entry of sorted) {
    const group = groups.at(-1);
    if (group !== undefined && compareOrder(group[0]!.block.order, entry.block.order) === 0) {
      group.push(entry);
    } else {
      groups.push([entry]);
    }
  }
  return groups;
}
