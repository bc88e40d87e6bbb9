/**
 * Folds recorded flows, of whatever format, into the edges that suggestions and replays are made of. What cannot be read is
 * counted and the first of it quoted; nothing is fatal. Memory is bounded by the number of edges, not by that of flows.
 */
import {
  DAY_MS,
  HOUR_MS,
  type Edge,
  FLOW_VERDICTS,
  type EdgeDay,
  type EdgeHistory,
  type Flow,
  type FlowEnd,
  type FlowOrigin,
  type Inventory,
  type Workload,
} from "@bulkhead/model";
import type { FlowSink, Malformed } from "@bulkhead/sources";

const QUOTED = 5;
/** A network that has more like connections than this has a scan, or ports that are drawn by lot. */
const MOST_EDGES = 1_000_000;
/** Kinds of what is no flow: more are counted together. */
const MOST_KINDS = 50;
/** Distinct seconds of one edge that are told apart; beyond them only new ones later than all before count. */
const MOST_SECONDS = 3600;

export interface ImportedFlows {
  readonly edges: readonly Edge[];
  /** The same edges in the same order, each with its days. */
  readonly histories: readonly EdgeHistory[];
  /** Who was seen, as far as the record tells: each with its latest labels. */
  readonly inventory: Inventory;
  /** In the time that was asked for. */
  readonly flows: number;
  /** Outside the time that was asked for: flows, or packets where the format tells of those. */
  readonly outside: number;
  /** Events that the exporter itself had lost. */
  readonly lost: number;
  /** Flows whose edges did not fit in memory. */
  readonly beyond: number;
  /** Well-formed records that tell of no connection, by what they are. */
  readonly others: Readonly<Record<string, number>>;
  readonly malformed: { readonly count: number; readonly quoted: readonly Malformed[] };
}

export interface FlowFold extends FlowSink {
  result(): ImportedFlows;
}

/** An `EdgeDay` that is counted up. */
type OpenDay = { -readonly [K in keyof EdgeDay]: EdgeDay[K] };

interface Gathered {
  /** The latest: labels may change while flows are recorded. */
  latest: Flow;
  sourceNames: ReadonlySet<string>;
  destinationNames: ReadonlySet<string>;
  readonly origins: Map<string, FlowOrigin>;
  lastOrigin: FlowOrigin | undefined;
  readonly days: Map<number, OpenDay>;
  readonly seconds: Set<number>;
  lastSecond: number;
  windows: number;
  connections: number;
  established: number;
  failed: number;
  bytes: number;
  packets: number;
  firstSeen: number;
  lastSeen: number;
}

/** `wanted`: is this moment one to learn from? */
export function createFlowFold(
  wanted: (time: number) => boolean = () => true,
  most = MOST_EDGES,
): FlowFold {
  const gathered = new Map<string, Gathered>();
  const byEnds = createShortcut();
  const others = new Map<string, number>();
  const quoted: Malformed[] = [];
  let flows = 0;
  let malformed = 0;
  let outside = 0;
  let beyond = 0;
  let lost = 0;

  return {
    flow(flow) {
      if (!wanted(flow.start) || !wanted(flow.end)) {
        outside += tellsPackets(flow) ? flow.packets : 1;
        return;
      }
      const near = byEnds.find(flow);
      if (near !== undefined) {
        flows += 1;
        gather(near, flow);
        return;
      }
      const key = edgeKey(flow);
      const known = gathered.get(key);
      if (known === undefined && gathered.size >= most) {
        beyond += 1;
        return;
      }
      const one = known ?? emptyOf(flow);
      if (known === undefined) gathered.set(key, one);
      byEnds.note(flow, one);
      flows += 1;
      gather(one, flow);
    },
    malformed(problem) {
      malformed += 1;
      if (quoted.length < QUOTED) quoted.push(problem);
    },
    other(what) {
      const kind = others.has(what) || others.size < MOST_KINDS ? what : "others";
      others.set(kind, (others.get(kind) ?? 0) + 1);
    },
    lost(events) {
      lost += events;
    },
    result() {
      const all = [...gathered.values()];
      const edges = all.map(edgeOf);
      return {
        edges,
        histories: edges.map((edge, at) => ({ edge, days: daysOf(all[at]?.days.values() ?? []) })),
        inventory: everybodyIn(edges),
        flows,
        outside,
        lost,
        beyond,
        others: Object.fromEntries([...others].toSorted(([a], [b]) => (a < b ? -1 : 1))),
        malformed: { count: malformed, quoted },
      };
    },
  };
}

