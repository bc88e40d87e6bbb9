/**
 * How the elements of one set or map become others: what goes, what comes, in commands of a bearable length, and in which step
 * of an update new ones take part.
 */
import { CLAIMING, isOpening } from "./known-ports.ts";
import { isExpired, printElement, printKey } from "./print.ts";
import { isOfCgroups } from "./ruleset.ts";
import type { Element, ElementSet, Table } from "./ruleset.ts";

/** Elements a command: long enough for speed, short enough for readable errors. */
const CHUNK = 5000;
/** A listing is read with some delay, so deadlines from one wobble by this much. */
const DEADLINE_NOISE = 250;

export const place = (table: Table): string => `${table.family} ${table.name}`;

export const elementCommands = (
  verb: "add" | "delete",
  table: Table,
  set: ElementSet,
  elements: readonly Element[],
  now: number,
): string[] => {
  const print = verb === "add" ? printElement : printKey;
  const lines: string[] = [];
  for (let at = 0; at < elements.length; at += CHUNK) {
    const texts = elements.slice(at, at + CHUNK).map((element) => print(element, set, now));
    lines.push(`${verb} element ${place(table)} ${set.name} { ${texts.join(", ")} }`);
  }
  return lines;
};

const sameDeadline = (a: number | undefined, b: number | undefined): boolean =>
  a === b || (a !== undefined && b !== undefined && Math.abs(a - b) <= DEADLINE_NOISE);

const sameElement = (a: Element, b: Element): boolean =>
  a.value === b.value && a.comment === b.comment && sameDeadline(a.deadline, b.deadline);

export const alive = (set: ElementSet, now: number): readonly Element[] =>
  [...set.elements.values()].filter((element) => !isExpired(element, now));

export interface ElementChange {
  readonly gone: readonly Element[];
  readonly changed: readonly Element[];
  readonly fresh: readonly Element[];
}

export const elementChange = (
  actual: ElementSet,
  desired: ElementSet,
  now: number,
): ElementChange => {
  if (desired.flags.includes("dynamic")) return { gone: [], changed: [], fresh: [] };
  const wanted = alive(desired, now);
  return {
    gone: alive(actual, now).filter(({ key, deadline }) => {
      const end = desired.elements.get(key);
      // What should have ended by now may be held with a later end, or with none.
      return end === undefined || (isExpired(end, now) && !sameDeadline(deadline, now));
    }),
    fresh: wanted.filter(({ key }) => !actual.elements.has(key)),
    changed: wanted.filter((element) => {
      const known = actual.elements.get(element.key);
      return known !== undefined && !sameElement(known, element);
    }),
  };
};

export const isChange = ({ gone, changed, fresh }: ElementChange): boolean =>
  gone.length + changed.length + fresh.length > 0;

export const changeElements = (
  table: Table,
  actual: ElementSet,
  desired: ElementSet,
  now: number,
): string[] => {
  const change = elementChange(actual, desired, now);
  if (!isChange(change)) return [];
  const { gone, changed, fresh } = change;
  const wanted = alive(desired, now);
  // Elements with timeouts may go by themselves between our look and our command: they are replaced as a whole.
  // Control groups that are gone cannot be named any more.
  const whole =
    desired.flags.length > 0 || (isOfCgroups(desired) && gone.length + changed.length > 0);
  if (whole || gone.length + changed.length > wanted.length)
    return [
      `flush ${desired.kind} ${place(table)} ${desired.name}`,
      ...elementCommands("add", table, desired, wanted, now),
    ];
  return [
    ...elementCommands("delete", table, desired, [...gone, ...changed], now),
    ...elementCommands("add", table, desired, [...changed, ...fresh], now),
  ];
};

/** When new elements of a set take part: with the switch, or later. */
export const stepOf = ({ family }: Table, { name }: ElementSet): "switch" | "open" | "cleanup" => {
  // In `table netdev` such sets concern only those who have a guard already.
  if (family === "netdev") return "switch";
  if (isOpening(name)) return "open";
  return CLAIMING.has(name) ? "cleanup" : "switch";
};

/** What goes, goes with the switch; what comes, comes later. */
export const changeInSteps = (
  table: Table,
  actual: ElementSet,
  desired: ElementSet,
  now: number,
): { readonly gone: string[]; readonly fresh: string[] } => {
  const { gone, changed, fresh } = elementChange(actual, desired, now);
  if (isOfCgroups(desired) && gone.length > 0) {
    const kept = alive(desired, now).filter((element) => !fresh.includes(element));
    return {
      gone: [
        `flush ${desired.kind} ${place(table)} ${desired.name}`,
        ...elementCommands("add", table, desired, kept, now),
      ],
      fresh: elementCommands("add", table, desired, fresh, now),
    };
  }
  return {
    gone: elementCommands("delete", table, desired, [...gone, ...changed], now),
    fresh: elementCommands("add", table, desired, [...changed, ...fresh], now),
  };
};
