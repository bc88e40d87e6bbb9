/**
 * Who talks to whom, as numbers: each source, destination and port once, in an order that does not depend on the order of
 * the edges. What never was answered, was denied, or comes of a source that searches says nothing about a role and is left out.
 */
import { DAY_MS, type Edge, type FlowEnd } from "@bulkhead/model";
import { DEFAULT_BEHAVIOUR, judgeSources, sourceKey } from "../behaviour.ts";
import { EPHEMERAL_FROM } from "../ephemeral.ts";
import type { Member } from "../groups.ts";
import { compareText } from "../order.ts";
import { wasTaken } from "../payload.ts";

export interface Conversations {
  /** Sorted by id; their index is their number. */
  readonly members: readonly Member[];
  /** Who is no member: `host`, a set, a domain name. Their numbers go on where those of members end. */
  readonly outsiders: readonly string[];
  /** `tcp 5432` as one number each: protocol * 65536 + port. */
  readonly ports: readonly number[];
  readonly source: Int32Array;
  readonly destination: Int32Array;
  /** Index into `ports`. */
  readonly port: Int32Array;
  /** How much it tells: a habit everything, what was seen once or twice half. */
  readonly weight: Float64Array;
  /** From the first to the last that was seen of it. */
  readonly begun: Float64Array;
  readonly ended: Float64Array;
  /** By end: when it was seen first, and last. */
  readonly first: Float64Array;
  readonly last: Float64Array;
  /** By member: domain names that it was called by, sorted. */
  readonly calledAs: readonly (readonly string[])[];
}

/** Anybody outside: says that somebody is there, not who. */
export const ANYBODY = "world";
const HABIT_WINDOWS = 3;
/** Windows a day: less is no habit, however long it is watched. */
const HABIT_A_DAY = 0.2;
const ONCE = 0.5;
const HIGH_PORT_HABIT = 10;

export function conversationsOf(
  edges: readonly Edge[],
  members: readonly Member[],
  flagged: ReadonlyMap<string, unknown> = judgeSources(edges, DEFAULT_BEHAVIOUR),
): Conversations {
  const sorted = members.toSorted((a, b) => compareText(a.id, b.id));
  const numberOf = new Map(sorted.map(({ id }, at) => [id, at]));
  const counted = edges.filter((edge) => tells(edge) && !flagged.has(sourceKey(edge)));
  const outsider = outsidersOf(counted);
  const names = new Set<string>();
  const portSet = new Set<number>();
  for (const edge of counted) {
    for (const end of [edge.source, edge.destination]) {
      if (end.workload === undefined || !numberOf.has(end.workload)) names.add(outsider(end));
    }
    portSet.add(portOf(edge));
  }
  const outsiders = [...names].toSorted(compareText);
  const outside = new Map(outsiders.map((name, at) => [name, sorted.length + at]));
  const ports = [...portSet].toSorted((a, b) => a - b);
  const portNumber = new Map(ports.map((port, at) => [port, at]));
  const ends = sorted.length + outsiders.length;
  const numbered = (end: FlowEnd): number => {
    const known = end.workload === undefined ? undefined : numberOf.get(end.workload);
    return known ?? outside.get(outsider(end)) ?? ends;
  };
  const habitOf = habitsOf(counted);
  const first = new Float64Array(ends).fill(Infinity);
  const last = new Float64Array(ends).fill(-Infinity);
  const windows = new Map<number, number>();
  const habits = new Map<number, number>();
  const spans = new Map<number, { begun: number; ended: number }>();
  for (const edge of counted) {
    const [from, to] = [numbered(edge.source), numbered(edge.destination)];
    if (from === to || (from >= sorted.length && to >= sorted.length)) continue;
    for (const end of [from, to]) {
      first[end] = Math.min(first[end] ?? Infinity, edge.firstSeen);
      last[end] = Math.max(last[end] ?? -Infinity, edge.lastSeen);
    }
    const key = (from * ends + to) * ports.length + (portNumber.get(portOf(edge)) ?? 0);
    const seen = edge.connections === 0 ? Infinity : edge.windows;
    windows.set(key, (windows.get(key) ?? 0) + seen);
    habits.set(key, habitOf(edge.source, edge.destination));
    const span = spans.get(key) ?? { begun: Infinity, ended: -Infinity };
    span.begun = Math.min(span.begun, edge.firstSeen);
    span.ended = Math.max(span.ended, edge.lastSeen);
    spans.set(key, span);
  }
  const keys = Float64Array.from(windows.keys()).toSorted();
  const found: Conversations = {
    members: sorted,
    outsiders,
    ports,
    source: new Int32Array(keys.length),
    destination: new Int32Array(keys.length),
    port: new Int32Array(keys.length),
    weight: new Float64Array(keys.length),
    begun: Float64Array.from(keys, (key) => spans.get(key)?.begun ?? Infinity),
    ended: Float64Array.from(keys, (key) => spans.get(key)?.ended ?? -Infinity),
    first,
    last,
    calledAs: namesOf(counted, sorted, numberOf),
  };
  for (const [at, key] of keys.entries()) {
    const pair = Math.floor(key / ports.length);
    found.port[at] = key - pair * ports.length;
    found.source[at] = Math.floor(pair / ends);
    found.destination[at] = pair % ends;
    found.weight[at] = (windows.get(key) ?? 0) >= (habits.get(key) ?? 0) ? 1 : ONCE;
  }
  return found;
}

