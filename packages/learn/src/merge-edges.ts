/**
 * Edges of several spans of time as if they had been seen in one: what is left when the hours of an incident are cut out.
 * Ends are those of the latest sight, as the store has them.
 */
import { AGENT_ORIGIN, type Edge } from "@bulkhead/model";
import { compareText, groupBy } from "./order.ts";

export interface Span {
  /** Milliseconds since the epoch, inclusive; absent: from the beginning. */
  readonly since?: number;
  /** Exclusive; absent: until now. */
  readonly until?: number;
}

export interface TimeWindow {
  readonly from: number;
  readonly to: number;
}

/** What of a span is outside all windows, in order. Empty when they leave nothing. */
export function spansOutside(span: Span, windows: readonly TimeWindow[]): readonly Span[] {
  let rest: readonly Span[] = [span];
  for (const { from, to } of windows) {
    rest = rest.flatMap(({ since, until }): readonly Span[] => {
      const apart = (until !== undefined && until <= from) || (since !== undefined && since >= to);
      if (apart) return [bounded(since, until)];
      const before = since === undefined || since < from ? [bounded(since, from)] : [];
      const after = until === undefined || until > to ? [bounded(to, until)] : [];
      return [...before, ...after];
    });
  }
  return rest;
}

function bounded(since: number | undefined, until: number | undefined): Span {
  return {
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
  };
}

export function mergeEdges(edges: readonly Edge[]): readonly Edge[] {
  return [...groupBy(edges, keyOf).values()].flatMap((same) => {
    const latest = same.reduce((a, b) => (b.lastSeen > a.lastSeen ? b : a));
    if (same.length === 1) return same;
    const sum = (of: (edge: Edge) => number): number =>
      same.reduce((total, edge) => total + of(edge), 0);
    return [
      {
        ...latest,
        ...originsOf(same),
        source: { ...latest.source, ...namesOf(same.map((edge) => edge.source.names)) },
        destination: {
          ...latest.destination,
          ...namesOf(same.map((edge) => edge.destination.names)),
        },
        connections: sum((edge) => edge.connections),
        established: sum((edge) => edge.established),
        failed: sum((edge) => edge.failed),
        bytes: sum((edge) => edge.bytes),
        packets: sum((edge) => edge.packets),
        windows: sum((edge) => edge.windows),
        firstSeen: Math.min(...same.map((edge) => edge.firstSeen)),
        lastSeen: latest.lastSeen,
      },
    ];
  });
}

function keyOf({ source, destination, protocol, port, verdict, rule, probe }: Edge): string {
  const ends = [source, destination].flatMap((end) => [end.address, end.workload, end.name]);
  return JSON.stringify([...ends, protocol, port, verdict, rule, probe]);
}

/** Every way of looking once; our own collectors' stands there by name where another stands beside it. */
function originsOf(edges: readonly Edge[]): Pick<Edge, "origins"> {
  if (edges.every(({ origins }) => origins === undefined)) return {};
  const all = edges.flatMap(({ origins = [AGENT_ORIGIN] }) => origins);
  return {
    origins: [...groupBy(all, (origin) => JSON.stringify(origin)).values()].flatMap(
      ([one]) => one ?? [],
    ),
  };
}

function namesOf(lists: readonly (readonly string[] | undefined)[]): {
  readonly names?: readonly string[];
} {
  const names = [...new Set(lists.flatMap((list) => list ?? []))].toSorted(compareText);
  return names.length === 0 ? {} : { names };
}
