/**
 * Just enough of Vitest to run this package's tests inside one process, thousands of times: `describe`, `it` and the
 * matchers they use. Mutants are judged by it; the suite itself runs in Vitest.
 */
import { inspect, isDeepStrictEqual } from "node:util";

export interface PlainTest {
  readonly name: string;
  readonly run: () => void | Promise<void>;
}

export const tests: PlainTest[] = [];
const path: string[] = [];

export function describe(name: string, body: () => void): void {
  path.push(name);
  body();
  path.pop();
}

export function it(name: string, run: PlainTest["run"]): void {
  tests.push({ name: [...path, name].join(" > "), run });
}

export const test = it;

/** `toEqual` does not tell an absent property from an undefined one. */
function withoutUndefined(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutUndefined);
  if (value instanceof Map || value instanceof Set || value === null) return value;
  if (typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, one]) => one !== undefined)
      .map(([key, one]) => [key, withoutUndefined(one)]),
  );
}

function equal(a: unknown, b: unknown): boolean {
  return isDeepStrictEqual(withoutUndefined(a), withoutUndefined(b));
}

function matchesObject(got: unknown, wanted: unknown): boolean {
  if (Array.isArray(wanted)) {
    return (
      Array.isArray(got) &&
      got.length === wanted.length &&
      wanted.every((one, i) => matchesObject(got[i], one))
    );
  }
  if (typeof wanted !== "object" || wanted === null) return Object.is(got, wanted);
  if (typeof got !== "object" || got === null) return false;
  const properties = got as Record<string, unknown>;
  return Object.entries(wanted).every(([key, one]) => matchesObject(properties[key], one));
}

function throws(run: unknown, message: string): boolean {
  try {
    (run as () => void)();
  } catch (error) {
    return error instanceof Error && error.message.includes(message);
  }
  return false;
}

type Matcher = (got: never, wanted: never) => boolean;

const matchers = {
  toBe: (got: unknown, wanted: unknown) => Object.is(got, wanted),
  toEqual: equal,
  toMatchObject: matchesObject,
  toBeUndefined: (got: unknown) => got === undefined,
  toBeNull: (got: unknown) => got === null,
  toHaveLength: (got: { readonly length: number }, wanted: number) => got.length === wanted,
  toMatch: (got: string, wanted: RegExp) => wanted.test(got),
  toContain: (got: readonly unknown[], wanted: unknown) => got.includes(wanted),
  toHaveProperty: (got: object, wanted: string) => wanted in got,
  toBeGreaterThan: (got: number, wanted: number) => got > wanted,
  toBeLessThan: (got: number, wanted: number) => got < wanted,
  toThrow: throws,
} satisfies Record<string, Matcher>;

type Expectation = Readonly<Record<keyof typeof matchers, (wanted?: unknown) => void>>;

export function expect(got: unknown): Expectation & { readonly not: Expectation } {
  const all = (wantedOutcome: boolean): Expectation =>
    Object.fromEntries(
      Object.entries(matchers).map(([name, holds]) => [
        name,
        (wanted?: unknown) => {
          if ((holds as (a: unknown, b: unknown) => boolean)(got, wanted) === wantedOutcome) return;
          throw new Error(
            `${name}: ${inspect(got)} ${wantedOutcome ? "" : "not "}${inspect(wanted)}`,
          );
        },
      ]),
    ) as Expectation;
  return { ...all(true), not: all(false) };
}
