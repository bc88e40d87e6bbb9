/**
 * Addresses that all classes treat alike, found by folding every class's look-ups into one partition of all addresses: an
 * address leads to one atom, and a class needs to know atoms only. An atom is named by what it means, that is, by the rows that
 * classes have for it; so two sets of look-ups give one name exactly where they treat addresses alike.
 */
import { parseIp, rangeToCidrs } from "@bulkhead/model";
import type { Cidr, IpAddress, IpFamily } from "@bulkhead/model";
import { sweep } from "./sweep.ts";
import type { Stretch } from "./sweep.ts";

/** A class's look-ups, with classes and rows as numbers. */
export interface NumberedClass {
  readonly number: number;
  readonly exact: readonly (readonly [IpAddress, number])[];
  readonly ranges: readonly (readonly [IpAddress, IpAddress, number])[];
}

/** What a class has for the addresses of an atom. */
export interface AtomCell {
  readonly classNumber: number;
  readonly row: number;
  /** The class lists these addresses one by one. */
  readonly exact: boolean;
}

export interface Partition {
  /** To names of atoms. */
  readonly peers: ReadonlyMap<IpAddress, string>;
  readonly ranges: ReadonlyMap<Cidr, string>;
  readonly cells: ReadonlyMap<string, readonly AtomCell[]>;
}

interface ClassRow {
  readonly classNumber: number;
  readonly row: number;
}

const nameOf = (pairs: readonly ClassRow[]): string =>
  pairs.map(({ classNumber, row }) => `${classNumber}:${row}`).join(",");

/** What an atom is called that means this: by class, those first that list its addresses. */
export const atomName = (cells: readonly AtomCell[]): string => {
  const sorted = cells.toSorted((a, b) => a.classNumber - b.classNumber);
  const exact = sorted.filter((cell) => cell.exact);
  const ranged = nameOf(sorted.filter((cell) => !cell.exact));
  return exact.length === 0 ? ranged : `${nameOf(exact)}|${ranged}`;
};

/** By address: the stretch that holds it. Stretches of a family are sorted and disjoint. */
const finder = (stretches: readonly Stretch<ClassRow>[]) => {
  const byFamily = {
    4: stretches.filter(({ family }) => family === 4),
    6: stretches.filter(({ family }) => family === 6),
  } satisfies Record<IpFamily, unknown>;
  return (address: IpAddress): Stretch<ClassRow> | undefined => {
    const parsed = parseIp(address);
    if (parsed === null) throw new TypeError(`\`${address}\` is no address`);
    const list = byFamily[parsed.family];
    let low = 0;
    let high = list.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((list[middle] as Stretch<ClassRow>).last < parsed.value) low = middle + 1;
      else high = middle;
    }
    const found = list[low];
    return found !== undefined && found.first <= parsed.value ? found : undefined;
  };
};

const rangesOf = ({ number, ranges }: NumberedClass) =>
  ranges.map(([first, last, row]) => {
    const [from, to] = [parseIp(first), parseIp(last)];
    if (from === null || to === null) throw new TypeError(`\`${first}\`-\`${last}\` is no range`);
    const tag: ClassRow = { classNumber: number, row };
    return { family: from.family, first: from.value, last: to.value, tag };
  });

const exactPairs = (classes: readonly NumberedClass[]): Map<IpAddress, ClassRow[]> => {
  const pairs = new Map<IpAddress, ClassRow[]>();
  for (const { number, exact } of classes)
    for (const [address, row] of exact) {
      const pair: ClassRow = { classNumber: number, row };
      const list = pairs.get(address);
      if (list === undefined) pairs.set(address, [pair]);
      else list.push(pair);
    }
  return pairs;
};

const cellsOf = (exact: readonly ClassRow[], ranged: readonly ClassRow[]): AtomCell[] => {
  const own = new Set(exact.map(({ classNumber }) => classNumber));
  return [
    ...exact.map((pair) => ({ ...pair, exact: true })),
    ...ranged
      .filter(({ classNumber }) => !own.has(classNumber))
      .map((pair) => ({ ...pair, exact: false })),
  ];
};

/** `classes` in a fixed order, so that names are comparable from one policy to the next. */
export const partition = (classes: readonly NumberedClass[]): Partition => {
  const stretches = sweep(classes.flatMap(rangesOf));
  const cells = new Map<string, readonly AtomCell[]>();
  const ranges = new Map<Cidr, string>();
  for (const stretch of stretches) {
    const own = cellsOf([], stretch.tags);
    const name = atomName(own);
    if (!cells.has(name)) cells.set(name, own);
    for (const cidr of rangeToCidrs(stretch)) ranges.set(cidr, name);
  }
  const stretchOf = finder(stretches);
  const peers = new Map<IpAddress, string>();
  for (const [address, exact] of exactPairs(classes)) {
    const ranged = stretchOf(address)?.tags ?? [];
    const own = cellsOf(exact, ranged);
    const name = atomName(own);
    if (!cells.has(name)) cells.set(name, own);
    peers.set(address, name);
  }
  return { peers, ranges, cells };
};