/** So many edges are found without writing out what they are. */
const MOST_NEAR = 200_000;

/** Readers give the same end as the same object: most flows are of an edge found by its ends alone. */
function createShortcut() {
  const edges = new Map<FlowEnd, Map<FlowEnd, Map<number, Gathered>>>();
  let size = 0;
  const kindOf = ({ protocol, port, verdict }: Flow): number =>
    (protocol * 65_536 + port) * FLOW_VERDICTS.length + FLOW_VERDICTS.indexOf(verdict);
  return {
    find(flow: Flow): Gathered | undefined {
      if (flow.rule !== undefined) return undefined;
      return edges.get(flow.source)?.get(flow.destination)?.get(kindOf(flow));
    },
    note(flow: Flow, one: Gathered): void {
      if (flow.rule !== undefined) return;
      if (size >= MOST_NEAR) {
        edges.clear();
        size = 0;
      }
      size += 1;
      const there = edges.get(flow.source) ?? new Map<FlowEnd, Map<number, Gathered>>();
      edges.set(flow.source, there);
      const kinds = there.get(flow.destination) ?? new Map<number, Gathered>();
      there.set(flow.destination, kinds);
      kinds.set(kindOf(flow), one);
    },
  };
}

/** What was counted outside is what the file has: packets, in formats of packets. */
function tellsPackets({ origin }: Flow): boolean {
  return origin?.format === "hubble" || origin?.format === "pcap";
}

function emptyOf(flow: Flow): Gathered {
  return {
    latest: flow,
    sourceNames: new Set(),
    destinationNames: new Set(),
    origins: new Map(),
    lastOrigin: undefined,
    days: new Map(),
    seconds: new Set(),
    lastSecond: Number.NEGATIVE_INFINITY,
    windows: 0,
    connections: 0,
    established: 0,
    failed: 0,
    bytes: 0,
    packets: 0,
    firstSeen: flow.start,
    lastSeen: flow.end,
  };
}

function gather(one: Gathered, flow: Flow): void {
  if (isLater(flow, one.latest)) one.latest = flow;
  if (flow.source.names !== undefined) one.sourceNames = joined(one.sourceNames, flow.source);
  if (flow.destination.names !== undefined) {
    one.destinationNames = joined(one.destinationNames, flow.destination);
  }
  // Readers give like flows the very same origin.
  if (flow.origin !== undefined && flow.origin !== one.lastOrigin) {
    const { format, sampling, aggregation, direction } = flow.origin;
    one.lastOrigin = flow.origin;
    one.origins.set(`${format} ${sampling} ${aggregation} ${direction}`, flow.origin);
  }
  one.connections += flow.connections;
  one.established += flow.established;
  one.failed += flow.failed;
  one.bytes += flow.bytes;
  one.packets += flow.packets;
  one.firstSeen = Math.min(one.firstSeen, flow.start);
  one.lastSeen = Math.max(one.lastSeen, flow.end);
  countDay(one.days, flow);
  if (flow.connections === 0) return;
  countSecond(one, Math.floor(flow.start / 1000));
  // A flow put together of packets was seen more than once.
  if (tellsPackets(flow)) countSecond(one, Math.floor(flow.end / 1000));
}

/** Hours are those in which connections began. */
function countDay(days: Map<number, OpenDay>, { start, connections }: Flow): void {
  const day = Math.floor(start / DAY_MS);
  const hour = connections > 0 ? 1 << Math.floor((start - day * DAY_MS) / HOUR_MS) : 0;
  const known = days.get(day);
  if (known !== undefined && (known.hours | hour) === known.hours) {
    known.connections += connections;
    return;
  }
  days.set(day, {
    day,
    hours: (known?.hours ?? 0) | hour,
    connections: (known?.connections ?? 0) + connections,
  });
}

