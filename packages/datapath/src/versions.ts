/**
 * Two copies of each look-up tree, so that a packet under way never meets half of a change. nftables commits a
 * transaction at once, but a packet that has begun reads rules of the old generation and set elements of the new one,
 * and a chain made by that very transaction is still empty for it. Trees are therefore built aside under the
 * other version's names, switched to by the subjects' maps, and only later taken down.
 *
 * Version 0 is written `le_row_…`, version 1 `le1_row_…`. Counters have no version: they go on counting.
 */
import { FAMILIES, TREES, processRecord, subjectsName, treeTag } from "./names.ts";
import type { Tree } from "./names.ts";
import type { Chain, Element, ElementSet, Ruleset, Table } from "./ruleset.ts";

export type Version = 0 | 1;
/** By tree tag (`le`, `li`, `se`, `si`, `ce`, `ci`). */
export type Versions = Readonly<Record<string, Version>>;

/** Names of chains and sets that belong to one version of a tree. Counter names stand in quotes and stay. */
const VERSIONED =
  /(?<!["\w])([lsc][ei])(1?)_(?=(?:class|row|ports|portr|allow|drop|reject|near|via|(?:exact|range|one|wide|bare|widebare)[46]|(?:peer|pone|pwide|pbare)\d*)_)/g;

type Rename = (tag: string, version: Version) => string;

const renameText = (text: string, rename: Rename): string =>
  text.replace(VERSIONED, (_, tag: string, one: string) => `${rename(tag, one === "1" ? 1 : 0)}_`);

const renameElement = (element: Element, rename: Rename): Element =>
  element.value === undefined ? element : { ...element, value: renameText(element.value, rename) };

const renameSet = (set: ElementSet, rename: Rename): ElementSet => ({
  ...set,
  name: renameText(set.name, rename),
  elements:
    set.kind === "set"
      ? set.elements
      : new Map([...set.elements].map(([key, element]) => [key, renameElement(element, rename)])),
});

const renameChain = (chain: Chain, rename: Rename): Chain => ({
  ...chain,
  name: renameText(chain.name, rename),
  rules: chain.rules.map((rule) => renameText(rule, rename)),
});

const renameTable = (table: Table, rename: Rename): Table => ({
  ...table,
  sets: new Map(
    [...table.sets.values()].map((set) => {
      const renamed = renameSet(set, rename);
      return [renamed.name, renamed];
    }),
  ),
  chains: new Map(
    [...table.chains.values()].map((chain) => {
      const renamed = renameChain(chain, rename);
      return [renamed.name, renamed];
    }),
  ),
});

/** `le` or `le1`. */
const prefixOf = (tag: string, version: Version): string => (version === 0 ? tag : `${tag}1`);

/** Which version a name belongs to; null for names without one. */
export const versionOf = (name: string): { tag: string; version: Version } | null => {
  VERSIONED.lastIndex = 0;
  const parts = VERSIONED.exec(name);
  if (parts === null || parts.index !== 0) return null;
  return { tag: parts[1] as string, version: parts[2] === "1" ? 1 : 0 };
};

const currentVersion = (table: Table | undefined, tree: Tree): Version => {
  const tag = treeTag(tree);
  const jumps = [
    ...FAMILIES.map((family) => subjectsName(tree, family)),
    processRecord(tree),
  ].flatMap((name) => [...(table?.sets.get(name)?.elements.values() ?? [])]);
  const first = jumps[0]?.value?.slice("jump ".length);
  if (first !== undefined) return versionOf(first)?.version ?? 0;
  const names = [...(table?.chains.keys() ?? [])].map(versionOf);
  const has = (version: Version): boolean =>
    names.some((found) => found?.tag === tag && found.version === version);
  return has(1) && !has(0) ? 1 : 0;
};

/** The version of each tree that packets go through now. */
export const currentVersions = ({ inet }: Ruleset): Versions =>
  Object.fromEntries(TREES.map((tree) => [treeTag(tree), currentVersion(inet, tree)]));

/** From the names that the renderer writes to those of the given versions. */
export const toVersions = (ruleset: Ruleset, versions: Versions): Ruleset => {
  if (ruleset.inet === undefined || Object.values(versions).every((version) => version === 0))
    return ruleset;
  return {
    ...ruleset,
    inet: renameTable(ruleset.inet, (tag) => prefixOf(tag, versions[tag] ?? 0)),
  };
};

/** One set under the names of the given versions. */
export const setInVersions = (set: ElementSet, versions: Versions): ElementSet =>
  renameSet(set, (tag) => prefixOf(tag, versions[tag] ?? 0));

/** From names as found to those that the renderer writes; what is left over of another version keeps a strange name. */
export const toRendered = (ruleset: Ruleset): Ruleset => {
  const current = currentVersions(ruleset);
  if (ruleset.inet === undefined || Object.values(current).every((version) => version === 0))
    return ruleset;
  return {
    ...ruleset,
    inet: renameTable(ruleset.inet, (tag, version) =>
      version === current[tag] ? tag : prefixOf(`${tag}0`, version),
    ),
  };
};
