/**
 * Labels that were meant to be another one, told by the words alone: a slip of the pen, another way of writing, a key that all
 * others of the application bear, and values that count copies.
 */
import { applicationOf, isInstanceKey } from "@bulkhead/learn";
import type { Labels } from "@bulkhead/model";
import { isSlip } from "../lint/slips.ts";
import { areAliases, isEnvironmentKey } from "./label-aliases.ts";
import type { LabelFinding, LabelledWorkload } from "./label-finding.ts";

/** So many others have to bear what was meant. */
const OTHERS = 2;
/** What is lacking is lacking at few: one in five. */
const FEW = 5;
/** A slip is that of few: of short words, of which one letter may make another, one in five, else one in four. */
const FEW_SLIPS = 4;
const SHORT = 4;
/** Of an application, so many bear a key before its absence tells anything. */
const SIBLINGS = 4;
const COPIES = 3;
/** Given by a system, which makes no slips. */
const OF_SYSTEMS =
  /^(?:[a-z0-9.-]+\.)?(?:kubernetes\.io|k8s\.io|bulkhead\.dev|docker\.com)\/|^com\.docker\./;

/** `guess`: what those that do the same bear under this key, where that is known. */
export function wordFindings(
  workloads: readonly LabelledWorkload[],
  guess: (workload: LabelledWorkload, key: string) => string | undefined,
  apart: (a: LabelledWorkload, b: LabelledWorkload) => boolean,
): readonly LabelFinding[] {
  const found: LabelFinding[] = [];
  for (const own of Map.groupBy(workloads, ({ namespace }) => namespace).values()) {
    found.push(...values(own, (key) => !isEnvironmentKey(key), apart), ...keys(own));
  }
  // Each environment has a namespace of its own, as a rule; and in each there are all roles.
  found.push(...values(workloads, isEnvironmentKey, () => false));
  for (const own of Map.groupBy(workloads, applicationOf).values()) {
    found.push(
      ...missing(own, guess, new Set(found.flatMap(({ remove }) => remove))),
      ...copies(own),
    );
  }
  return found;
}

/** `app=chekout`, `app=Checkout`, `app=check_out`; and `env=production` beside `env=prod`. */
function values(
  own: readonly LabelledWorkload[],
  isAsked: (key: string) => boolean,
  apart: (a: LabelledWorkload, b: LabelledWorkload) => boolean,
): readonly LabelFinding[] {
  return keysOf(own).flatMap((key) => {
    if (!isAsked(key)) return [];
    const bearers = bearersOf(own, ({ labels }) => labels[key]);
    return [...bearers].flatMap(([value, few]): readonly LabelFinding[] => {
      const isAlias = (other: string): boolean => areAliases(value, other, key);
      const [meant] = [...bearers]
        .filter(
          ([other, many]) =>
            isMeant(value, few.length, other, many.length) ||
            (isAlias(other) && isUsual(value, few.length, other, many.length)),
        )
        .filter(([, many]) => !few.some((one) => many.every((other) => apart(one, other))))
        .toSorted((a, b) => b[1].length - a[1].length || (a[0] < b[0] ? -1 : 1));
      if (meant === undefined) return [];
      const [word, many] = meant;
      const looks = isAlias(word) ? "says the same as" : "looks like";
      const bear =
        many.length === 1 ? "which another one bears" : `which ${many.length} others bear`;
      const message = `\`${key}=${value}\` of ${named(few)} ${looks} \`${key}=${word}\`, ${bear}`;
      // Of two as usual as each other only a person can say which it should be.
      const set: Labels = many.length === few.length ? {} : { [key]: word };
      return [{ code: "BH0740", message, workloads: few, set, remove: [] }];
    });
  });
}

