/**
 * Just enough of Vitest to run tests inside one process, thousands of times: `describe`, `it` and the matchers they use.
 * Mutants are judged by it; the suite itself runs in Vitest.
 */
import { inspect } from "node:util";
import { equals, includes, matches, Pattern } from "./plain-equality.ts";

export interface PlainTest {
  readonly name: string;
  readonly run: () => void | Promise<void>;
}

type Body<T extends unknown[]> = (...args: T) => void | Promise<void>;

export const tests: PlainTest[] = [];
const path: string[] = [];

/** `$key` of an object and `%s` of a list, far enough to tell one test from another. */
function named(name: string, row: unknown, args: readonly unknown[]): string {
  const rest = [...args];
  const filled = name.replace(/%[a-z]/g, () => JSON.stringify(rest.shift()) ?? "undefined");
  if (typeof row !== "object" || row === null) return filled;
  return filled.replace(/\$(\w+)/g, (_, key: string) =>
    String((row as Record<string, unknown>)[key]),
  );
}

function each(declare: (name: string, body: Body<[]>) => void) {
  return (rows: readonly unknown[]) =>
    (name: string, body: Body<unknown[]>): void => {
      for (const row of rows) {
        const args = Array.isArray(row) ? (row as unknown[]) : [row];
        declare(named(name, row, args), () => body(...args));
      }
    };
}

function group(name: string, body: Body<[]>): void {
  path.push(name);
  void body();
  path.pop();
}

function single(name: string, run: PlainTest["run"]): void {
  tests.push({ name: [...path, name].join(" > "), run });
}

export const describe = Object.assign(group, { each: each(group) });
export const it = Object.assign(single, { each: each(single) });
export const test = it;

function throws(run: unknown, wanted?: string | RegExp): boolean {
  try {
    (run as () => void)();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (wanted === undefined) return true;
    return typeof wanted === "string" ? message.includes(wanted) : wanted.test(message);
  }
  return false;
}

type Matcher = (got: never, wanted: never) => boolean;

const matchers = {
  toBe: (got: unknown, wanted: unknown) => Object.is(got, wanted),
  toEqual: equals,
  toMatchObject: matches,
  toBeUndefined: (got: unknown) => got === undefined,
  toBeDefined: (got: unknown) => got !== undefined,
  toBeNull: (got: unknown) => got === null,
  toHaveLength: (got: { readonly length: number }, wanted: number) => got.length === wanted,
  toMatch: (got: string, wanted: RegExp | string) =>
    typeof wanted === "string" ? got.includes(wanted) : wanted.test(got),
  toContain: (got: readonly unknown[], wanted: unknown) => got.includes(wanted),
  toContainEqual: (got: readonly unknown[], wanted: unknown) => includes(got, wanted),
  toHaveProperty: (got: object, wanted: string) => wanted in got,
  toBeGreaterThan: (got: number, wanted: number) => got > wanted,
  toBeGreaterThanOrEqual: (got: number, wanted: number) => got >= wanted,
  toBeLessThan: (got: number, wanted: number) => got < wanted,
  toBeLessThanOrEqual: (got: number, wanted: number) => got <= wanted,
  toThrow: throws,
} satisfies Record<string, Matcher>;

type Expectation = Readonly<Record<keyof typeof matchers, (wanted?: unknown) => void>>;

const entries = Object.entries(matchers) as (readonly [string, Matcher])[];

function expectation(got: unknown, wantedOutcome: boolean): Expectation {
  const checks = entries.map(([name, holds]) => [
    name,
    (wanted?: unknown) => {
      if (holds(got as never, wanted as never) === wantedOutcome) return;
      const not = wantedOutcome ? "" : "not ";
      throw new Error(
        `${name}: ${inspect(got, { depth: 1 })} ${not}${inspect(wanted, { depth: 1 })}`,
      );
    },
  ]);
  return Object.fromEntries(checks) as Expectation;
}

/** What stands for many values where one is wanted. */
const patterns = {
  any: (kind: (value: unknown) => unknown) =>
    new Pattern((got) => typeof got === kind.name.toLowerCase() || got instanceof (kind as never)),
  arrayContaining: (wanted: readonly unknown[]) =>
    new Pattern((got) => Array.isArray(got) && wanted.every((one) => includes(got, one))),
  objectContaining: (wanted: object) => new Pattern((got) => matches(got, wanted)),
  stringContaining: (wanted: string) =>
    new Pattern((got) => typeof got === "string" && got.includes(wanted)),
  stringMatching: (wanted: RegExp) =>
    new Pattern((got) => typeof got === "string" && wanted.test(got)),
};

export const expect = Object.assign(
  (got: unknown): Expectation & { readonly not: Expectation } => ({
    ...expectation(got, true),
    not: expectation(got, false),
  }),
  patterns,
);
