/**
 * The way from what the kernel holds to what it should hold, in steps that no packet under way can fall between:
 *
 *   prepare   new chains, sets and counters, which nothing refers to yet
 *   switch    one transaction: changed rules, changed elements, new base chains. This is the moment of change
 *   open      ports of bridges that are known from now on, once packets that no guard has seen have passed
 *   cleanup   what nothing refers to any more, and what the new ports alone may say, once packets under way have passed
 *
 * Each step is one transaction, all or nothing. If prepare or switch is refused, `undo` takes away what was prepared and
 * the old rules have been in force all along.
 */
import { sameDeclaration, sameRules } from "./compare.ts";
import { elementChange, isChange, place } from "./element-changes.ts";
import type { Ruleset, Table } from "./ruleset.ts";
import { changeTable, removal, type Steps } from "./table-changes.ts";
import { currentVersions, toVersions, versionOf } from "./versions.ts";
import type { Version, Versions } from "./versions.ts";

export interface Update {
  /** Left over from an update that was cut short; nothing refers to it. */
  readonly clear: string;
  readonly prepare: string;
  readonly switch: string;
  readonly open: string;
  readonly cleanup: string;
  readonly undo: string;
}

/** `10.0.0.5 . 6 . 80` → its family; maps of different families never share a packet. */
const familyTag = (name: string): string =>
  /_(?:exact|range|one|wide|bare|widebare)([46])_/.exec(name)?.[1] ?? "";
const ownerOf = (name: string): string => name.slice(name.lastIndexOf("_") + 1);

/**
 * May the tree be changed where it stands? Only if its chains stay as they are and each class and family changes one
 * hash at most: then every packet is judged by one look-up that is either old or new.
 */
const isGentle = (
  actual: Table,
  desired: Table,
  tag: string,
  version: Version,
  now: number,
): boolean => {
  const mine = (name: string): boolean => {
    const found = versionOf(name);
    return found?.tag === tag && found.version === version;
  };
  for (const chain of desired.chains.values()) {
    const known = mine(chain.name) ? actual.chains.get(chain.name) : undefined;
    if (known !== undefined && !sameRules(known.rules, chain.rules)) return false;
  }
  const touched = new Set<string>();
  for (const set of desired.sets.values()) {
    const known = mine(set.name) ? actual.sets.get(set.name) : undefined;
    if (known === undefined) continue;
    if (!sameDeclaration(known, set)) return false;
    if (!isChange(elementChange(known, set, now))) continue;
    const group = `${familyTag(set.name)} ${ownerOf(set.name)}`;
    if (set.flags.includes("interval") || touched.has(group)) return false;
    touched.add(group);
  }
  return true;
};

const chooseVersions = (actual: Ruleset, rendered: Ruleset, now: number): Versions => {
  const current = currentVersions(actual);
  const { inet: found } = actual;
  const { inet: wanted } = toVersions(rendered, current);
  if (found === undefined || wanted === undefined) return current;
  return Object.fromEntries(
    Object.entries(current).map(([tag, version]) => [
      tag,
      isGentle(found, wanted, tag, version, now) ? version : version === 0 ? 1 : 0,
    ]),
  );
};

/** What stands under names that the update is about to use; returns the table without it. */
const clearLeftovers = (
  table: Table,
  current: Versions,
  chosen: Versions,
): { lines: readonly string[]; rest: Table } => {
  const isLeft = (name: string): boolean => {
    const found = versionOf(name);
    return (
      found !== null && found.version !== current[found.tag] && found.version === chosen[found.tag]
    );
  };
  const chains = [...table.chains.values()].filter(({ name }) => isLeft(name));
  const sets = [...table.sets.values()].filter(({ name }) => isLeft(name));
  if (chains.length + sets.length === 0) return { lines: [], rest: table };
  return {
    lines: removal(table, chains, sets, []),
    rest: {
      ...table,
      chains: new Map([...table.chains].filter(([name]) => !isLeft(name))),
      sets: new Map([...table.sets].filter(([name]) => !isLeft(name))),
    },
  };
};

const script = (lines: readonly string[]): string =>
  lines.length === 0 ? "" : `${lines.join("\n")}\n`;

/**
 * `actual` as found in the kernel, `rendered` as the renderer writes it; `now` in milliseconds since the epoch. All steps
 * are empty when nothing is to be done.
 */
export const planUpdate = (actual: Ruleset, rendered: Ruleset, now: number): Update => {
  const chosen = chooseVersions(actual, rendered, now);
  const desired = toVersions(rendered, chosen);
  const cleared =
    actual.inet === undefined
      ? { lines: [], rest: undefined }
      : clearLeftovers(actual.inet, currentVersions(actual), chosen);
  const steps: Steps = { prepare: [], switch: [], open: [], cleanup: [], undo: [] };
  const pairs = [
    [cleared.rest, desired.inet],
    [actual.netdev, desired.netdev],
    [actual.bridge, desired.bridge],
  ] as const;
  for (const [found, wanted] of pairs) {
    if (wanted === undefined) {
      if (found !== undefined) steps.switch.push(`delete table ${place(found)}`);
      continue;
    }
    const more = changeTable(found, wanted, now);
    steps.prepare.push(...more.prepare);
    steps.switch.push(...more.switch);
    steps.open.push(...more.open);
    steps.cleanup.push(...more.cleanup);
    steps.undo.push(...more.undo);
  }
  return {
    clear: script(cleared.lines),
    prepare: script(steps.prepare),
    switch: script(steps.switch),
    open: script(steps.open),
    cleanup: script(steps.cleanup),
    undo: script(steps.undo),
  };
};
