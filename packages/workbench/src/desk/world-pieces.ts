/** Stretches of the world that one end may reach, or be reached from: overlaps united, neighbours that permit the same joined. */
import { equalPorts, union, type IpRange, type PortSet } from "@bulkhead/model";

export interface WorldPiece {
  readonly range: IpRange;
  readonly ports: PortSet;
}

/** Sorted, IPv4 first; as few as can be. */
export function worldPieces(found: readonly WorldPiece[]): readonly WorldPiece[] {
  return ([4, 6] as const).flatMap((family) =>
    joined(disjoint(found.filter(({ range }) => range.family === family))),
  );
}

/** Ends pieces of IPv4 at these addresses, even if the next permits the same. */
export function cutPieces(
  pieces: readonly WorldPiece[],
  cuts: readonly bigint[],
): readonly WorldPiece[] {
  return cuts.length === 0 ? pieces : pieces.flatMap((piece) => cutUp(piece, cuts));
}

function disjoint(found: readonly WorldPiece[]): readonly WorldPiece[] {
  const sorted = found.toSorted((a, b) => compare(a.range.first, b.range.first));
  const apart = sorted.every(
    ({ range }, at) => at === 0 || sorted[at - 1]!.range.last < range.first,
  );
  if (apart) return sorted;
  const points = new Set(sorted.flatMap(({ range }) => [range.first, range.last + 1n]));
  const edges = [...points].toSorted(compare);
  return edges.slice(1).flatMap((end, at): WorldPiece[] => {
    const first = edges[at]!;
    const over = sorted.filter(({ range }) => range.first <= first && first <= range.last);
    const [one, ...others] = over;
    if (one === undefined) return [];
    const ports = others.reduce((all, { ports: more }) => union(all, more), one.ports);
    return [{ range: { family: one.range.family, first, last: end - 1n }, ports }];
  });
}

function joined(pieces: readonly WorldPiece[]): readonly WorldPiece[] {
  const out: WorldPiece[] = [];
  for (const piece of pieces) {
    const before = out.at(-1);
    const adjoins =
      before !== undefined &&
      before.range.last + 1n === piece.range.first &&
      equalPorts(before.ports, piece.ports);
    if (!adjoins) out.push(piece);
    else {
      const range = { ...before.range, last: piece.range.last };
      out[out.length - 1] = { range, ports: before.ports };
    }
  }
  return out;
}

function cutUp({ range, ports }: WorldPiece, cuts: readonly bigint[]): readonly WorldPiece[] {
  if (range.family !== 4) return [{ range, ports }];
  const inside = cuts.filter((at) => range.first < at && at <= range.last);
  return [range.first, ...inside].map((first, at) => {
    const next = inside[at];
    return { range: { ...range, first, last: next === undefined ? range.last : next - 1n }, ports };
  });
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
