/**
 * From a compiled class to the look-ups that a datapath holds: exact entries only where the ranges would say something
 * else, ranges only where the default would, and the pieces of an overlay over disjoint stretches of addresses.
 */
import { wholeRange, type IpFamily } from "@bulkhead/model";
import type { Place } from "../inventory-index.ts";
import { walkTogether, type ClassMap, type WorldSegment } from "./class-map.ts";
import type { Piece, TimedRow } from "./timed-row.ts";

export interface EmittedRange {
  readonly family: IpFamily;
  readonly first: bigint;
  readonly last: bigint;
  /** Number in the row table. */
  readonly row: number;
}

export interface EmittedOverlay {
  readonly family: IpFamily;
  readonly first: bigint;
  readonly last: bigint;
  readonly pieces: readonly Piece[];
}

export interface EmittedMap {
  /** Position in `index.known`, row. */
  readonly exact: readonly (readonly [number, number])[];
  readonly ranges: readonly EmittedRange[];
  readonly defaultRow: number;
  readonly overlay: readonly EmittedOverlay[];
}

/** `skip`: known addresses that are never looked up in this class. */
export function emitMap(
  map: ClassMap,
  known: readonly Place[],
  skip: (place: Place) => boolean,
): EmittedMap {
  const defaultRow = map.elsewhere.base;
  const ranges: EmittedRange[] = [];
  for (const { family, first, last, row } of map.world) {
    const previous = ranges.at(-1);
    if (row.base === defaultRow) continue;
    if (previous?.family === family && previous.last + 1n === first && previous.row === row.base) {
      ranges[ranges.length - 1] = { ...previous, last };
    } else {
      ranges.push({ family, first, last, row: row.base });
    }
  }

  const beneath = new Map<number, number>();
  if (ranges.length > 0) {
    walkTogether(known, ranges, (position, range) => beneath.set(position, range.row));
  }
  const exact: [number, number][] = [];
  let timed = map.elsewhere.pieces.length > 0 || map.world.some(({ row }) => row.pieces.length > 0);
  for (let position = 0; position < known.length; position++) {
    if (skip(known[position]!)) continue;
    const row = map.rowOfKnown(position);
    timed ||= row.pieces.length > 0;
    if (row.base !== (beneath.get(position) ?? defaultRow)) exact.push([position, row.base]);
  }
  return { exact, ranges, defaultRow, overlay: timed ? emitOverlay(map, known, skip) : [] };
}

function emitOverlay(
  map: ClassMap,
  known: readonly Place[],
  skip: (place: Place) => boolean,
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

  const singles = known.flatMap((place, position) => (skip(place) ? [] : [{ place, position }]));
  let at = 0;
  for (const { family, first, last, row } of worldWhole(map)) {
    let from = first;
    for (; at < singles.length; at++) {
      const { place, position } = singles[at]!;
      if (place.family !== family || place.value > last) break;
      add(family, from, place.value - 1n, row, false);
      add(family, place.value, place.value, map.rowOfKnown(position), true);
      from = place.value + 1n;
    }
    add(family, from, last, row, false);
  }
  return out;
}

/** Every address of both families, as stretches with the row that holds there for the world. */
function* worldWhole(map: ClassMap): Iterable<WorldSegment> {
  for (const family of [4, 6] as const) {
    const whole = wholeRange(family);
    let from = whole.first;
    for (const segment of map.world) {
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
