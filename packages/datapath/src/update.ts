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
import { CLAIMING, OPENING } from "./known-ports.ts";
import { sameDeclaration, sameRules } from "./compare.ts";
import { isExpired, printDeclaration, printElement, printKey } from "./print.ts";
import type { Chain, Element, ElementSet, Ruleset, Table } from "./ruleset.ts";
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

/** Elements a command: long enough for speed, short enough for readable errors. */
const CHUNK = 5000;
/** A listing is read with some delay, so deadlines from one wobble by this much. */
const DEADLINE_NOISE = 250;

const place = (table: Table): string => `${table.family} ${table.name}`;

const elementCommands = (
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

const alive = (set: ElementSet, now: number): readonly Element[] =>
  [...set.elements.values()].filter((element) => !isExpired(element, now));

interface ElementChange {
  readonly gone: readonly Element[];
  readonly changed: readonly Element[];
  readonly fresh: readonly Element[];
}

const elementChange = (actual: ElementSet, desired: ElementSet, now: number): ElementChange => {
  if (desired.flags.includes("dynamic")) return { gone: [], changed: [], fresh: [] };
  const wanted = alive(desired, now);
  return {
    gone: alive(actual, now).filter(({ key }) => !desired.elements.has(key)),
    fresh: wanted.filter(({ key }) => !actual.elements.has(key)),
    changed: wanted.filter((element) => {
      const known = actual.elements.get(element.key);
      return known !== undefined && !sameElement(known, element);
    }),
  };
};

const isChange = ({ gone, changed, fresh }: ElementChange): boolean =>
  gone.length + changed.length + fresh.length > 0;

const changeElements = (
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
  if (desired.flags.length > 0 || gone.length + changed.length > wanted.length)
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
const stepOf = ({ family }: Table, { name }: ElementSet): "switch" | "open" | "cleanup" => {
  // In `table netdev` such sets concern only those who have a guard already.
  if (family === "netdev") return "switch";
  if (OPENING.has(name)) return "open";
  return CLAIMING.has(name) ? "cleanup" : "switch";
};

/** What goes, goes with the switch; what comes, comes later. */
const changeInSteps = (
  table: Table,
  actual: ElementSet,
  desired: ElementSet,
  now: number,
): { readonly gone: string[]; readonly fresh: string[] } => {
  const { gone, changed, fresh } = elementChange(actual, desired, now);
  return {
    gone: elementCommands("delete", table, desired, [...gone, ...changed], now),
    fresh: elementCommands("add", table, desired, [...changed, ...fresh], now),
  };
};

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
const removal = (
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

interface Steps {
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

const changeTable = (found: Table | undefined, desired: Table, now: number): Steps => {
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
