/**
 * How one table becomes another, in the steps of an update: what is new and unused is prepared, the switch replaces rules and
 * elements, and what nothing refers to any more is taken away, users before referents.
 */
import { sameDeclaration, sameRules } from "./compare.ts";
import {
  alive,
  changeElements,
  changeInSteps,
  elementCommands,
  place,
  stepOf,
} from "./element-changes.ts";
import { printDeclaration } from "./print.ts";
import type { Chain, ElementSet, Table } from "./ruleset.ts";

const rulesOf = (table: Table, chain: Chain): string[] =>
  chain.rules.map((rule) => `add rule ${place(table)} ${chain.name} ${rule}`);

const missing = <T>(wanted: ReadonlyMap<string, T>, has: { has(name: string): boolean }): T[] =>
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

/** Takes things away in an order that the kernel accepts: users before referents. */
export const removal = (
  table: Table,
  chains: readonly Chain[],
  sets: readonly ElementSet[],
  counters: readonly string[],
): string[] => {
  const at = place(table);
  return [
    ...chains.map(({ name }) => `flush chain ${at} ${name}`),
    ...sets.map(({ name, kind }) => `delete ${kind} ${at} ${name}`),
    ...chains.map(({ name }) => `delete chain ${at} ${name}`),
    ...counters.map((name) => `delete counter ${at} ${name}`),
  ];
};

export interface Steps {
  readonly prepare: string[];
  readonly switch: string[];
  readonly open: string[];
  readonly cleanup: string[];
  readonly undo: string[];
}

/** Somebody gave one of our sets or chains another shape: everything is rebuilt in one transaction. */
const rebuildTable = (actual: Table, desired: Table, now: number): Steps => {
  const at = place(desired);
  const wrong = mismatches(actual, desired);
  const isWrong = (name: string): boolean =>
    wrong.sets.some((set) => set.name === name) ||
    wrong.chains.some((chain) => chain.name === name);
  const keptChains = [...actual.chains.values()].filter(
    ({ name }) => desired.chains.has(name) && !isWrong(name),
  );
  const goneChains = missing(actual.chains, desired.chains);
  const goneSets = missing(actual.sets, desired.sets);
  const lines = [
    `add table ${at}`,
    ...[...actual.chains.values()].map(({ name }) => `flush chain ${at} ${name}`),
    ...[...actual.sets.values()].map(({ name, kind }) => `flush ${kind} ${at} ${name}`),
    ...[...wrong.sets, ...goneSets].map(({ name, kind }) => `delete ${kind} ${at} ${name}`),
    ...[...wrong.chains, ...goneChains].map(({ name }) => `delete chain ${at} ${name}`),
    ...[...desired.counters]
      .filter((name) => !actual.counters.has(name))
      .map((name) => `add counter ${at} ${name}`),
    ...[...desired.chains.values()]
      .filter(({ name }) => !keptChains.some((kept) => kept.name === name))
      .map(
        ({ name, base }) => `add chain ${at} ${name}${base === undefined ? "" : ` { ${base} }`}`,
      ),
    ...[...desired.sets.values()]
      .filter(({ name }) => !actual.sets.has(name) || isWrong(name))
      .map((set) => `add ${set.kind} ${at} ${set.name} { ${printDeclaration(set)} }`),
    ...[...desired.chains.values()].flatMap((chain) => rulesOf(desired, chain)),
    ...[...desired.sets.values()].flatMap((set) =>
      elementCommands("add", desired, set, alive(set, now), now),
    ),
    ...[...actual.counters]
      .filter((name) => !desired.counters.has(name))
      .map((name) => `delete counter ${at} ${name}`),
  ];
  return { prepare: [], switch: lines, open: [], cleanup: [], undo: [] };
};

export const changeTable = (found: Table | undefined, desired: Table, now: number): Steps => {
  const at = place(desired);
  const actual: Table = found ?? {
    ...desired,
    counters: new Set(),
    sets: new Map(),
    chains: new Map(),
  };
  const wrong = mismatches(actual, desired);
  if (wrong.sets.length + wrong.chains.length > 0) return rebuildTable(actual, desired, now);
  const newCounters = [...desired.counters].filter((name) => !actual.counters.has(name));
  const newChains = missing(desired.chains, actual.chains);
  const newBases = newChains.filter(({ base }) => base !== undefined);
  const newInner = newChains.filter(({ base }) => base === undefined);
  const newSets = missing(desired.sets, actual.sets);
  const prepare = [
    ...newCounters.map((name) => `add counter ${at} ${name}`),
    ...newInner.map(({ name }) => `add chain ${at} ${name}`),
    ...newSets.map((set) => `add ${set.kind} ${at} ${set.name} { ${printDeclaration(set)} }`),
    ...newInner.flatMap((chain) => rulesOf(desired, chain)),
    ...newSets.flatMap((set) => elementCommands("add", desired, set, alive(set, now), now)),
  ];
  const changedChains = [...desired.chains.values()].filter((chain) => {
    const known = actual.chains.get(chain.name);
    return known !== undefined && !sameRules(known.rules, chain.rules);
  });
  const rewritten = changedChains.flatMap((chain) => [
    `flush chain ${at} ${chain.name}`,
    ...rulesOf(desired, chain),
  ]);
  const later = { open: [] as string[], cleanup: [] as string[] };
  const elements = [...desired.sets.values()].flatMap((set) => {
    const known = actual.sets.get(set.name);
    if (known === undefined) return [];
    const step = stepOf(desired, set);
    if (step === "switch") return changeElements(desired, known, set, now);
    const { gone, fresh } = changeInSteps(desired, known, set, now);
    later[step].push(...fresh);
    return gone;
  });
  const create =
    found === undefined
      ? [
          `add table ${at}${desired.comment === undefined ? "" : ` { comment "${desired.comment}"; }`}`,
        ]
      : [];
  return {
    prepare: prepare.length === 0 ? create : [...create, ...prepare],
    switch: [
      // Wakes a table that somebody put to sleep.
      ...(actual.flags.length > 0 ? [`add table ${at}`] : []),
      ...newBases.map(({ name, base }) => `add chain ${at} ${name} { ${base} }`),
      ...newBases.flatMap((chain) => rulesOf(desired, chain)),
      ...(desired.family === "bridge" ? [] : rewritten),
      ...elements,
    ],
    open: later.open,
    cleanup: [
      // These rules name addresses as the claiming sets do.
      ...(desired.family === "bridge" ? rewritten : []),
      ...later.cleanup,
      ...removal(
        desired,
        missing(actual.chains, desired.chains),
        missing(actual.sets, desired.sets),
        [...actual.counters].filter((name) => !desired.counters.has(name)),
      ),
    ],
    undo:
      found === undefined
        ? [`delete table ${at}`]
        : removal(desired, newInner, newSets, newCounters),
  };
};
