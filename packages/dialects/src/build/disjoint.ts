/** Selectors that nothing can satisfy together, whatever labels it has. Where that is not certain, they are taken to meet. */
import type { Requirement, Selector } from "@bulkhead/model";

const contradict = (a: Requirement, b: Requirement): boolean => {
  if (a.key !== b.key) return false;
  if (a.operator === "In" && b.operator === "In")
    return !a.values.some((value) => b.values.includes(value));
  if (a.operator === "In" && b.operator === "NotIn")
    return a.values.every((value) => b.values.includes(value));
  return (a.operator === "In" || a.operator === "Exists") && b.operator === "DoesNotExist";
};

export const areDisjoint = (a: Selector, b: Selector): boolean =>
  a.requirements.some((one) =>
    b.requirements.some((other) => contradict(one, other) || contradict(other, one)),
  );
