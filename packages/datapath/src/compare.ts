/**
 * What differs between the ruleset that should be there and the one that is, in sentences for people. Anything the
 * renderer would not have written counts: a rule, a chain, an element, a flag, a hook's priority or policy.
 */
import { isExpired } from "./print.ts";
import { TABLE_FAMILIES } from "./ruleset.ts";
import type { Chain, Element, ElementSet, Ruleset, Table } from "./ruleset.ts";

/** A timeout is read with its reader's own delay; closer than this, two deadlines are the same. */
export const DEADLINE_TOLERANCE = 2000;

const ANONYMOUS_SET = /\{ ([^{}]*) \}/g;

/** Elements of an anonymous set have no order. */
const ruleKey = (rule: string): string =>
  rule.replace(
    ANONYMOUS_SET,
    (_, inside: string) => `{ ${inside.split(", ").toSorted().join(", ")} }`,
  );

export const sameRules = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length &&
  a.every((rule, index) => rule === b[index] || ruleKey(rule) === ruleKey(b[index] ?? ""));

const declaration = ({ kind, type, flags, size, timeout }: ElementSet): string =>
  [kind, type, flags.join(","), size ?? "", timeout ?? ""].join(" ; ");

export const sameDeclaration = (a: ElementSet, b: ElementSet): boolean =>
  declaration(a) === declaration(b);

const ruleDifferences = (actual: Chain, expected: Chain): readonly string[] => {
  const { name } = expected;
  if (sameRules(actual.rules, expected.rules)) return [];
  if (actual.rules.length === 0) return [`chain ${name} was emptied`];
  const left = new Map<string, number>();
  for (const rule of expected.rules) left.set(ruleKey(rule), (left.get(ruleKey(rule)) ?? 0) + 1);
  const found: string[] = [];
  for (const rule of actual.rules) {
    const count = left.get(ruleKey(rule)) ?? 0;
    if (count === 0) found.push(`rule added to chain ${name}: ${rule}`);
    else left.set(ruleKey(rule), count - 1);
  }
  for (const rule of expected.rules) {
    const count = left.get(ruleKey(rule)) ?? 0;
    if (count === 0) continue;
    found.push(`rule missing from chain ${name}: ${rule}`);
    left.set(ruleKey(rule), count - 1);
  }
  return found.length > 0 ? found : [`rules of chain ${name} were reordered`];
};

const chainDifferences = (actual: Table, expected: Table): readonly string[] => {
  const found: string[] = [];
  for (const chain of expected.chains.values()) {
    const known = actual.chains.get(chain.name);
    if (known === undefined) {
      found.push(`chain ${chain.name} missing`);
      continue;
    }
    if (known.base !== chain.base)
      found.push(
        `chain ${chain.name} is declared \`${known.base ?? "no hook"}\` instead of \`${chain.base ?? "no hook"}\``,
      );
    found.push(...ruleDifferences(known, chain));
  }
  for (const chain of actual.chains.values()) {
    if (expected.chains.has(chain.name)) continue;
    found.push(`chain added: ${chain.name}${chain.base === undefined ? "" : ` { ${chain.base} }`}`);
    for (const rule of chain.rules) found.push(`rule added to chain ${chain.name}: ${rule}`);
  }
  return found;
};

const near = (a: number | undefined, b: number | undefined): boolean =>
  a === b || (a !== undefined && b !== undefined && Math.abs(a - b) <= DEADLINE_TOLERANCE);

const seconds = (deadline: number, now: number): string =>
  `${Math.round((deadline - now) / 1000)} s`;

/** Control groups have a path; whoever reads of their numbers learns nothing. */
const nameOf = ({ key, written }: Element): string => written ?? key;

const elementDifference = (
  where: string,
  element: Element,
  wanted: Element,
  now: number,
): string | null => {
  const name = nameOf(wanted);
  if (element.value !== wanted.value)
    return `element ${name} of ${where} says \`${element.value}\` instead of \`${wanted.value}\``;
  if (element.comment !== wanted.comment)
    return `element ${name} of ${where} is noted \`${element.comment ?? ""}\` instead of \`${wanted.comment ?? ""}\``;
  if (near(element.deadline, wanted.deadline)) return null;
  const left = (deadline: number | undefined): string =>
    deadline === undefined ? "never" : `in ${seconds(deadline, now)}`;
  return `element ${name} of ${where} ends ${left(element.deadline)} instead of ${left(wanted.deadline)}`;
};

const elementDifferences = (
  actual: ElementSet,
  expected: ElementSet,
  now: number,
): readonly string[] => {
  const where = `${expected.kind} ${expected.name}`;
  const found: string[] = [];
  for (const wanted of expected.elements.values()) {
    const element = actual.elements.get(wanted.key);
    if (element === undefined) {
      // The kernel may have forgotten it a moment before its time, by its own clock.
      if (!isExpired(wanted, now + DEADLINE_TOLERANCE))
        found.push(`element ${nameOf(wanted)} missing from ${where}`);
      continue;
    }
    const difference = elementDifference(where, element, wanted, now);
    if (difference !== null) found.push(difference);
  }
  for (const { key, value } of actual.elements.values())
    if (!expected.elements.has(key))
      found.push(`element added to ${where}: ${key}${value === undefined ? "" : ` : ${value}`}`);
  return found;
};

const setDifferences = (actual: Table, expected: Table, now: number): readonly string[] => {
  const found: string[] = [];
  for (const set of expected.sets.values()) {
    const known = actual.sets.get(set.name);
    if (known === undefined) found.push(`${set.kind} ${set.name} missing`);
    else if (!sameDeclaration(known, set))
      found.push(
        `${set.kind} ${set.name} is declared \`${declaration(known)}\` instead of \`${declaration(set)}\``,
      );
    else found.push(...elementDifferences(known, set, now));
  }
  for (const set of actual.sets.values())
    if (!expected.sets.has(set.name)) found.push(`${set.kind} added: ${set.name}`);
  return found;
};

const tableDifferences = (actual: Table, expected: Table, now: number): readonly string[] => [
  ...actual.flags.map((flag) => `table ${expected.family} ${expected.name} is ${flag}`),
  ...actual.strangers.map((what) => `added: ${what}`),
  ...[...expected.counters]
    .filter((name) => !actual.counters.has(name))
    .map((name) => `counter ${name} missing`),
  ...[...actual.counters]
    .filter((name) => !expected.counters.has(name))
    .map((name) => `counter added: ${name}`),
  ...setDifferences(actual, expected, now),
  ...chainDifferences(actual, expected),
];

/** Empty iff the kernel holds exactly what it should at `now` (milliseconds since the epoch). */
export const compareRulesets = (
  actual: Ruleset,
  expected: Ruleset,
  now: number,
): readonly string[] =>
  TABLE_FAMILIES.flatMap((family) => {
    const found = actual[family];
    const wanted = expected[family];
    if (found === undefined && wanted === undefined) return [];
    if (found === undefined) return [`table ${family} ${wanted?.name} is missing`];
    if (wanted === undefined) return [`table ${family} ${found.name} is there and should not be`];
    return tableDifferences(found, wanted, now);
  });
