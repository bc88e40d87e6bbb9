/**
 * Labels and selectors, with Kubernetes' syntax and meaning (labels and selectors concept,
 * `metav1.LabelSelector`). A selector is a conjunction of requirements; the empty one matches all.
 */
import { labelKeyProblem, labelValueProblem, parseSelectorText } from "./selector-syntax.ts";

export type Labels = Readonly<Record<string, string>>;

export type Requirement =
  | {
      readonly key: string;
      readonly operator: "In" | "NotIn";
      readonly values: readonly string[];
    }
  | { readonly key: string; readonly operator: "Exists" | "DoesNotExist" };

/** All requirements must hold; `[]` matches everything. Canonical: sorted by key, operator, values; duplicates removed. */
export interface Selector {
  readonly requirements: readonly Requirement[];
}

/** `metav1.LabelSelector` after its types were checked. */
export interface LabelSelector {
  readonly matchLabels?: Labels;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: Requirement["operator"];
    readonly values?: readonly string[];
  }[];
}

/** The name of the account that a pod runs as: the cluster's word, which no label of anybody's can forge. */
export const SERVICE_ACCOUNT_LABEL = ":service-account";

/** Given by authorities. Nothing that people write may be called so, neither a label nor a key in a selector. */
export const isReservedLabel = (key: string): boolean => key.startsWith(":");

export const EVERYTHING: Selector = { requirements: [] };

const holds = (requirement: Requirement, labels: Labels): boolean => {
  const value = Object.hasOwn(labels, requirement.key) ? labels[requirement.key] : undefined;
  switch (requirement.operator) {
    case "In":
      return value !== undefined && requirement.values.includes(value);
    case "NotIn":
      // Kubernetes: an absent key satisfies NotIn.
      return value === undefined || !requirement.values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
  }
};

export const matches = (selector: Selector, labels: Labels): boolean => {
  for (const requirement of selector.requirements) if (!holds(requirement, labels)) return false;
  return true;
};

const bytewise = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const canonicalRequirement = (requirement: Requirement): Requirement => {
  switch (requirement.operator) {
    case "Exists":
    case "DoesNotExist":
      return { key: requirement.key, operator: requirement.operator };
    case "In":
    case "NotIn":
      return {
        key: requirement.key,
        operator: requirement.operator,
        values: [...new Set(requirement.values)].toSorted(bytewise),
      };
  }
};

/** The canonical form of a conjunction: two equal texts of one selector give equal objects. */
export const selectorOf = (requirements: readonly Requirement[]): Selector => {
  const byText = new Map<string, Requirement>();
  for (const requirement of requirements) {
    const canonical = canonicalRequirement(requirement);
    const values = "values" in canonical ? canonical.values : [];
    byText.set([canonical.key, canonical.operator, ...values].join("\u0000"), canonical);
  }
  return {
    requirements: [...byText]
      .toSorted(([a], [b]) => bytewise(a, b))
      .map(([, requirement]) => requirement),
  };
};

/**
 * Kubernetes selector syntax: `a=b,c!=d,e in (f,g),h notin (i),j,!k`; the empty text selects everything.
 * `offset` is the 0-based index of the character that cannot be.
 */
export const parseSelector = (
  text: string,
): { readonly selector: Selector } | { readonly error: string; readonly offset: number } => {
  const parsed = parseSelectorText(text);
  return "error" in parsed ? parsed : { selector: selectorOf(parsed.requirements) };
};

/** `matchLabels` and `matchExpressions` as one conjunction; keys and values must have been checked. */
export const selectorFromLabelSelector = (object: LabelSelector): Selector =>
  selectorOf([
    ...Object.entries(object.matchLabels ?? {}).map(([key, value]): Requirement => ({
      key,
      operator: "In",
      values: [value],
    })),
    ...(object.matchExpressions ?? []).map(({ key, operator, values }): Requirement =>
      operator === "In" || operator === "NotIn"
        ? { key, operator, values: values ?? [] }
        : { key, operator },
    ),
  ]);

const formatRequirement = (requirement: Requirement): string => {
  switch (requirement.operator) {
    case "In":
      return requirement.values.length === 1
        ? `${requirement.key}=${requirement.values[0]}`
        : `${requirement.key} in (${requirement.values.join(",")})`;
    case "NotIn":
      return requirement.values.length === 1
        ? `${requirement.key}!=${requirement.values[0]}`
        : `${requirement.key} notin (${requirement.values.join(",")})`;
    case "Exists":
      return requirement.key;
    case "DoesNotExist":
      return `!${requirement.key}`;
  }
};

/** Runtimes let labels hold anything, commas and blanks too. Of such no text of a selector can tell: it would say something else. */
export const isSayable = (selector: Selector): boolean =>
  selector.requirements.every(
    (requirement) =>
      labelKeyProblem(requirement.key) === null &&
      (!("values" in requirement) ||
        requirement.values.every((value) => labelValueProblem(value) === null)),
  );

/** Text that `parseSelector` reads back as the same selector, where it is sayable; `` for everything. */
export const formatSelector = (selector: Selector): string =>
  selector.requirements.map(formatRequirement).join(",");

export { labelKeyProblem, labelValueProblem } from "./selector-syntax.ts";
