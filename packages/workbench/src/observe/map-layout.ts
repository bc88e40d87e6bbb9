/**
 * Where the nodes of a service map stand: in columns from left to right, callers before those they call, with few
 * crossings. Sugiyama's method in its simplest form: arrows that lead back are set aside, longest paths make the columns, and
 * barycentres the order within one. Nothing is random, and ties go by the order of the map.
 */
import type { Outcome } from "./outcome.ts";
import type { ServiceMap } from "./service-map.ts";

export interface Placed {
  readonly column: number;
  /** Place in the column, from the top. */
  readonly row: number;
}

export interface Layout {
  /** By id of the node. */
  readonly nodes: ReadonlyMap<string, Placed>;
  /** Where an arrow passes the columns between its ends, by `wayOf`; an arrow that leads back has no way. */
  readonly ways: ReadonlyMap<string, readonly Placed[]>;
  /** How many places each column has. */
  readonly sizes: readonly number[];
}

export function wayOf(from: string, to: string): string {
  return JSON.stringify([from, to]);
}

const SWEEPS = 8;

export function layOut(map: ServiceMap): Layout {
  const forward = withoutCycles(map);
  const ids = map.nodes.map(({ id }) => id);
  const { columns, next, chains } = withWays(columnsOf(ids, forward), forward);
  const places = rowsOf(columns, next);
  const placeOf = (id: string): Placed => places.get(id) ?? { column: 0, row: 0 };
  return {
    nodes: new Map(ids.map((id) => [id, placeOf(id)])),
    ways: new Map([...chains].map(([way, chain]) => [way, chain.map(placeOf)])),
    sizes: columns.map((column) => column.length),
  };
}

/** An arrow over several columns takes a place of its own in each, so that it leads past the nodes there. */
function withWays(
  columns: readonly (readonly string[])[],
  forward: ReadonlyMap<string, readonly string[]>,
) {
  const column = new Map(columns.flatMap((ids, index) => ids.map((id) => [id, index] as const)));
  const wider = columns.map((ids) => [...ids]);
  const next = new Map<string, string[]>();
  const chains = new Map<string, readonly string[]>();
  for (const [from, targets] of forward) {
    for (const to of targets) {
      const [first, last] = [(column.get(from) ?? 0) + 1, column.get(to) ?? 0];
      const way = wayOf(from, to);
      const chain = Array.from({ length: Math.max(0, last - first) }, (_, at) => `${way} ${at}`);
      chains.set(way, chain);
      chain.forEach((id, at) => wider[first + at]?.push(id));
      const steps = [from, ...chain, to];
      steps.slice(1).forEach((step, at) => {
        const before = steps[at] ?? from;
        next.set(before, [...(next.get(before) ?? []), step]);
      });
    }
  }
  return { columns: wider, next, chains };
}

const WEIGHTS: Readonly<Record<Outcome, number>> = { passed: 2, audit: 1, denied: 0 };

/** What carries most says what is before what; an arrow that would lead back by those already taken is left out. */
function withoutCycles({ nodes, arrows }: ServiceMap): ReadonlyMap<string, readonly string[]> {
  const forward = new Map<string, string[]>(nodes.map(({ id }) => [id, []]));
  const heaviest = arrows.toSorted(
    (a, b) => WEIGHTS[b.outcome] - WEIGHTS[a.outcome] || b.connections - a.connections,
  );
  for (const { from, to } of heaviest) {
    const taken = forward.get(from);
    if (taken === undefined || from === to || taken.includes(to)) continue;
    if (!reaches(forward, to, from)) taken.push(to);
  }
  return forward;
}

function reaches(
  forward: ReadonlyMap<string, readonly string[]>,
  from: string,
  to: string,
): boolean {
  const seen = new Set([from]);
  for (const id of seen) {
    if (id === to) return true;
    for (const next of forward.get(id) ?? []) seen.add(next);
  }
  return false;
}

/** Everybody as far to the right as the longest path of callers before it. */
function columnsOf(
  ids: readonly string[],
  forward: ReadonlyMap<string, readonly string[]>,
): readonly (readonly string[])[] {
  const waiting = new Map<string, number>(ids.map((id) => [id, 0]));
  for (const list of forward.values()) {
    for (const id of list) waiting.set(id, (waiting.get(id) ?? 0) + 1);
  }
  const columns: string[][] = [];
  let ready = ids.filter((id) => waiting.get(id) === 0);
  while (ready.length > 0) {
    columns.push(ready);
    const next: string[] = [];
    for (const id of ready) {
      for (const target of forward.get(id) ?? []) {
        const left = (waiting.get(target) ?? 0) - 1;
        waiting.set(target, left);
        if (left === 0) next.push(target);
      }
    }
    ready = ids.filter((id) => next.includes(id));
  }
  return columns;
}

function rowsOf(
  columns: readonly (readonly string[])[],
  forward: ReadonlyMap<string, readonly string[]>,
): ReadonlyMap<string, Placed> {
  const callers = new Map<string, string[]>();
  for (const [from, list] of forward) {
    for (const to of list) callers.set(to, [...(callers.get(to) ?? []), from]);
  }
  const places = new Map<string, Placed>();
  const settle = (ordered: readonly string[], column: number): void =>
    ordered.forEach((id, row) => places.set(id, { column, row }));
  columns.forEach(settle);
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    const rightwards = sweep % 2 === 0;
    const neighbours = rightwards ? callers : forward;
    const order = columns.map((_, index) => (rightwards ? index : columns.length - 1 - index));
    for (const column of order) {
      const here = (columns[column] ?? []).toSorted((a, b) => rowOf(a) - rowOf(b));
      const wished = new Map(here.map((id) => [id, middle(neighbours.get(id) ?? []) ?? rowOf(id)]));
      const wish = (id: string): number => wished.get(id) ?? 0;
      settle(
        here.toSorted((a, b) => wish(a) - wish(b) || rowOf(a) - rowOf(b)),
        column,
      );
    }
  }
  return places;

  function rowOf(id: string): number {
    return places.get(id)?.row ?? 0;
  }

  function middle(list: readonly string[]): number | undefined {
    if (list.length === 0) return undefined;
    return list.reduce((sum, id) => sum + rowOf(id), 0) / list.length;
  }
}
