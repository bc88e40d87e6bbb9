/**
 * The port space cut into cells that the rules at hand cannot tell apart: per mentioned protocol its intervals between
 * rule boundaries, and one last cell for all other protocols. A row is one decision per cell.
 */
import type { Coverage } from "./class-program.ts";

export interface CellRange {
  readonly first: number;
  readonly last: number;
}

export interface PortCells {
  readonly count: number;
  /** Ascending. `starts[i]` is where cell `offset + i` begins; the first is 0. */
  readonly protocols: readonly {
    readonly protocol: number;
    readonly offset: number;
    readonly starts: readonly number[];
  }[];
}

const LAST_PORT = 0xffff;

export function cutCells(coverages: Iterable<readonly Coverage[]>): PortCells {
  const cuts = new Map<number, Set<number>>();
  for (const coverage of coverages) {
    for (const range of coverage) {
      if (range === "all") continue;
      let starts = cuts.get(range.protocol);
      if (starts === undefined) cuts.set(range.protocol, (starts = new Set([0])));
      starts.add(range.first);
      if (range.last < LAST_PORT) starts.add(range.last + 1);
    }
  }
  let count = 0;
  const protocols = [...cuts]
    .toSorted(([a], [b]) => a - b)
    .map(([protocol, starts]) => {
      const offset = count;
      count += starts.size;
      return { protocol, offset, starts: [...starts].toSorted((a, b) => a - b) };
    });
  return { count: count + 1, protocols };
}

/** The cells that a coverage holds. Its boundaries must have been given to `cutCells`. */
export function cellsOf(cells: PortCells, coverage: Coverage): CellRange {
  if (coverage === "all") return { first: 0, last: cells.count - 1 };
  const { starts, offset } = cells.protocols.find(
    ({ protocol }) => protocol === coverage.protocol,
  )!;
  return {
    first: offset + positionOf(starts, coverage.first),
    last: offset + positionOf(starts, coverage.last + 1) - 1,
  };
}

/** Where `value` stands in an ascending list, or would stand. */
function positionOf(sorted: readonly number[], value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
