/**
 * The grammar of Kubernetes label selectors (apimachinery `labels/selector.go`) and of label keys and
 * values (`util/validation`). Text in, unsorted requirements out, or the place of the first wrong character.
 */
import type { Requirement } from "./labels.ts";

const NAME = /^[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?$/;
const SUBDOMAIN = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/;
const SPECIAL = new Set(["=", "!", "(", ")", ",", "<", ">"]);

/** Why this cannot be a label key, or null. */
export const labelKeyProblem = (key: string): string | null => {
  const slash = key.indexOf("/");
  const name = key.slice(slash + 1);
  if (name === "") return "a label key cannot be empty";
  if (name.length > 63) return "the name of a label key has at most 63 characters";
  if (!NAME.test(name)) {
    return "a label key starts and ends with a letter or digit, with `-`, `_`, `.` in between";
  }
  if (slash < 0) return null;
  const prefix = key.slice(0, slash);
  if (prefix === "" || prefix.length > 253 || !SUBDOMAIN.test(prefix)) {
    return "the prefix of a label key is a DNS name";
  }
  return null;
};

/** Why this cannot be a label value, or null. The empty value is one. */
export const labelValueProblem = (value: string): string | null => {
  if (value === "") return null;
  if (value.length > 63) return "a label value has at most 63 characters";
  return NAME.test(value)
    ? null
    : "a label value starts and ends with a letter or digit, with `-`, `_`, `.` in between";
};

/** Index of the first character that no name could hold here; for a bad last character, that one. */
const wrongCharacter = (word: string): number => {
  for (let i = 0; i < word.length; i += 1) {
    const character = word[i] ?? "";
    if (!/[-A-Za-z0-9_./]/.test(character)) return i;
    if ((i === 0 || i === word.length - 1) && !/[A-Za-z0-9]/.test(character)) return i;
  }
  return 0;
};

class SyntaxProblem extends Error {
  readonly offset: number;
  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

interface Cursor {
  readonly text: string;
  at: number;
}

const skipSpace = (cursor: Cursor): void => {
  while (/\s/.test(cursor.text[cursor.at] ?? "")) cursor.at += 1;
};

const peek = (cursor: Cursor): string => {
  skipSpace(cursor);
  return cursor.text[cursor.at] ?? "";
};

/** A maximal run of characters that are neither space nor special; may be empty. */
const word = (cursor: Cursor): { readonly text: string; readonly at: number } => {
  skipSpace(cursor);
  const at = cursor.at;
  for (;;) {
    const character = cursor.text[cursor.at];
    if (character === undefined || SPECIAL.has(character) || /\s/.test(character)) break;
    cursor.at += 1;
  }
  return { text: cursor.text.slice(at, cursor.at), at };
};

const found = (cursor: Cursor): string => {
  const character = peek(cursor);
  return character === "" ? "the end" : `\`${character}\``;
};

const key = (cursor: Cursor): string => {
  const { text, at } = word(cursor);
  if (text === "")
    throw new SyntaxProblem(`expected a label key, found ${found(cursor)}`, cursor.at);
  const problem = labelKeyProblem(text);
  if (problem !== null) throw new SyntaxProblem(problem, at + wrongCharacter(text));
  return text;
};

const value = (cursor: Cursor): string => {
  const { text, at } = word(cursor);
  const problem = labelValueProblem(text);
  if (problem !== null)
    throw new SyntaxProblem(problem, at + wrongCharacter(text.replace(/\//g, " ")));
  return text;
};

const values = (cursor: Cursor): readonly string[] => {
  if (peek(cursor) !== "(") {
    throw new SyntaxProblem(`expected \`(\`, found ${found(cursor)}`, cursor.at);
  }
  cursor.at += 1;
  if (peek(cursor) === ")")
    throw new SyntaxProblem("the list of values cannot be empty", cursor.at);
  const out: string[] = [];
  for (;;) {
    out.push(value(cursor));
    const next = peek(cursor);
    if (next !== "," && next !== ")") {
      throw new SyntaxProblem(`expected \`,\` or \`)\`, found ${found(cursor)}`, cursor.at);
    }
    cursor.at += 1;
    if (next === ")") return out;
  }
};

const requirement = (cursor: Cursor): Requirement => {
  if (peek(cursor) === "!") {
    cursor.at += 1;
    return { key: key(cursor), operator: "DoesNotExist" };
  }
  const name = key(cursor);
  const next = peek(cursor);
  if (next === "" || next === ",") return { key: name, operator: "Exists" };
  if (next === "=") {
    cursor.at += cursor.text[cursor.at + 1] === "=" ? 2 : 1;
    return { key: name, operator: "In", values: [value(cursor)] };
  }
  if (next === "!") {
    if (cursor.text[cursor.at + 1] !== "=") {
      throw new SyntaxProblem("expected `!=`", cursor.at);
    }
    cursor.at += 2;
    return { key: name, operator: "NotIn", values: [value(cursor)] };
  }
  const operator = word(cursor);
  if (operator.text === "in") return { key: name, operator: "In", values: values(cursor) };
  if (operator.text === "notin") return { key: name, operator: "NotIn", values: values(cursor) };
  const shown = operator.text === "" ? next : operator.text;
  throw new SyntaxProblem(
    `expected \`=\`, \`!=\`, \`in\` or \`notin\`, found \`${shown}\``,
    operator.at,
  );
};

export const parseSelectorText = (
  text: string,
):
  | { readonly requirements: readonly Requirement[] }
  | { readonly error: string; readonly offset: number } => {
  const cursor: Cursor = { text, at: 0 };
  const requirements: Requirement[] = [];
  try {
    if (peek(cursor) === "") return { requirements };
    for (;;) {
      requirements.push(requirement(cursor));
      const next = peek(cursor);
      if (next === "") return { requirements };
      if (next !== ",") {
        throw new SyntaxProblem(`expected \`,\`, found ${found(cursor)}`, cursor.at);
      }
      cursor.at += 1;
    }
  } catch (problem) {
    if (problem instanceof SyntaxProblem) return { error: problem.message, offset: problem.offset };
    throw problem;
  }
};
