import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  formatSelector,
  isSayable,
  labelKeyProblem,
  labelValueProblem,
  matches,
  parseSelector,
  selectorFromLabelSelector,
  selectorOf,
} from "../src/index.ts";
import type { Labels, Requirement } from "../src/index.ts";

interface SelectorVectors {
  readonly valid: readonly { readonly text: string; readonly canonical: string }[];
  readonly invalid: readonly {
    readonly text: string;
    readonly offset: number;
    readonly error: string;
  }[];
  readonly matching: readonly {
    readonly selector: string;
    readonly labels: Labels;
    readonly matches: boolean;
  }[];
}

const vectors = JSON.parse(
  readFileSync(new URL("../../../spec/vectors/parse/selectors.json", import.meta.url), "utf8"),
) as SelectorVectors;

const parsed = (text: string) => {
  const result = parseSelector(text);
  if ("error" in result) throw new Error(`${text}: ${result.error} at ${result.offset}`);
  return result.selector;
};

const key = fc.constantFrom("app", "tier", "in", "kubernetes.io/name", "A_1.b");
const value = fc.constantFrom("", "db", "web", "in", "1.2_3-x");
const requirement: fc.Arbitrary<Requirement> = fc.oneof(
  fc.record({
    key,
    operator: fc.constantFrom("In" as const, "NotIn" as const),
    values: fc.array(value, { minLength: 1, maxLength: 3 }),
  }),
  fc.record({ key, operator: fc.constantFrom("Exists" as const, "DoesNotExist" as const) }),
);
const labels: fc.Arbitrary<Labels> = fc.dictionary(key, value, { noNullPrototype: true });

describe("Kubernetes selector syntax", () => {
  test.each(vectors.valid)("$text", ({ text, canonical }) => {
    expect(formatSelector(parsed(text))).toBe(canonical);
  });
  test.each(vectors.invalid)("`$text` fails at $offset", ({ text, offset, error }) => {
    expect(parseSelector(text)).toEqual({ error, offset });
  });
  test.each(vectors.matching)("$selector on $labels: $matches", (vector) => {
    expect(matches(parsed(vector.selector), vector.labels)).toBe(vector.matches);
  });
});

describe("laws", () => {
  test("formatted selectors read back the same", () => {
    fc.assert(
      fc.property(fc.array(requirement, { maxLength: 5 }), (requirements) => {
        const selector = selectorOf(requirements);
        expect(parsed(formatSelector(selector))).toEqual(selector);
      }),
    );
  });

  test("canonical form depends on neither order nor repetition, and matches the same labels", () => {
    fc.assert(
      fc.property(fc.array(requirement, { maxLength: 5 }), labels, (requirements, some) => {
        const once = selectorOf(requirements);
        expect(selectorOf([...requirements.toReversed(), ...requirements])).toEqual(once);
        expect(matches(once, some)).toBe(matches({ requirements }, some));
      }),
    );
  });

  test("a conjunction matches iff each of its parts does", () => {
    fc.assert(
      fc.property(fc.array(requirement, { maxLength: 4 }), labels, (requirements, some) => {
        expect(matches({ requirements }, some)).toBe(
          requirements.every((one) => matches({ requirements: [one] }, some)),
        );
      }),
    );
  });

  test("In and NotIn, Exists and DoesNotExist are complements", () => {
    fc.assert(
      fc.property(key, fc.array(value, { minLength: 1 }), labels, (name, values, some) => {
        const on = (one: Requirement) => matches({ requirements: [one] }, some);
        expect(on({ key: name, operator: "In", values })).not.toBe(
          on({ key: name, operator: "NotIn", values }),
        );
        expect(on({ key: name, operator: "Exists" })).not.toBe(
          on({ key: name, operator: "DoesNotExist" }),
        );
      }),
    );
  });

  test("any text gives a selector or a place inside it", () => {
    const soup = fc.string({ unit: fc.constantFrom(..."ab=!,() in-/<"), maxLength: 16 });
    fc.assert(
      fc.property(soup, (text) => {
        const result = parseSelector(text);
        const sound =
          "selector" in result
            ? formatSelector(parsed(formatSelector(result.selector))) ===
              formatSelector(result.selector)
            : result.offset >= 0 && result.offset <= text.length;
        expect(sound).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });
});

test("metav1.LabelSelector: matchLabels and matchExpressions are one conjunction", () => {
  const selector = selectorFromLabelSelector({
    matchLabels: { app: "db" },
    matchExpressions: [
      { key: "tier", operator: "In", values: ["b", "a", "a"] },
      { key: "old", operator: "DoesNotExist" },
    ],
  });
  expect(formatSelector(selector)).toBe("app=db,!old,tier in (a,b)");
  expect(selectorFromLabelSelector({})).toEqual({ requirements: [] });
});

test("labels inherited from a prototype do not exist", () => {
  expect(matches(parsed("toString"), {})).toBe(false);
  expect(matches(parsed("!constructor"), {})).toBe(true);
});

test("label keys and values", () => {
  expect(labelKeyProblem("app.kubernetes.io/name")).toBeNull();
  expect(
    ["", "/a", "a/", "-a", "a-", "A.b/c", "a b", "x".repeat(64), "a/b/c"].filter(
      (bad) => labelKeyProblem(bad) === null,
    ),
  ).toEqual([]);
  expect(labelValueProblem("")).toBeNull();
  expect(labelValueProblem("x".repeat(63))).toBeNull();
  expect(
    ["x".repeat(64), "a/b", "-", "a ", "é"].filter((bad) => labelValueProblem(bad) === null),
  ).toEqual([]);
});

test("what is sayable is read back as the same selector, and nothing else is sayable", () => {
  const bearing = (key: string, value: string) =>
    selectorFromLabelSelector({ matchLabels: { [key]: value } });
  expect(isSayable(bearing("app", "web"))).toBe(true);
  expect(isSayable(bearing("app", ""))).toBe(true);
  expect(isSayable(bearing("app", "db,role=x"))).toBe(false);
  expect(isSayable(bearing("app", "My Shop"))).toBe(false);
  expect(isSayable(parsed("!app,tier in (a,b)"))).toBe(true);
  expect(isSayable({ requirements: [{ key: "z,app", operator: "DoesNotExist" }] })).toBe(false);
});
