/**
 * What a selector selects: a list of conjunctions, any of which may hold. Comparisons of parts of values have no counterpart in
 * the common form and are settled over the values that are there.
 */
import type { Labels, Requirement } from "@bulkhead/model";
import type { Expression } from "./expression.ts";

/** OR of ANDs; `[]` selects nobody, `[[]]` everybody. */
export type Selection = readonly (readonly Requirement[])[];

/** All values that a label has on anybody who could be selected. */
export type ValuesOf = (key: string) => readonly string[];

/** More would take long to write and longer to read; Calico's own limit of characters keeps honest selectors far from it. */
const MOST_CONJUNCTIONS = 256;

/** Null: too many combinations. `keyOf` says what a label is called in the inventory. */
export function selectionOf(
  expression: Expression,
  valuesOf: ValuesOf,
  keyOf: (key: string) => string,
): Selection | null {
  const work = (of: Expression, negated: boolean): Selection | null => {
    switch (of.kind) {
      case "all":
        return negated ? [] : [[]];
      case "global":
        return work({ kind: "has", key: "projectcalico.org/namespace" }, !negated);
      case "not":
        return work(of.of, !negated);
      case "and":
      case "or": {
        const parts = of.of.map((one) => work(one, negated));
        if (parts.includes(null)) return null;
        const found = parts as Selection[];
        const isAnd = (of.kind === "and") !== negated;
        return isAnd ? product(found) : bounded(found.flat());
      }
      case "has":
        return [[{ key: keyOf(of.key), operator: negated ? "DoesNotExist" : "Exists" }]];
      case "in":
        return [[{ key: keyOf(of.key), operator: negated ? "NotIn" : "In", values: of.values }]];
      case "contains":
      case "starts":
      case "ends": {
        const key = keyOf(of.key);
        const values = valuesOf(key).filter((value) => textHolds(of.kind, value, of.text));
        return [[{ key, operator: negated ? "NotIn" : "In", values }]];
      }
    }
  };
  return work(expression, false);
}

export function product(parts: readonly Selection[]): Selection | null {
  let all: Selection = [[]];
  for (const part of parts) {
    all = all.flatMap((one) => part.map((other) => [...one, ...other]));
    if (all.length > MOST_CONJUNCTIONS) return null;
  }
  return all;
}

function bounded(selection: Selection): Selection | null {
  return selection.length > MOST_CONJUNCTIONS ? null : selection;
}

/** For what has its labels at hand, such as sets of networks. A label that is absent is in no list. */
export function expressionHolds(expression: Expression, labels: Labels): boolean {
  const valueOf = (key: string) => (Object.hasOwn(labels, key) ? labels[key] : undefined);
  switch (expression.kind) {
    case "all":
      return true;
    case "global":
      return valueOf("projectcalico.org/namespace") === undefined;
    case "not":
      return !expressionHolds(expression.of, labels);
    case "and":
      return expression.of.every((one) => expressionHolds(one, labels));
    case "or":
      return expression.of.some((one) => expressionHolds(one, labels));
    case "has":
      return valueOf(expression.key) !== undefined;
    case "in": {
      const value = valueOf(expression.key);
      return value !== undefined && expression.values.includes(value);
    }
    case "contains":
    case "starts":
    case "ends": {
      const value = valueOf(expression.key);
      return value !== undefined && textHolds(expression.kind, value, expression.text);
    }
  }
}

function textHolds(kind: "contains" | "starts" | "ends", value: string, text: string): boolean {
  if (kind === "contains") return value.includes(text);
  return kind === "starts" ? value.startsWith(text) : value.endsWith(text);
}
