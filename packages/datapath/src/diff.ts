/**
 * The one transaction that turns one ruleset into another: referents before users, removals in reverse. Tables are
 * never deleted and re-added (that loses permitted packets); chains are flushed and refilled, plain maps get element
 * changes, interval and timeout maps are flushed and refilled. The kernel takes all of it or nothing.
 */
import { isExpired, printDeclaration, printElement, printKey } from "./print.ts";
import { sameDeclaration, sameRules } from "./compare.ts";
import type { Chain, Element, ElementSet, Ruleset, Table } from "./ruleset.ts";

/** Elements a command: long enough for speed, short enough for readable errors. */
const CHUNK = 5000;

interface Writer {
  readonly lines: string[];
  readonly now: number;
}

const place = (table: Table): string => `${table.family} ${table.name}`;

const elementCommands = (
  { lines, now }: Writer,
  verb: "add" | "delete",
  table: Table,
  set: ElementSet,
  elements: readonly Element[],
): void => {
  const print = verb === "add" ? printElement : printKey;
  for (let at = 0; at < elements.length; at += CHUNK) {
    const texts = elements.slice(at, at + CHUNK).map((element) => print(element, set, now));
    lines.push(`${verb} element ${place(table)} ${set.name} { ${texts.join(", ")} }`);
  }
};

const sameElement = (a: Element, b: Element): boolean =>
  a.value === b.value && a.comment === b.comment && a.deadline === b.deadline;

const alive = (set: ElementSet, now: number): readonly Element[] =>
  [...set.elements.values()].filter((element) => !isExpired(element, now));

const changeElements = (
  writer: Writer,
  table: Table,
  actual: ElementSet,
  desired: ElementSet,
): void => {
  if (desired.flags.includes("dynamic")) return;
  const had = alive(actual, writer.now);
  const wanted = alive(desired, writer.now);
  const gone = had.filter(({ key }) => !desired.elements.has(key));
  const fresh = wanted.filter(({ key }) => !actual.elements.has(key));
  const changed = wanted.filter((element) => {
    const known = actual.elements.get(element.key);
    return known !== undefined && !sameElement(known, element);
  });
  if (gone.length + fresh.length + changed.length === 0) return;
  // Interval trees and timeouts: half-known states are not worth the risk of a refused transaction.
  if (desired.flags.length > 0 || gone.length + changed.length > wanted.length) {
    writer.lines.push(`flush ${desired.kind} ${place(table)} ${desired.name}`);
    elementCommands(writer, "add", table, desired, wanted);
    return;
  }
  elementCommands(writer, "delete", table, desired, [...gone, ...changed]);
  elementCommands(writer, "add", table, desired, [...changed, ...fresh]);
};

const addRules = ({ lines }: Writer, table: Table, chain: Chain): void => {
  for (const rule of chain.rules) lines.push(`add rule ${place(table)} ${chain.name} ${rule}`);
};

const missingFrom = <T>(wanted: ReadonlyMap<string, T>, has: { has(name: string): boolean }): T[] =>
  [...wanted].filter(([name]) => !has.has(name)).map(([, value]) => value);

/** Things that cannot be changed in place, such as the type of a map or the priority of a base chain. */
const mismatches = (actual: Table, desired: Table) => ({
  sets: [...actual.sets.values()].filter((set) => {
    const wanted = desired.sets.get(set.name);
    return wanted !== undefined && !sameDeclaration(set, wanted);
  }),
  chains: [...actual.chains.values()].filter(({ name, base }) => {
    const wanted = desired.chains.get(name);
    return wanted !== undefined && wanted.base !== base;
  }),
});

const empty = (table: Table): Table => ({
  ...table,
  counters: new Set(),
  sets: new Map(),
  chains: new Map(),
});

/** Empties everything, takes away what has the wrong shape, and says what is left to build upon. */
const tearDown = ({ lines }: Writer, actual: Table, desired: Table): Table => {
  const wrong = mismatches(actual, desired);
  if (wrong.sets.length + wrong.chains.length === 0) return actual;
  const at = place(desired);
  for (const { name } of actual.chains.values()) lines.push(`flush chain ${at} ${name}`);
  for (const { name, kind } of actual.sets.values()) lines.push(`flush ${kind} ${at} ${name}`);
  for (const { name, kind } of wrong.sets) lines.push(`delete ${kind} ${at} ${name}`);
  for (const { name } of wrong.chains) lines.push(`delete chain ${at} ${name}`);
  const sets = new Map(
    [...actual.sets].map(([name, set]) => [name, { ...set, elements: new Map() }]),
  );
  const chains = new Map(
    [...actual.chains].map(([name, chain]) => [name, { ...chain, rules: [] }]),
  );
  for (const { name } of wrong.sets) sets.delete(name);
  for (const { name } of wrong.chains) chains.delete(name);
  return { ...actual, sets, chains };
};

const changeTable = (writer: Writer, found: Table | undefined, desired: Table): void => {
  const { lines } = writer;
  const at = place(desired);
  // Also wakes a table that somebody put to sleep.
  if (found === undefined || found.flags.length > 0)
    lines.push(
      `add table ${at}${found === undefined && desired.comment !== undefined ? ` { comment "${desired.comment}"; }` : ""}`,
    );
  const actual = found === undefined ? empty(desired) : tearDown(writer, found, desired);
  for (const name of desired.counters)
    if (!actual.counters.has(name)) lines.push(`add counter ${at} ${name}`);
  for (const chain of missingFrom(desired.chains, actual.chains))
    lines.push(
      `add chain ${at} ${chain.name}${chain.base === undefined ? "" : ` { ${chain.base} }`}`,
    );
  const newSets = missingFrom(desired.sets, actual.sets);
  for (const set of newSets)
    lines.push(`add ${set.kind} ${at} ${set.name} { ${printDeclaration(set)} }`);
  for (const chain of desired.chains.values()) {
    const known = actual.chains.get(chain.name);
    if (known !== undefined && sameRules(known.rules, chain.rules)) continue;
    if (known !== undefined && known.rules.length > 0)
      lines.push(`flush chain ${at} ${chain.name}`);
    addRules(writer, desired, chain);
  }
  for (const set of desired.sets.values())
    changeElements(
      writer,
      desired,
      actual.sets.get(set.name) ?? { ...set, elements: new Map() },
      set,
    );
  const goneChains = missingFrom(actual.chains, desired.chains);
  const goneSets = missingFrom(actual.sets, desired.sets);
  for (const { name } of goneChains) lines.push(`flush chain ${at} ${name}`);
  for (const { name, kind } of goneSets) lines.push(`delete ${kind} ${at} ${name}`);
  for (const { name } of goneChains) lines.push(`delete chain ${at} ${name}`);
  for (const name of actual.counters)
    if (!desired.counters.has(name)) lines.push(`delete counter ${at} ${name}`);
};

/** Commands for one `nft -f`; empty when nothing is to be done. `now` in milliseconds since the epoch. */
export const diffRulesets = (actual: Ruleset, desired: Ruleset, now: number): string => {
  const writer: Writer = { lines: [], now };
  for (const family of ["inet", "netdev"] as const) {
    const wanted = desired[family];
    const found = actual[family];
    if (wanted !== undefined) changeTable(writer, found, wanted);
    else if (found !== undefined) writer.lines.push(`delete table ${place(found)}`);
  }
  return writer.lines.length === 0 ? "" : `${writer.lines.join("\n")}\n`;
};
