/**
 * From a compiled class to the look-ups that a datapath holds: exact entries only where the ranges would say something
 * else, ranges only where the default would, and the pieces of an overlay over disjoint stretches of addresses. What was
 * emitted before is taken on: only addresses that moved between atoms of different rows are touched.
 */
import { wholeRange, type IpFamily } from "@bulkhead/model";
import { byAddress, type Place } from "../inventory-index.ts";
import { compare } from "../order.ts";
import { LOOPBACK } from "../socket-owners.ts";
import { subtractRanges } from "./address-sweep.ts";
import type { Atom, AtomTable, Moves, RangeAtom } from "./atom-table.ts";
import type { ClassMap, WorldSegment } from "./class-map.ts";
import type { Piece, TimedRow } from "./timed-row.ts";

/** Rows here are numbers in the row table. */
export interface ExactEntry {
  readonly place: Pick<Place, "address" | "family" | "value">;
  readonly row: number;
}

export interface EmittedRange {
  readonly family: IpFamily;
  readonly first: bigint;
  readonly last: bigint;
  readonly row: number;
}

export interface EmittedOverlay {
  readonly family: IpFamily;
  readonly first: bigint;
  readonly last: bigint;
  readonly pieces: readonly Piece[];
}

/** What changes nothing leaves it the same object. */
export interface EmittedMap {
  /** Sorted by address. */
  readonly exact: readonly ExactEntry[];
  readonly ranges: readonly EmittedRange[];
  readonly defaultRow: number;
  readonly overlay: readonly EmittedOverlay[];
  /** Each row once. */
  readonly rows: readonly number[];
  /** Stretches of addresses that are the machine's, and not the world's. */
  readonly loopback: readonly RangeAtom[];
}

/** Known addresses that are never looked up in this class. */
type Skip = (atom: Atom) => boolean;

/** `moves`: since `before` was emitted. `meetsLoopback`: the class judges processes of the machine. */
export function emitMap(
  map: ClassMap,
  atoms: AtomTable,
  skip: Skip,
  meetsLoopback: boolean,
  before?: { readonly emitted: EmittedMap; readonly moves: Moves },
): EmittedMap {
  const loopback = meetsLoopback ? atoms.loopback : NO_RANGES;
  if (before === undefined || before.emitted.loopback !== loopback) {
    const moves = atoms.whole();
    const stretches = stretchesOf(map, loopback);
    return withRows({
      exact: patch([], moves, (atom) => entryOf(map, atom, skip)),
      ranges: worldRanges(map, stretches),
      defaultRow: map.elsewhere.base,
      overlay: isTimed(map, stretches, moves) ? emitOverlay(map, stretches, atoms, skip) : [],
      loopback,
    });
  }
  const { emitted, moves } = before;
  const exact = patch(emitted.exact, moves, (atom) => entryOf(map, atom, skip));
  const overlay = movesUnderOverlay(map, moves)
    ? emitOverlay(map, stretchesOf(map, loopback), atoms, skip)
    : emitted.overlay;
  const same = exact === emitted.exact && overlay === emitted.overlay;
  return same ? emitted : withRows({ ...emitted, exact, overlay });
}

const NO_RANGES: readonly RangeAtom[] = [];

/** Where prefixes or loopback make something else of an address than of the rest of the world. Sorted, disjoint. */
function stretchesOf(map: ClassMap, loopback: readonly RangeAtom[]): readonly WorldSegment[] {
  if (loopback.length === 0) return map.world;
  const outside = map.world.flatMap(({ row, ...range }) =>
    subtractRanges(range, [LOOPBACK[4]]).map((piece) => ({ ...piece, row })),
  );
  const inside = loopback.map(({ atom, ...range }) => ({ ...range, row: map.rowOf(atom) }));
  return [...outside, ...inside].toSorted(
    (a, b) => compare(a.family, b.family) || compare(a.first, b.first),
  );
}

function withRows(map: Omit<EmittedMap, "rows">): EmittedMap {
  const rows = new Set([map.defaultRow]);
  for (const { row } of map.ranges) rows.add(row);
  for (const { row } of map.exact) rows.add(row);
  return { ...map, rows: [...rows] };
}

/** The row of the atom's exact entries; undefined: they need none. */
function entryOf(map: ClassMap, atom: Atom, skip: Skip): number | undefined {
  if (skip(atom)) return undefined;
  const { base } = map.rowOf(atom);
  // What lies beneath is loopback's range, not the world.
  if (atom.isLoopback) return base;
  return base === map.beneath(atom).base ? undefined : base;
}

