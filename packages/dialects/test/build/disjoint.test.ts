/** When nothing can have the labels of two selectors; in both orders, and not merely because one of many requirements agrees. */
import { expect, test } from "vitest";
import type { Requirement } from "@bulkhead/model";
import { areDisjoint } from "../../src/build/disjoint.ts";

const is = (...values: readonly string[]): Requirement => ({ key: "a", operator: "In", values });
const isNot = (...values: readonly string[]): Requirement => ({
  key: "a",
  operator: "NotIn",
  values,
});
const HAS: Requirement = { key: "a", operator: "Exists" };
const LACKS: Requirement = { key: "a", operator: "DoesNotExist" };

test.each<[string, Requirement, Requirement, boolean]>([
  ["one value, and another", is("x"), is("y"), true],
  ["a value in common", is("x", "y"), is("y", "z"), false],
  ["every value excluded", is("x", "y"), isNot("x", "y", "z"), true],
  ["a value left", is("x", "y"), isNot("x"), false],
  ["a value, and no such label", is("x"), LACKS, true],
  ["a label, and no such label", HAS, LACKS, true],
  ["no such label, and not this value", LACKS, isNot("x"), false],
  ["no such label, twice", LACKS, LACKS, false],
  ["a value of the label", is("x"), HAS, false],
  ["two exclusions", isNot("x"), isNot("y"), false],
  ["another label", is("x"), { key: "b", operator: "In", values: ["y"] }, false],
])("%s", (_, one, other, expected) => {
  const more: Requirement = { key: "c", operator: "Exists" };
  const all = [
    [[one], [other]],
    [[other], [one]],
    [
      [more, one],
      [more, other],
    ],
  ] as const;
  for (const [a, b] of all)
    expect(areDisjoint({ requirements: a }, { requirements: b })).toBe(expected);
});
