/** Who told of a subject: since when each way of looking did, and how much of it rests on which. */
import {
  AGENT_ORIGIN,
  formatsOf,
  HOUR_MS,
  type EdgeHistory,
  type FlowFormat,
  type OriginShare,
} from "@bulkhead/model";
import { by, push } from "../order.ts";
import { sightOf } from "./sight.ts";
import type { Subject } from "./subjects.ts";

/**
 * The hour in which each first told of it, milliseconds since the epoch; `first` is that of all. Of an edge that two told of, both
 * since its first.
 */
export function firstTold(
  edges: Subject["edges"],
  first: number,
  now: number,
): ReadonlyMap<FlowFormat, number> {
  if (isOurs(edges)) return new Map([[AGENT_ORIGIN.format, first]]);
  const own = new Map<FlowFormat, EdgeHistory[]>();
  for (const same of edges.values()) {
    for (const history of same) {
      for (const format of formatsOf(history.edge)) {
        push(own, format, history);
      }
    }
  }
  return new Map(
    [...own].flatMap(([format, told]) =>
      sightOf(told, now).map(({ firstHour }) => [format, firstHour * HOUR_MS] as const),
    ),
  );
}

/** Asked first, of a million edges: a set for each of them costs more than all the rest. */
const isOurs = (edges: Subject["edges"]): boolean =>
  edges.values().every((same) => same.every(({ edge }) => edge.origins === undefined));

/** Empty where our own collectors alone told. */
export function sharesOf(edges: Subject["edges"]): readonly OriginShare[] {
  if (isOurs(edges)) return [];
  const found = new Map<FlowFormat, { edges: number; connections: number; alone: number }>();
  let all = 0;
  for (const same of edges.values()) {
    const told = new Set<FlowFormat>();
    for (const { edge } of same) {
      const formats = formatsOf(edge);
      all += edge.connections;
      for (const format of formats) {
        const sum = found.get(format) ?? { edges: 0, connections: 0, alone: 0 };
        found.set(format, sum);
        if (!told.has(format)) sum.edges += 1;
        told.add(format);
        sum.connections += edge.connections;
        if (formats.size === 1) sum.alone += edge.connections;
      }
    }
  }
  if ([...found.keys()].every((format) => format === AGENT_ORIGIN.format)) return [];
  const share = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole);
  return [...found]
    .map(([format, sum]) => ({
      format,
      edges: share(sum.edges, edges.size),
      connections: share(sum.connections, all),
      alone: share(sum.alone, all),
    }))
    .toSorted(
      by(
        (one) => -one.connections,
        (one) => one.format,
      ),
    );
}