/** The entries after these moves. */
function patch(
  exact: readonly ExactEntry[],
  { places, groups }: Moves,
  entry: (atom: Atom) => number | undefined,
): readonly ExactEntry[] {
  const changed: number[] = [];
  const rows: (number | undefined)[] = [];
  for (const { before, after, members } of groups) {
    const [was, is] = [before && entry(before), after && entry(after)];
    if (was === is) continue;
    for (const position of members) {
      changed.push(position);
      rows[position] = is;
    }
  }
  if (changed.length === 0) return exact;
  const patched: ExactEntry[] = [];
  let at = 0;
  for (const position of Int32Array.from(changed).toSorted()) {
    const place = places[position]!;
    const row = rows[position];
    while (at < exact.length && byAddress(exact[at]!.place, place) < 0) patched.push(exact[at++]!);
    if (exact[at]?.place.address === place.address) at++;
    if (row !== undefined) patched.push({ place, row });
  }
  for (; at < exact.length; at++) patched.push(exact[at]!);
  return patched;
}

function worldRanges(map: ClassMap, stretches: readonly WorldSegment[]): EmittedRange[] {
  const ranges: EmittedRange[] = [];
  for (const { family, first, last, row } of stretches) {
    const previous = ranges.at(-1);
    if (row.base === map.elsewhere.base) continue;
    if (previous?.family === family && previous.last + 1n === first && previous.row === row.base) {
      ranges[ranges.length - 1] = { ...previous, last };
    } else {
      ranges.push({ family, first, last, row: row.base });
    }
  }
  return ranges;
}

function isTimed(map: ClassMap, stretches: readonly WorldSegment[], moves: Moves): boolean {
  return (
    map.elsewhere.pieces.length > 0 ||
    stretches.some(({ row }) => row.pieces.length > 0) ||
    movesUnderOverlay(map, moves)
  );
}

/** Does any move begin or end where something is timed? An address that comes or goes is one of the world before or after. */
function movesUnderOverlay(map: ClassMap, { groups }: Moves): boolean {
  const timed = (atom: Atom | undefined) =>
    atom !== undefined && map.rowOf(atom).pieces.length + map.beneath(atom).pieces.length > 0;
  return groups.some(({ before, after }) => timed(before) || timed(after));
}

function emitOverlay(
  map: ClassMap,
  stretches: readonly WorldSegment[],
  { places, atoms }: AtomTable,
  skip: Skip,
): EmittedOverlay[] {
  const out: (EmittedOverlay & { readonly single: boolean; readonly key: string })[] = [];
  const add = (
    family: IpFamily,
    first: bigint,
    last: bigint,
    { pieces }: TimedRow,
    single: boolean,
  ) => {
    if (pieces.length === 0 || first > last) return;
    const key = JSON.stringify(pieces);
    const previous = out.at(-1);
    // Two single addresses stay two: a hash finds them faster than an interval.
    if (
      previous?.family === family &&
      previous.last + 1n === first &&
      previous.key === key &&
      !(previous.single && single)
    ) {
      out[out.length - 1] = { ...previous, last, single: false };
    } else {
      out.push({ family, first, last, pieces, single, key });
    }
  };

  let at = 0;
  for (const { family, first, last, row } of worldWhole(map, stretches)) {
    let from = first;
    for (; at < places.length; at++) {
      const place = places[at]!;
      if (place.family !== family || place.value > last) break;
      if (skip(atoms[at]!)) continue;
      add(family, from, place.value - 1n, row, false);
      add(family, place.value, place.value, map.rowOf(atoms[at]!), true);
      from = place.value + 1n;
    }
    add(family, from, last, row, false);
  }
  return out;
}

/** Every address of both families, as stretches with the row that holds there for the world. */
function* worldWhole(map: ClassMap, stretches: readonly WorldSegment[]): Iterable<WorldSegment> {
  for (const family of [4, 6] as const) {
    const whole = wholeRange(family);
    let from = whole.first;
    for (const segment of stretches) {
      if (segment.family !== family) continue;
      if (from < segment.first) {
        yield { family, first: from, last: segment.first - 1n, row: map.elsewhere };
      }
      yield segment;
      from = segment.last + 1n;
    }
    if (from <= whole.last) yield { family, first: from, last: whole.last, row: map.elsewhere };
  }
}