const daysOf = (days: Iterable<EdgeDay>): readonly EdgeDay[] =>
  [...days].toSorted((a, b) => a.day - b.day);

function countSecond(one: Gathered, second: number): void {
  if (second > one.lastSecond) {
    one.lastSecond = second;
    one.windows += 1;
    if (one.seconds.size < MOST_SECONDS) one.seconds.add(second);
  } else if (!one.seconds.has(second) && one.seconds.size < MOST_SECONDS) {
    one.seconds.add(second);
    one.windows += 1;
  }
}

/** Of one moment, the order of records must not matter. */
function isLater(a: Flow, b: Flow): boolean {
  if (a.end !== b.end) return a.end > b.end;
  if (a.source === b.source && a.destination === b.destination) return false;
  return JSON.stringify([a.source, a.destination]) > JSON.stringify([b.source, b.destination]);
}

/** What flows of one edge have in common. */
export function edgeKey({
  source,
  destination,
  protocol,
  port,
  verdict,
  rule = "",
}: Pick<Flow, "source" | "destination" | "protocol" | "port" | "verdict" | "rule">): string {
  return `${source.address} ${source.name}\n${destination.address} ${destination.name}\n${protocol} ${port} ${verdict} ${rule}`;
}

function joined(known: ReadonlySet<string>, { names = [] }: FlowEnd): ReadonlySet<string> {
  return names.every((name) => known.has(name)) ? known : new Set([...known, ...names]);
}

function edgeOf({
  latest,
  origins,
  days: _d,
  seconds: _s,
  lastSecond: _l,
  lastOrigin: _o,
  ...one
}: Gathered): Edge {
  const { protocol, port, verdict, source, destination, rule } = latest;
  const { sourceNames, destinationNames, ...sums } = one;
  return {
    source: withNames(source, sourceNames),
    destination: withNames(destination, destinationNames),
    protocol,
    port,
    verdict,
    ...(rule === undefined ? {} : { rule }),
    ...sums,
    ...(origins.size === 0 ? {} : { origins: [...origins.values()] }),
  };
}

function withNames(end: FlowEnd, names: ReadonlySet<string>): FlowEnd {
  const sorted = [...names].toSorted();
  return end.workload !== undefined || sorted.length === 0 ? end : { ...end, names: sorted };
}

/** Addresses that several bore in turn are nobody's here: the edges themselves say who had them when. */
export function everybodyIn(edges: readonly Edge[]): Inventory {
  const workloads = new Map<string, { end: FlowEnd; at: number; addresses: Set<string> }>();
  for (const edge of edges) {
    for (const end of [edge.source, edge.destination]) {
      if (end.workload === undefined) continue;
      const known = workloads.get(end.workload);
      const addresses = known?.addresses ?? new Set();
      addresses.add(end.address);
      const newer = known === undefined || edge.lastSeen >= known.at;
      workloads.set(
        end.workload,
        newer ? { end, at: edge.lastSeen, addresses } : { ...known, addresses },
      );
    }
  }
  const all = [...workloads].map(([id, { end, addresses }]): Workload => {
    const slash = id.indexOf("/");
    return {
      id,
      namespace: id.slice(0, slash),
      name: id.slice(slash + 1),
      kind: "pod",
      labels: end.labels,
      addresses: [...addresses].toSorted(),
      namedPorts: [],
      hostNetwork: false,
    };
  });
  const hosts = edges.flatMap(({ source, destination }) => [source, destination]);
  return {
    workloads: all.toSorted((a, b) => (a.id < b.id ? -1 : 1)),
    namespaces: [...new Set(all.map(({ namespace }) => namespace))]
      .toSorted()
      .map((name) => ({ name, labels: { "kubernetes.io/metadata.name": name } })),
    hostAddresses: [
      ...new Set(hosts.flatMap((end) => (end.name === "host" ? [end.address] : []))),
    ].toSorted(),
  };
}
