/**
 * What a need looks like in time and among the copies of a role: who of them does it, since when, on how many days, in which
 * hours. Histories tell days and hours; of edges without one only the first and the last sight and a count are known.
 */
import { DAY_MS, formatPort, type Edge, type EdgeDay, type EdgeHistory } from "@bulkhead/model";
import type { End } from "../ends.ts";
import { groupBy } from "../order.ts";
import type { RawNeed } from "../world.ts";

/** The time in which anything was seen at all. */
export interface Picture {
  readonly start: number;
  readonly end: number;
}

/** All that a group needs of one peer on one port, however many addresses that peer has. */
export interface Habit {
  readonly needs: readonly RawNeed[];
  readonly edges: readonly Edge[];
  /** Of whom it is said: `shop/web → shop/db 5432/tcp`. */
  readonly text: string;
  /** Copies of the group that were seen to do it, and all that were seen to do anything. */
  readonly doers: ReadonlySet<string>;
  readonly copies: number;
  readonly firstSeen: number;
  readonly windows: number;
  /** By day since the epoch; empty where no history is known. */
  readonly days: readonly EdgeDay[];
}

export function habitsOf(
  needs: readonly RawNeed[],
  histories: ReadonlyMap<string, readonly EdgeDay[]>,
): readonly Habit[] {
  const active = new Map<string, Set<string>>();
  for (const { source, edges } of needs) {
    const own = active.get(source.key) ?? new Set();
    active.set(source.key, own);
    for (const { source: end } of edges) own.add(end.workload ?? end.address);
  }
  const key = ({ source, destination, protocol, port, edges }: RawNeed): string =>
    [source.key, peerKey(destination, edges), protocol, port].join("\n");
  return [...groupBy(needs, key).values()].flatMap((own): readonly Habit[] => {
    const [first] = own;
    if (first === undefined || first.source.kind !== "group") return [];
    const edges = own.flatMap((need) => need.edges);
    const { source, destination, protocol, port } = first;
    const text = `${nameOf(source)} → ${nameOf(destination, edges)} ${formatPort(protocol, port)}`;
    return [
      {
        needs: own,
        edges,
        text,
        doers: new Set(edges.map((edge) => edge.source.workload ?? edge.source.address)),
        copies: active.get(source.key)?.size ?? 0,
        firstSeen: edges.reduce((least, edge) => Math.min(least, edge.firstSeen), Infinity),
        windows: edges.reduce((sum, edge) => sum + edge.windows, 0),
        days: daysOf(edges, histories),
      },
    ];
  });
}

export function pictureOf(needs: readonly RawNeed[]): Picture {
  let [start, end] = [Infinity, -Infinity];
  for (const { edges } of needs) {
    for (const edge of edges) {
      start = Math.min(start, edge.firstSeen);
      end = Math.max(end, edge.lastSeen);
    }
  }
  return { start, end };
}

/** By what an edge's history is found again after ends were recognised. */
export function historiesByEdge(
  histories: readonly EdgeHistory[],
): ReadonlyMap<string, readonly EdgeDay[]> {
  const found = new Map<string, readonly EdgeDay[]>();
  for (const { edge, days } of histories) {
    const key = edgeKey(edge);
    const known = found.get(key);
    found.set(key, known === undefined ? days : sumDays([...known, ...days]));
  }
  return found;
}

function edgeKey({ source, destination, protocol, port, verdict }: Edge): string {
  return [source.address, destination.address, protocol, port, verdict].join("\n");
}

function daysOf(
  edges: readonly Edge[],
  histories: ReadonlyMap<string, readonly EdgeDay[]>,
): readonly EdgeDay[] {
  const all = edges.map((edge) => histories.get(edgeKey(edge)));
  // Of a part of them nothing can be said.
  return all.includes(undefined) ? [] : sumDays(all.flatMap((days) => days ?? []));
}

function sumDays(days: readonly EdgeDay[]): readonly EdgeDay[] {
  const sums = new Map<number, EdgeDay>();
  for (const { day, hours, connections } of days) {
    const known = sums.get(day);
    sums.set(day, {
      day,
      hours: hours | (known?.hours ?? 0),
      connections: connections + (known?.connections ?? 0),
    });
  }
  return [...sums.values()].toSorted((a, b) => a.day - b.day);
}

/** The addresses behind a domain name are one peer. */
function peerKey(end: End, edges: readonly Edge[]): string {
  const [name] = end.kind === "address" ? (edges[0]?.destination.names ?? []) : [];
  return name === undefined ? end.key : `name ${name}`;
}

function nameOf(end: End, edges: readonly Edge[] = []): string {
  switch (end.kind) {
    case "group":
      return `${end.group.namespace}/${end.group.name}`;
    case "host":
      return "host";
    case "set":
      return end.name;
    case "address":
      return edges[0]?.destination.names?.[0] ?? end.address;
  }
}

export const daysBetween = (from: number, to: number): number => (to - from) / DAY_MS;