/** So many windows make a habit of two, in the time in which both were there. */
function habitsOf(edges: readonly Edge[]): (one: FlowEnd, other: FlowEnd) => number {
  const lives = new Map<string, { first: number; last: number }>();
  for (const { source, destination, firstSeen, lastSeen } of edges) {
    for (const { workload, address } of [source, destination]) {
      const life = lives.get(workload ?? address);
      if (life === undefined) lives.set(workload ?? address, { first: firstSeen, last: lastSeen });
      else {
        life.first = Math.min(life.first, firstSeen);
        life.last = Math.max(life.last, lastSeen);
      }
    }
  }
  return (one, other) => {
    const [a, b] = [one, other].map(({ workload, address }) => lives.get(workload ?? address));
    if (a === undefined || b === undefined) return HABIT_WINDOWS;
    const together = Math.min(a.last, b.last) - Math.max(a.first, b.first);
    return Math.max(HABIT_WINDOWS, (HABIT_A_DAY * together) / DAY_MS);
  };
}

function namesOf(
  edges: readonly Edge[],
  members: readonly Member[],
  numberOf: ReadonlyMap<string, number>,
): readonly (readonly string[])[] {
  const names = members.map(() => new Set<string>());
  for (const { destination } of edges) {
    const own = names[numberOf.get(destination.workload ?? "") ?? -1];
    if (own !== undefined) for (const name of destination.names ?? []) own.add(name);
  }
  return names.map((own) => [...own].toSorted(compareText));
}

function tells(edge: Edge): boolean {
  const passed = edge.verdict === "forwarded" || edge.verdict === "audit";
  return passed && edge.probe !== true && wasTaken(edge);
}

/** High ports that are no habit are one: which of them it was, is chance. */
function portOf({ protocol, port, windows }: Edge): number {
  const chance = port >= EPHEMERAL_FROM && windows <= HIGH_PORT_HABIT;
  return protocol * 65_536 + (chance ? 0 : port);
}

/**
 * Who it is that is no member: by name; by address, where several of ours have to do with it; else anybody, since who came
 * once from somewhere says nothing.
 */
function outsidersOf(edges: readonly Edge[]): (end: FlowEnd) => string {
  const seenBy = new Map<string, string | undefined>();
  for (const { source, destination } of edges) {
    for (const [end, other] of [
      [source, destination],
      [destination, source],
    ] as const) {
      if (end.workload !== undefined) continue;
      const one = other.workload;
      const known = seenBy.get(end.address);
      seenBy.set(end.address, known === undefined || known === one ? one : SEVERAL);
    }
  }
  return (end) => {
    const [name] = end.names ?? [];
    if (name !== undefined) return name;
    if (end.name !== end.address && end.name !== ANYBODY) return end.name;
    return seenBy.get(end.address) === SEVERAL ? end.address : ANYBODY;
  };
}

/** No workload is called so. */
const SEVERAL = "";
