/** When Vitest's `toEqual` (an absent property is an undefined one) and `toMatchObject` hold; a pattern stands for many values. */
import { isDeepStrictEqual } from "node:util";

export class Pattern {
  readonly holds: (got: unknown) => boolean;

  constructor(holds: (got: unknown) => boolean) {
    this.holds = holds;
  }
}

type Properties = Readonly<Record<string, unknown>>;

const isPlain = (value: unknown): value is Properties =>
  typeof value === "object" &&
  value !== null &&
  !(value instanceof Map || value instanceof Set || ArrayBuffer.isView(value));

export function equals(got: unknown, wanted: unknown): boolean {
  if (wanted instanceof Pattern) return wanted.holds(got);
  if (Array.isArray(wanted)) return Array.isArray(got) && sameItems(got, wanted, equals);
  if (!isPlain(wanted) || !isPlain(got) || Array.isArray(got))
    return isDeepStrictEqual(got, wanted);
  if (got === wanted) return true;
  const keys = new Set([...Object.keys(got), ...Object.keys(wanted)]);
  return keys.values().every((key) => equals(got[key], wanted[key]));
}

export function matches(got: unknown, wanted: unknown): boolean {
  if (wanted instanceof Pattern) return wanted.holds(got);
  if (Array.isArray(wanted)) return Array.isArray(got) && sameItems(got, wanted, matches);
  if (!isPlain(wanted) || !isPlain(got)) return isDeepStrictEqual(got, wanted);
  return Object.entries(wanted).every(([key, one]) => key in got && matches(got[key], one));
}

export function includes(got: readonly unknown[], wanted: unknown): boolean {
  return got.some((one) => equals(one, wanted));
}

function sameItems(
  got: readonly unknown[],
  wanted: readonly unknown[],
  same: (a: unknown, b: unknown) => boolean,
): boolean {
  return got.length === wanted.length && wanted.every((one, at) => same(got[at], one));
}
