/** Connections written out, pair by pair, in the order of their names; one source at a time, never held all together. */
import type { IpFamily, PolicySet, PortSet } from "@bulkhead/model";
import { inWords } from "./connection-text.ts";
import type { Connectivity } from "./connectivity.ts";
import { isNodeName, rangeName } from "./end-names.ts";
import { expand, type Row, type Sight } from "./expansion.ts";
import { namedRanges } from "./stand-in-addresses.ts";
import { cutPieces, type WorldPiece } from "./world-pieces.ts";

export interface Pair {
  readonly source: string;
  readonly destination: string;
  readonly ports: PortSet;
}

/** What of the connections is seen, and how the world is written. */
export interface WorldView extends Sight {
  readonly families: readonly IpFamily[];
  /** Addresses at which stretches of the world end although the next permits the same. */
  readonly sourceCuts: readonly bigint[];
  readonly destinationCuts: readonly bigint[];
}

/** All of it, stretches as long as they can be. */
export const WHOLE_WORLD: WorldView = { families: [4, 6], sourceCuts: [], destinationCuts: [] };

/** netpol-analyzer's: TCP, UDP and SCTP over IPv4, no nodes, cut wherever an ipBlock of that direction begins or has ended. */
export function cutWorld(set: PolicySet): WorldView {
  const cutsOf = (direction: "ingress" | "egress"): readonly bigint[] => {
    const stages = set.stages.map((stage) => ({
      ...stage,
      blocks: stage.blocks.filter((block) => block.direction === direction),
    }));
    const named = namedRanges([{ ...set, stages }]).filter(({ family }) => family === 4);
    const points = new Set(named.flatMap(({ first, last }) => [first, last + 1n]));
    return [...points].toSorted((a, b) => (a < b ? -1 : 1));
  };
  return {
    families: [4],
    project: inWords,
    sees: (name) => !isNodeName(name),
    sourceCuts: cutsOf("ingress"),
    destinationCuts: cutsOf("egress"),
  };
}

/** Sorted by source, then by destination. */
export function* pairsOf(
  connectivity: Connectivity,
  view: WorldView = WHOLE_WORLD,
): Iterable<Pair> {
  const expansion = expand(connectivity, view);
  const { names } = expansion;
  const named = (pieces: readonly WorldPiece[], cuts: readonly bigint[]): readonly Reached[] =>
    cutPieces(
      pieces.filter(({ range }) => view.families.includes(range.family)),
      cuts,
    ).map(({ range, ports }) => ({ name: rangeName(range), ports }));
  // What is found once for all of a party is also written once.
  const from = remembering((pieces: readonly WorldPiece[]) => named(pieces, view.sourceCuts));
  const to = remembering((pieces: readonly WorldPiece[]) =>
    named(pieces, view.destinationCuts).toSorted((a, b) => (a.name < b.name ? -1 : 1)),
  );
  const among = remembering((row: Row): readonly Reached[] =>
    row.flatMap((ports, rank) => (ports === undefined ? [] : [{ name: names[rank]!, ports }])),
  );

  const worldly = new Map<string, (PortSet | undefined)[]>();
  for (const [rank, name] of names.entries()) {
    for (const piece of from(expansion.worldOf(name, "from"))) {
      let row = worldly.get(piece.name);
      if (row === undefined) worldly.set(piece.name, (row = []));
      row[rank] = piece.ports;
    }
  }
  for (const source of [...names, ...worldly.keys()].toSorted()) {
    const row = worldly.get(source);
    if (row !== undefined) yield* written(source, among(row), []);
    else {
      const world = to(expansion.worldOf(source, "to"));
      yield* written(source, among(expansion.rowOf(source)), world);
    }
  }
}

interface Reached {
  readonly name: string;
  readonly ports: PortSet;
}

function remembering<K extends object, V>(find: (key: K) => V): (key: K) => V {
  const known = new WeakMap<K, V>();
  return (key) => {
    let found = known.get(key);
    if (found === undefined) known.set(key, (found = find(key)));
    return found;
  };
}

/** Both sorted by name. */
function* written(
  source: string,
  inside: readonly Reached[],
  world: readonly Reached[],
): Iterable<Pair> {
  let at = 0;
  for (const { name, ports } of inside) {
    for (; at < world.length && world[at]!.name < name; at++) {
      yield { source, destination: world[at]!.name, ports: world[at]!.ports };
    }
    if (name !== source) yield { source, destination: name, ports };
  }
  for (; at < world.length; at++) {
    yield { source, destination: world[at]!.name, ports: world[at]!.ports };
  }
}
