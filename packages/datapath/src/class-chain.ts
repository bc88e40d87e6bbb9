/**
 * One class in one direction as a chain and its maps, and back: time-bound entries, then the exact hash of known
 * addresses, then ranges, then the default row. An address is in at most one of them, so their order decides nothing
 * but speed.
 */
import { familyOf } from "@bulkhead/model";
import type {
  ClassId,
  IpAddress,
  OverlayEntry,
  PolicyMap,
  RowDecision,
  RowId,
} from "@bulkhead/model";
import { peerOf, wordsOf } from "./family.ts";
import { FAMILIES, classChain, exactName, rangeName, rowChain } from "./names.ts";
import type { Tree } from "./names.ts";
import { readOverlay, writeOverlay } from "./overlay-maps.ts";
import { hashSize } from "./ruleset.ts";
import type { Element, Table, TableBuilder } from "./ruleset.ts";

export const writeClass = (
  table: TableBuilder,
  tree: Tree,
  map: PolicyMap,
  overlay: readonly OverlayEntry[],
  leaf: (decision: RowDecision) => string,
): void => {
  const id = map.classId;
  const goto = (row: RowId): string => `goto ${rowChain(tree, row)}`;
  const rules = [...writeOverlay(table, tree, id, overlay, leaf)];
  const lookup = (
    name: string,
    flags: readonly string[],
    family: 4 | 6,
    elements: Element[],
  ): void => {
    if (elements.length === 0) return;
    const { type } = wordsOf(family);
    table.set(
      {
        name,
        kind: "map",
        type: `${type} : verdict`,
        flags,
        ...(flags.length === 0 ? { size: hashSize(elements.length) } : {}),
      },
      elements,
    );
    rules.push(`${peerOf(family, tree.direction)} vmap @${name}`);
  };
  for (const family of FAMILIES) {
    const exact = map.exact.filter(([address]) => familyOf(address) === family);
    lookup(
      exactName(tree, family, id),
      [],
      family,
      exact.map(([key, row]) => ({ key, value: goto(row) })),
    );
  }
  for (const family of FAMILIES) {
    const ranges = map.ranges.filter(([first]) => familyOf(first) === family);
    lookup(
      rangeName(tree, family, id),
      ["interval"],
      family,
      ranges.map(([first, last, row]) => ({
        key: first === last ? first : `${first}-${last}`,
        value: goto(row),
      })),
    );
  }
  table.chain(classChain(tree, id), [...rules, goto(map.defaultRow)]);
};

/** The row that `goto le_row_1f` names in this tree, or null. */
const rowOf = (tree: Tree, verdict: string | undefined): RowId | null => {
  const prefix = `goto ${rowChain(tree, "")}`;
  return verdict?.startsWith(prefix) === true ? verdict.slice(prefix.length) : null;
};

export interface FoundClass {
  readonly map: PolicyMap;
  readonly overlay: readonly OverlayEntry[];
}

/** The class that a chain means, or null when chain or maps are not ours. */
export const readClass = (table: Table, tree: Tree, id: ClassId): FoundClass | null => {
  const defaultRow = rowOf(tree, table.chains.get(classChain(tree, id))?.rules.at(-1));
  const overlay = readOverlay(table, tree, id);
  if (defaultRow === null || overlay === null) return null;
  const exact: [IpAddress, RowId][] = [];
  const ranges: [IpAddress, IpAddress, RowId][] = [];
  for (const family of FAMILIES) {
    for (const { key, value } of table.sets.get(exactName(tree, family, id))?.elements.values() ??
      []) {
      const row = rowOf(tree, value);
      if (row === null) return null;
      exact.push([key, row]);
    }
    for (const { key, value } of table.sets.get(rangeName(tree, family, id))?.elements.values() ??
      []) {
      const row = rowOf(tree, value);
      const [first, last = first] = key.split("-");
      if (row === null || first === undefined || last === undefined) return null;
      ranges.push([first, last, row]);
    }
  }
  return { map: { classId: id, direction: tree.direction, exact, ranges, defaultRow }, overlay };
};
