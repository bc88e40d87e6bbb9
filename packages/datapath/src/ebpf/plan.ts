/**
 * From what the maps hold to what they are to hold, in steps of which none shows half a policy. `prepare` writes beside what
 * is in force: rows that nothing leads to yet, and entries that hold from the next epoch on. The next epoch is one store, and
 * brings everything into force. `cleanup` takes away what no epoch needs any more, once no packet under way can see it.
 */
import {
  classEntry,
  decisionEntry,
  numberKey,
  rowEntries,
  settingsValue,
  timedListValue,
  versionedKey,
  versionedValue,
} from "./layout.ts";
import type { Clocks, Entry } from "./layout.ts";
import { createWider } from "./wider.ts";
import { OWNER_SHIFT } from "./tables.ts";
import type { Registry, Tables, VersionedName } from "./tables.ts";

/** `value` null: to be deleted. */
export interface Change extends Omit<Entry, "value"> {
  readonly value: Uint8Array | null;
}

export interface Plan {
  /** To be stored when `prepare` is done; always the one after that in force. */
  readonly epoch: number;
  readonly prepare: readonly Change[];
  /** Puts everything back as it was, in place of `epoch` and `cleanup`. */
  readonly undo: readonly Change[];
  readonly cleanup: readonly Change[];
}

export const VERSIONED: readonly VersionedName[] = [
  "subjects",
  "peers",
  "ranges",
  "cells",
  "timed",
  "locals",
  "resolvers",
];

const EMPTY: ReadonlyMap<string, number> = new Map();

/** What a prefix says about an address where the prefix itself is not there: the next wider one that is. */
type Beneath = (name: string) => number;

const NOTHING: Beneath = () => 0;

const keyOf = ({ map, key }: Omit<Entry, "value">): Omit<Entry, "value"> => ({ map, key });

/**
 * `former` and `next`: null where nothing is in force, or nothing is to be. Numbers that `next` does not use may be given
 * again only after `cleanup` (`release`).
 */
export const planTables = (
  former: Tables | null,
  next: Tables | null,
  epoch: number,
  registry: Registry,
  clocks: Clocks,
): Plan => {
  const prepare: Change[] = [];
  const undo: Change[] = [];
  const cleanup: Change[] = [];
  const since = epoch + 1;
  const add = (entry: Entry): void => {
    prepare.push(entry);
    undo.push({ ...keyOf(entry), value: null });
  };
  for (const [number, name] of next?.classes ?? [])
    if (former?.classes.has(number) !== true) add(classEntry(name, number));
  for (const number of former?.classes.keys() ?? [])
    if (next?.classes.has(number) !== true)
      cleanup.push({ map: "classes", key: numberKey(number), value: null });
  // What a decision's number stands for is there before any row that leads to it.
  for (const [number, cookie] of next?.decisions ?? [])
    if (former?.decisions.get(number) !== cookie) prepare.push(decisionEntry(cookie, number));
  prepare.push({
    map: "settings",
    key: numberKey(since % 2),
    value: settingsValue(next?.settings ?? NO_SETTINGS),
  });
  for (const [number, row] of next?.rows ?? [])
    if (former?.rows.has(number) !== true)
      for (const entry of rowEntries(number, row, registry)) add(entry);
  for (const [number, list] of next?.lists ?? [])
    if (former?.lists.has(number) !== true)
      add({
        map: "timedLists",
        key: numberKey(number),
        value: timedListValue(list, clocks, registry),
      });
  for (const table of VERSIONED) {
    const before = former?.[table] ?? EMPTY;
    const after = next?.[table] ?? EMPTY;
    const prefixes = table === "ranges" || table === "timed";
    const beneath = {
      before: prefixes ? createWider(before) : NOTHING,
      after: prefixes ? createWider(after) : NOTHING,
    };
    const compare = (name: string): void => {
      const was = before.get(name);
      const is = after.get(name);
      if (was === is) return;
      const entry = versionedKey[table](name);
      const old = was ?? beneath.before(name);
      const fresh = is ?? beneath.after(name);
      prepare.push({ ...entry, value: versionedValue(since, old, fresh) });
      undo.push({ ...entry, value: was === undefined ? null : versionedValue(0, was, was) });
      if (is === undefined) cleanup.push({ ...entry, value: null });
    };
    for (const name of after.keys()) compare(name);
    for (const name of before.keys()) if (!after.has(name)) compare(name);
  }
  for (const [number, row] of former?.rows ?? [])
    if (next?.rows.has(number) !== true)
      for (const entry of rowEntries(number, row, registry))
        cleanup.push({ ...keyOf(entry), value: null });
  for (const number of former?.lists.keys() ?? [])
    if (next?.lists.has(number) !== true)
      cleanup.push({ map: "timedLists", key: numberKey(number), value: null });
  return { epoch: since, prepare, undo, cleanup };
};

const NO_SETTINGS = { seed: 0, share: 0, nodeExempt: false, hairpinExempt: false } as const;

/** Forgets what only `former` used. To be called after `cleanup`. */
export const release = (next: Tables | null, registry: Registry): void => {
  const { classes, atoms, rows, lists, owners, decisions } = registry;
  const cells = [...(next?.cells.keys() ?? [])].map((name) => name.split(".").map(Number));
  classes.keep(new Set(cells.map(([number = 0]) => number)));
  atoms.keep(new Set(cells.map(([, atom = 0]) => atom)));
  rows.keep(new Set(next?.rows.keys()));
  lists.keep(new Set(next?.lists.keys()));
  owners.keep(new Set([...(next?.locals.values() ?? [])].map((bits) => bits >>> OWNER_SHIFT)));
  decisions.keep(new Set(next?.decisions.keys()));
};
