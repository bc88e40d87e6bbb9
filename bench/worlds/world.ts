/**
 * A world: its truth, and what can be seen of it up to a day or from a day on, as a store would give it: edges with their
 * days, and who is there. The same family, seed and size give the same world.
 */
import {
  countHours,
  HOUR_MS,
  type Edge,
  type EdgeDay,
  type EdgeHistory,
  type FlowEnd,
  type Inventory,
  type Watch,
  type Workload,
} from "@bulkhead/model";
import { needOf, type Blueprint } from "./blueprint.ts";
import { FIRST_DAY, HOURS } from "./calendar.ts";
import { buildEstate, type Estate, type Phase } from "./estate.ts";
import { FAMILIES, type Family } from "./families.ts";
import { createRandom } from "./random.ts";
import { timeOf, trafficOf, type Track } from "./traffic.ts";
import { intrusionOf, isThere, scansOf } from "./visitors.ts";

export interface WorldOptions {
  readonly seed: number;
  readonly days: number;
  /** 1 for a few hundred workloads. */
  readonly size: number;
}

export interface World extends WorldOptions {
  readonly family: Family;
  readonly blueprint: Blueprint;
  readonly estate: Estate;
  readonly tracks: readonly Track[];
  /** Lines of `needOf`. */
  readonly needs: ReadonlySet<string>;
}

export function createWorld(family: Family, options: WorldOptions): World {
  const random = createRandom(options.seed).fork(family);
  const blueprint = FAMILIES[family].draft(random.fork("blueprint"), options.size);
  const estate = buildEstate(blueprint, options.days, random.fork("estate"));
  const tracks = [
    ...trafficOf(blueprint, estate, random.fork("traffic")),
    ...scansOf(blueprint, estate, random.fork("scans")),
    ...intrusionOf(blueprint, estate, random.fork("intruder")),
  ];
  return {
    ...options,
    family,
    blueprint,
    estate,
    tracks,
    needs: new Set(blueprint.calls.map(needOf)),
  };
}

/** Everybody who is there in the hour. */
export function inventoryAt(world: World, hour: number): Inventory {
  return inventoryOf([...world.estate.phases.values()].flat().filter(isThere(hour)));
}

/** Nobody outside; names are as they are, so that each may be there once. */
export function inventoryOf(phases: readonly Phase[]): Inventory {
  const inside = phases.filter(({ role }) => role.kind !== "outside");
  return {
    workloads: inside.map(workloadOf),
    namespaces: [...new Set(inside.map(({ role }) => role.namespace))].map((name) => ({
      name,
      labels: {},
    })),
    hostAddresses: [],
  };
}

function workloadOf({ workload, role, labels, address }: Phase): Workload {
  return {
    id: workload,
    namespace: role.namespace,
    name: workload.slice(role.namespace.length + 1),
    kind: role.kind === "vm" ? "vm" : "pod",
    labels,
    addresses: [address],
    namedPorts: [],
    hostNetwork: false,
  };
}

/** What was seen before that day of the world; `since` a day, where not all of it is asked for. */
export function historiesUntil(world: World, day: number, since = 0): readonly EdgeHistory[] {
  return world.tracks.flatMap((track): readonly EdgeHistory[] => {
    const days = daysWithin(track.days, FIRST_DAY + since, FIRST_DAY + day);
    return days.length === 0 ? [] : [{ edge: edgeOf(track, days), days }];
  });
}

/** Those of `from` up to before `until`. */
export function daysWithin(
  days: readonly EdgeDay[],
  from: number,
  until: number,
): readonly EdgeDay[] {
  const [first, last] = [days[0], days.at(-1)];
  if (first === undefined || last === undefined) return [];
  if (first.day >= from && last.day < until) return days;
  if (first.day >= until || last.day < from) return [];
  return days.slice(firstFrom(days, from), firstFrom(days, until));
}

function firstFrom(days: readonly EdgeDay[], day: number): number {
  let [low, high] = [0, days.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((days[middle]?.day ?? Infinity) < day) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Somebody looked all the time. */
export function watchUntil(day: number): readonly Watch[] {
  return Array.from({ length: day }, (_, at) => ({ day: FIRST_DAY + at, hours: 0xff_ff_ff }));
}

const WINDOWS_AN_HOUR = 3600;
const FAILURES = 0.003;
/** Packets and bytes of a connection: an exchange, a handshake and a reset, a packet without an answer (see learn's `payload.ts`). */
const SIZES = { data: [12, 3000], empty: [4, 224], failed: [1, 60] } as const;

export function edgeOf(track: Track, days: readonly EdgeDay[]): Edge {
  const { source, destination, protocol, port, outcome } = track;
  let [connections, windows] = [0, 0];
  for (const day of days) {
    connections += day.connections;
    windows += Math.min(day.connections, WINDOWS_AN_HOUR * countHours(day.hours));
  }
  const failed = outcome === "failed" ? connections : Math.floor(connections * FAILURES);
  const [packets, bytes] = SIZES[outcome];
  const [first, last] = [days[0], days.at(-1)];
  if (first === undefined || last === undefined) throw new Error("an edge that nobody saw");
  return {
    source: endOf(source),
    destination: endOf(destination),
    protocol,
    port,
    verdict: "forwarded",
    connections,
    established: connections - failed,
    failed,
    bytes: connections * bytes,
    packets: connections * packets,
    firstSeen: timeOf(
      (first.day - FIRST_DAY) * HOURS + 31 - Math.clz32(first.hours & -first.hours),
    ),
    lastSeen: timeOf((last.day - FIRST_DAY) * HOURS + 32 - Math.clz32(last.hours)) - HOUR_MS / 2,
    windows,
  };
}

const ends = new WeakMap<Phase, FlowEnd>();

function endOf(phase: Phase): FlowEnd {
  const known = ends.get(phase);
  if (known !== undefined) return known;
  const { workload, address, labels, role } = phase;
  const end: FlowEnd =
    role.kind === "outside"
      ? { address, name: "world", labels: {}, names: [role.name] }
      : { address, workload, name: workload, labels };
  ends.set(phase, end);
  return end;
}
