/**
 * Groups where no key is known to name a role: a workload is what its labels say of it together, a department and a kind, a type
 * and a model. Nothing is joined by it, only told apart: a label that says nothing of roles costs a rule more, never an allowance.
 */
import type { Labels, Requirement } from "@bulkhead/model";
import { groupBy } from "./order.ts";

interface Labelled {
  readonly labels: Labels;
}

export interface Refined<T extends Labelled> {
  readonly requirements: readonly Requirement[];
  readonly members: readonly T[];
}

/** Who lacks a key that most bear is apart, so that a label forgotten on one workload changes nobody else's group. */
export function refineByAll<T extends Labelled>(
  members: readonly T[],
  keys: readonly string[],
): readonly Refined<T>[] {
  const at = keys.findIndex((key) => differIn(key, members));
  const key = keys[at];
  if (key === undefined) return [{ requirements: [], members }];
  return [...groupBy(members, ({ labels }) => JSON.stringify(labels[key] ?? null))].flatMap(
    ([value, own]) => {
      const requirement: Requirement =
        value === "null"
          ? { key, operator: "DoesNotExist" }
          : { key, operator: "In", values: [JSON.parse(value) as string] };
      return refineByAll(own, keys.slice(at + 1)).map((refined) => ({
        ...refined,
        requirements: [requirement, ...refined.requirements],
      }));
    },
  );
}

/** Most of them bear it. */
function differIn(key: string, members: readonly Labelled[]): boolean {
  const values = members.flatMap(({ labels }) => labels[key] ?? []);
  return (
    2 * values.length > members.length &&
    (values.length < members.length || new Set(values).size > 1)
  );
}

/** Most share their value with others; where most have one of their own, it says which copy, and never what. */
export function namesKinds(key: string, members: readonly Labelled[]): boolean {
  const values = groupBy(
    members.flatMap(({ labels }) => labels[key] ?? []),
    (value) => value,
  );
  const all = [...values.values()];
  const sharing = all.reduce((sum, own) => sum + (own.length > 1 ? own.length : 0), 0);
  const bearing = all.reduce((sum, own) => sum + own.length, 0);
  return 2 * sharing > bearing;
}