/** `ap=web` beside `app=db`. */
function keys(own: readonly LabelledWorkload[]): readonly LabelFinding[] {
  const all = keysOf(own);
  const bearing = (key: string): readonly LabelledWorkload[] =>
    own.filter(({ labels }) => Object.hasOwn(labels, key));
  return all.flatMap((key): readonly LabelFinding[] => {
    const few = bearing(key);
    const meant = all
      .map((other) => ({ other, many: bearing(other) }))
      .filter(
        ({ other, many }) =>
          isMeant(key, few.length, other, many.length) ||
          (areAliases(key, other) && many.length > few.length && many.length >= OTHERS),
      )
      // Whoever bears both means both.
      .find(({ other }) => few.every(({ labels }) => !Object.hasOwn(labels, other)));
    if (meant === undefined) return [];
    const message = `key \`${key}\` of ${named(few)} looks like \`${meant.other}\`, which ${meant.many.length} others bear`;
    return [...Map.groupBy(few, ({ labels }) => labels[key] ?? "")].map(([value, workloads]) => ({
      code: "BH0740",
      message,
      workloads,
      set: { [meant.other]: value },
      remove: [key],
    }));
  });
}

function isMeant(word: string, few: number, other: string, many: number): boolean {
  if (word === other || many <= few || many < OTHERS) return false;
  if (plain(word) === plain(other)) return true;
  const share = Math.max(word.length, other.length) <= SHORT ? FEW : FEW_SLIPS;
  return isSlip(word, other) && few * share <= many + few;
}

/** Borne by more, or by as many and first in order, so that each two are told of once. */
const isUsual = (word: string, few: number, other: string, many: number): boolean =>
  many > few || (many === few && other < word);

/** One way of writing. */
const plain = (word: string): string => word.toLowerCase().replaceAll(/[-_.\s]+/g, "");

function missing(
  own: readonly LabelledWorkload[],
  guess: (workload: LabelledWorkload, key: string) => string | undefined,
  mistaken: ReadonlySet<string>,
): readonly LabelFinding[] {
  return keysOf(own).flatMap((key): readonly LabelFinding[] => {
    const lacking = own.filter(
      ({ labels }) =>
        !Object.hasOwn(labels, key) && !Object.keys(labels).some((one) => mistaken.has(one)),
    );
    const bearing = own.length - lacking.length;
    if (lacking.length === 0 || bearing < SIBLINGS || lacking.length * FEW > own.length) return [];
    return lacking.map((one) => {
      const value = guess(one, key);
      const set: Labels = value === undefined ? {} : { [key]: value };
      const message = `\`${one.id}\` has no label \`${key}\`, which all ${bearing} others of its application bear`;
      return { code: "BH0741", message, workloads: [one], set, remove: [] };
    });
  });
}

/** `app=web-1`, `app=web-2`, `app=web-3`: no rule can name the role. */
function copies(own: readonly LabelledWorkload[]): readonly LabelFinding[] {
  return keysOf(own).flatMap((key): readonly LabelFinding[] => {
    const bearers = [...bearersOf(own, ({ labels }) => labels[key])];
    const counted = Map.groupBy(
      bearers.filter(([value, own]) => own.length === 1 && stemOf(value) !== undefined),
      ([value]) => stemOf(value) ?? "",
    );
    return [...counted]
      .filter(([, values]) => values.length >= COPIES)
      .map(([stem, values]) => {
        const workloads = values.flatMap(([, few]) => few);
        const [first] = values;
        const message = `\`${key}\` counts copies: \`${first?.[0] ?? ""}\` and ${values.length - 1} more like it, each of one workload`;
        return { code: "BH0744", message, workloads, set: { [key]: stem }, remove: [] };
      });
  });
}

function stemOf(value: string): string | undefined {
  return /^(.*[a-z])[-_.]?\d+$/i.exec(value)?.[1];
}

function bearersOf(
  own: readonly LabelledWorkload[],
  valueOf: (workload: LabelledWorkload) => string | undefined,
): ReadonlyMap<string, readonly LabelledWorkload[]> {
  const found = new Map<string, LabelledWorkload[]>();
  for (const one of own) {
    const value = valueOf(one);
    if (value === undefined) continue;
    const same = found.get(value);
    if (same === undefined) found.set(value, [one]);
    else same.push(one);
  }
  return found;
}

function keysOf(own: readonly LabelledWorkload[]): readonly string[] {
  const all = new Set(own.flatMap(({ labels }) => Object.keys(labels)));
  return [...all].filter((key) => !isInstanceKey(key) && !OF_SYSTEMS.test(key)).toSorted();
}

export function named(workloads: readonly LabelledWorkload[]): string {
  const [first] = workloads;
  const rest = workloads.length - 1;
  return `\`${first?.id ?? ""}\`${rest > 0 ? ` and ${rest} more` : ""}`;
}
