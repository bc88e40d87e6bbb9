/**
 * What is plain about predicates without solving expressions: that no request can be both, or that whoever is the one is the
 * other too. False where it is not plain: then both are taken to be possible, and only a request that is found tells.
 */
import type { Condition, Predicate, TextMatch } from "@bulkhead/model";
import { textMatches } from "../text-match.ts";

/** False only where no request can be both: of two kinds, or with two different texts in one place. */
export function canBothHold(a: Predicate, b: Predicate): boolean {
  if (a.kind !== "any" && b.kind !== "any" && a.kind !== b.kind) return false;
  return !a.conditions.some((one) =>
    b.conditions.some(
      (other) => one.attribute === other.attribute && areApart(one.anyOf, other.anyOf),
    ),
  );
}

/** True only where every request that `a` holds is one that `b` holds. */
export function isWithin(a: Predicate, b: Predicate): boolean {
  if (b.kind !== "any" && a.kind !== b.kind) return false;
  return b.conditions.every((wanted) => a.conditions.some((given) => implies(given, wanted)));
}

function implies(given: Condition, wanted: Condition): boolean {
  if (given.attribute !== wanted.attribute || given.anyOf.length === 0) return false;
  const excluded = given.noneOf.map((match) => JSON.stringify(match));
  return (
    wanted.noneOf.every((match) => excluded.includes(JSON.stringify(match))) &&
    (wanted.anyOf.length === 0 ||
      given.anyOf.every((one) => wanted.anyOf.some((other) => isTextWithin(one, other))))
  );
}

function isTextWithin(a: TextMatch, b: TextMatch): boolean {
  if (JSON.stringify(a) === JSON.stringify(b)) return true;
  const [given, wanted] = [plainForm(a), plainForm(b)];
  if ("ignoreCase" in given || "ignoreCase" in wanted) return false;
  if (given.kind === "exact") return textMatches(b, given.value);
  const start = startOf(given);
  switch (wanted.kind) {
    case "prefix":
      return start.startsWith(wanted.value);
    case "suffix":
      return given.kind === "suffix" && given.value.endsWith(wanted.value);
    case "present":
      return start !== "" || (given.kind === "suffix" && given.value !== "");
    case "exact":
    case "regex":
    case "cidr":
      return false;
  }
}

/** What every text begins with that it matches. */
function startOf(match: TextMatch): string {
  if (match.kind === "prefix") return match.value;
  return match.kind === "regex" ? literalStart(match.value).text : "";
}

/** Expressions that are texts, or begin with one and go on in any way, as what they are. */
function plainForm(match: TextMatch): TextMatch {
  if (match.kind !== "regex") return match;
  const { text, length } = literalStart(match.value);
  const rest = match.value.slice(length);
  if (rest === "") return { kind: "exact", value: text };
  return rest === ".*" ? { kind: "prefix", value: text } : match;
}

const META = /[\\^$.|?*+()[\]{}]/;

/** The characters at the start of an expression that stand for themselves, and how much of it they take. */
function literalStart(expression: string): { readonly text: string; readonly length: number } {
  let text = "";
  let length = 0;
  // One of several, perhaps.
  while (!expression.includes("|") && length < expression.length) {
    const isEscape = expression[length] === "\\" && META.test(expression[length + 1] ?? "");
    const character = expression[length + (isEscape ? 1 : 0)]!;
    const end = length + (isEscape ? 2 : 1);
    // It may be there or not.
    const isOptional = /[?*{]/.test(expression[end] ?? "");
    if ((!isEscape && META.test(character)) || isOptional) break;
    text += character;
    length = end;
  }
  return { text, length };
}

function areApart(a: readonly TextMatch[], b: readonly TextMatch[]): boolean {
  const [here, there] = [exactTexts(a), exactTexts(b)];
  return here !== null && there !== null && here.isDisjointFrom(there);
}

/** Null: other texts match, too. */
function exactTexts(matches: readonly TextMatch[]): ReadonlySet<string> | null {
  const texts = new Set<string>();
  for (const match of matches) {
    const plain = plainForm(match);
    if (plain.kind !== "exact" || plain.ignoreCase === true) return null;
    texts.add(plain.value);
  }
  return texts.size === 0 ? null : texts;
}
