/**
 * What two folders permit differently, pair by pair: the symmetric difference of their two lists. Found for all ends of
 * the same parties at once; stretches of the world end where either side changes, and nowhere else.
 */
import { emptyPorts, equalPorts, isEmptyPorts, type IpRange, type PortSet } from "@bulkhead/model";
import type { Connectivity } from "./connectivity.ts";
import { isAlikeInWords, isSameInWords, isToldByIpv4 } from "./beyond-lines.ts";
import { isNodeName, rangeName } from "./end-names.ts";
import { expand, type Expansion, type Row } from "./expansion.ts";
import { WHOLE_WORLD, type WorldView } from "./pairs.ts";
import type { WorldPiece } from "./world-pieces.ts";

export type DifferenceKind = "changed" | "added" | "removed";

export interface Difference {
  readonly kind: DifferenceKind;
  readonly source: string;
  readonly destination: string;
  /** Empty where nothing is permitted. */
  readonly before: PortSet;
  readonly after: PortSet;
  /** Ends that are only in one of the folders. */
  readonly onlyThere: readonly string[];
}

interface Change {
  readonly end: string;
  readonly before: PortSet;
  readonly after: PortSet;
}

/** Which of them are told. */
interface Choice {
  inside(source: string, change: Change): boolean;
  /** `all`: of the same end, the same way. */
  world(name: string, piece: ChangedPiece, all: readonly ChangedPiece[]): boolean;
}

/** Sorted by source, then by destination. Can be walked again. Cuts of the view do not matter. */
export function differencesOf(
  before: Connectivity,
  after: Connectivity,
  view: WorldView = WHOLE_WORLD,
): Iterable<Difference> {
  return chosen(before, after, view, {
    inside: () => true,
    world: (_, { range }) => view.families.includes(range.family),
  });
}

/** Those that lines in netpol-analyzer's words, as `cutWorld` has them, do not tell. */
export function differencesBeyondLines(
  before: Connectivity,
  after: Connectivity,
): Iterable<Difference> {
  return chosen(before, after, WHOLE_WORLD, {
    inside: (source, { end, ...ports }) =>
      isNodeName(source) || isNodeName(end) || isAlikeInWords(ports),
    world: (name, piece, all) =>
      isNodeName(name) ||
      isAlikeInWords(piece) ||
      (piece.range.family === 6 && !isToldByIpv4(all, (other) => isSameInWords(other, piece))),
  });
}

/** Have netpol-analyzer's lines words for it? They know no nodes. */
export function isTellable(one: Difference): boolean {
  return !isAlikeInWords(one) && !isNodeName(one.source) && !isNodeName(one.destination);
}

function chosen(
  before: Connectivity,
  after: Connectivity,
  view: WorldView,
  choice: Choice,
): Iterable<Difference> {
  const [was, is] = [expand(before, view), expand(after, view)];
  const names = [...new Set([...was.names, ...is.names])].toSorted();
  const rows = rowChanges(names, was, is);
  const world = (name: string, way: "to" | "from"): readonly Change[] =>
    overlay(was.worldOf(name, way), is.worldOf(name, way))
      .filter((piece, _, all) => choice.world(name, piece, all))
      .map(({ range, ...ports }) => ({ end: rangeName(range), ...ports }));
  const onlyThere = (kind: DifferenceKind, ends: readonly string[]): readonly string[] => {
    if (kind === "changed") return [];
    const [here, there] = kind === "added" ? [after, before] : [before, after];
    return ends.filter((end) => here.workloads.has(end) && !there.workloads.has(end));
  };
  const told = (source: string, { end, ...ports }: Change): Difference => {
    const kind = isEmptyPorts(ports.before)
      ? "added"
      : isEmptyPorts(ports.after)
        ? "removed"
        : "changed";
    return { kind, source, destination: end, ...ports, onlyThere: onlyThere(kind, [source, end]) };
  };
  return {
    *[Symbol.iterator]() {
      const worldly = new Map<string, Change[]>();
      for (const name of names) {
        for (const { end, ...ports } of world(name, "from")) {
          const found = worldly.get(end);
          if (found === undefined) worldly.set(end, [{ end: name, ...ports }]);
          else found.push({ end: name, ...ports });
        }
      }
      for (const source of [...names, ...worldly.keys()].toSorted()) {
        const changes =
          worldly.get(source) ??
          [
            ...rows(source).filter((one) => one.end !== source && choice.inside(source, one)),
            ...world(source, "to"),
          ].toSorted((a, b) => (a.end < b.end ? -1 : 1));
        for (const change of changes) yield told(source, change);
      }
    },
  };
}

/** Among workloads; the same list for all sources that reach the same on either side. */
function rowChanges(
  names: readonly string[],
  was: Expansion,
  is: Expansion,
): (source: string) => readonly Change[] {
  const ranks = ({ rankOf }: Expansion) => names.map(rankOf);
  const [ranksBefore, ranksAfter] = [ranks(was), ranks(is)];
  const known = new Map<Row, Map<Row, readonly Change[]>>();
  return (source) => {
    const [rowBefore, rowAfter] = [was.rowOf(source), is.rowOf(source)];
    let found = known.get(rowBefore)?.get(rowAfter);
    if (found === undefined) {
      found = names.flatMap((end, at): Change[] => {
        const before = rowBefore[ranksBefore[at]!] ?? emptyPorts;
        const after = rowAfter[ranksAfter[at]!] ?? emptyPorts;
        return equalPorts(before, after) ? [] : [{ end, before, after }];
      });
      const here = known.get(rowBefore) ?? new Map<Row, readonly Change[]>();
      known.set(rowBefore, here.set(rowAfter, found));
    }
    return found;
  };
}

interface ChangedPiece {
  readonly range: IpRange;
  readonly before: PortSet;
  readonly after: PortSet;
}

/** Both sorted and disjoint. Only where they differ; neighbours that differ alike are one. */
export function overlay(
  before: readonly WorldPiece[],
  after: readonly WorldPiece[],
): readonly ChangedPiece[] {
  return ([4, 6] as const).flatMap((family) => {
    const [was, is] = [before, after].map((all) =>
      all.filter(({ range }) => range.family === family),
    );
    const points = new Set(
      [...was!, ...is!].flatMap(({ range }) => [range.first, range.last + 1n]),
    );
    const edges = [...points].toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0));
    const out: ChangedPiece[] = [];
    for (const [at, end] of edges.slice(1).entries()) {
      const range: IpRange = { family, first: edges[at]!, last: end - 1n };
      const ports = { before: portsAt(was!, range), after: portsAt(is!, range) };
      if (equalPorts(ports.before, ports.after)) continue;
      const previous = out.at(-1);
      const adjoins =
        previous !== undefined &&
        previous.range.last + 1n === range.first &&
        equalPorts(previous.before, ports.before) &&
        equalPorts(previous.after, ports.after);
      if (!adjoins) out.push({ range, ...ports });
      else {
        out[out.length - 1] = { ...previous, range: { ...previous.range, last: range.last } };
      }
    }
    return out;
  });
}

function portsAt(pieces: readonly WorldPiece[], { first }: IpRange): PortSet {
  return (
    pieces.find(({ range }) => range.first <= first && first <= range.last)?.ports ?? emptyPorts
  );
}
