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
  /** Copies of the group that were seen to do it. */
  readonly doers: ReadonlySet<string>;
  /** One at a time: no two of them were there together, but the one took the place of the other, as pods do. */
  readonly alone: boolean;
  /** How many copies were there at once when it was done, at most. */
  readonly copies: number;
  readonly firstSeen: number;
  /** When one of them was first seen to do anything; of who took another's place, when the group was. */
  readonly knownSince: number;
  readonly windows: number;
  /** By day since the epoch; empty where no history is known. */
  readonly days: readonly EdgeDay[];
}

export function habitsOf(
  needs: readonly RawNeed[],
  histories: ReadonlyMap<string, readonly EdgeDay[]>,
): readonly Habit[] {
  const lives = livesOf(needs);
  const key = ({ source, destination, protocol, port, edges }: RawNeed): string =>
    [source.key, peerKey(destination, edges), protocol, port].join("\n");
  return [...groupBy(needs, key).values()].flatMap((own): readonly Habit[] => {
    const [first] = own;
    if (first === undefined || first.source.kind !== "group") return [];
    const edges = own.flatMap((need) => need.edges);
    const { source, destination, protocol, port } = first;
    const doers = new Set(edges.map(doerOf));
    const alive = lives.get(source.key) ?? NOBODY;
    const text = `${nameOf(source)} → ${nameOf(destination, edges)} ${formatPort(protocol, port)}`;
    return [
      {
        needs: own,
        edges,
        text,
        doers,
        alone: areInTurn([...doers].flatMap((doer) => alive.get(doer) ?? [])),
        copies: mostAtOnce(edges, alive),
        firstSeen: edges.reduce((least, edge) => Math.min(least, edge.firstSeen), Infinity),
        knownSince: knownSince(doers, alive),
        windows: edges.reduce((sum, edge) => sum + edge.windows, 0),
        days: daysOf(edges, histories),
      },
    ];
  });
}

const NOBODY: ReadonlyMap<string, Picture> = new Map();

const doerOf = ({ source }: Edge): string => source.workload ?? source.address;

/** By group and copy: from the first to the last of all that it was seen to do. */
function livesOf(needs: readonly RawNeed[]): ReadonlyMap<string, ReadonlyMap<string, Picture>> {
  const lives = new Map<string, Map<string, Picture>>();
  for (const { source, edges } of needs) {
    const own = lives.get(source.key) ?? new Map<string, Picture>();
    lives.set(source.key, own);
    for (const edge of edges) {
      const { start, end } = own.get(doerOf(edge)) ?? { start: Infinity, end: -Infinity };
      own.set(doerOf(edge), {
        start: Math.min(start, edge.firstSeen),
        end: Math.max(end, edge.lastSeen),
      });
    }
  }
  return lives;
}

/** While one copy is replaced by the next, both are there for a while. */
function areInTurn(lives: readonly Picture[]): boolean {
  const inTime = lives.toSorted((a, b) => a.start - b.start);
  return inTime.every((life, at) => {
    const next = inTime[at + 1];
    return next === undefined || life.end - next.start <= DAY_MS;
  });
}

function knownSince(doers: ReadonlySet<string>, lives: ReadonlyMap<string, Picture>): number {
  const all = [...lives.values()];
  const first = all.reduce((least, { start }) => Math.min(least, start), Infinity);
  let since = Infinity;
  for (const doer of doers) {
    const start = lives.get(doer)?.start ?? Infinity;
    const tookOver = all.some(({ end }) => Math.abs(end - start) <= DAY_MS);
    since = Math.min(since, tookOver ? first : start);
  }
  return since;
}

/** `edges`: when it was done. */
function mostAtOnce(edges: readonly Edge[], lives: ReadonlyMap<string, Picture>): number {
  let most = 0;
  for (const { firstSeen, lastSeen } of edges) {
    const middle = (firstSeen + lastSeen) / 2;
    let there = 0;
    for (const { start, end } of lives.values()) if (start <= middle && middle <= end) there += 1;
    most = Math.max(most, there);
  }
  return most;
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
