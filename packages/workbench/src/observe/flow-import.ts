/**
 * Folds an export of flows, line by line, into the edges that suggestions are made of. Lines that cannot be read are counted
 * and the first of them quoted; nothing in an export is fatal. Hubble tells of packets, at several places: those of one
 * connection are told apart by its ports and counted once.
 */
import type { Edge, Flow, FlowEnd, Inventory, IpAddress, Workload } from "@bulkhead/model";
import { readHubbleLine, type HubbleRecord } from "./hubble-record.ts";

const QUOTED = 5;
const QUOTE_LENGTH = 120;

export interface Malformed {
  readonly line: number;
  readonly problem: string;
  readonly quote: string;
}

export interface ImportedFlows {
  readonly edges: readonly Edge[];
  /** Of each edge the latest packet, as a connection by itself. */
  readonly latest: readonly Flow[];
  /** Who was seen, as far as the export tells: each with its latest labels. */
  readonly inventory: Inventory;
  readonly lines: number;
  readonly packets: number;
  /** Outside the time that was asked for. */
  readonly outside: number;
  /** Events that the exporter itself had lost. */
  readonly lost: number;
  /** Well-formed lines that tell of no connection, by what they are. */
  readonly others: Readonly<Record<string, number>>;
  readonly malformed: { readonly count: number; readonly quoted: readonly Malformed[] };
}

export interface FlowImport {
  line(text: string): void;
  result(): ImportedFlows;
}

type Packet = Extract<HubbleRecord, { kind: "packet" }>;

interface Gathered {
  /** Of the latest packet: labels may change while an export is written. */
  latest: Packet;
  readonly sourceNames: Set<string>;
  readonly destinationNames: Set<string>;
  readonly connections: Map<string, Shown>;
  readonly seconds: Set<number>;
  packets: number;
  firstSeen: number;
}

/** What was answered once stays so, whatever ended it. */
const SHOWN = ["opened", "refused", "answered"] as const;
type Shown = (typeof SHOWN)[number];

/** `wanted`: is this moment one to learn from? */
export function createFlowImport(wanted: (time: number) => boolean = () => true): FlowImport {
  const gathered = new Map<string, Gathered>();
  const answers = new Map<string, Set<string>>();
  const others = new Map<string, number>();
  const quoted: Malformed[] = [];
  let lines = 0;
  let packets = 0;
  let malformed = 0;
  let outside = 0;
  let lost = 0;

  function take(record: HubbleRecord, text: string): void {
    switch (record.kind) {
      case "packet":
        packets += 1;
        if (wanted(record.time)) gather(gathered, record);
        else outside += 1;
        return;
      case "answer":
        for (const address of record.addresses) {
          const key = answerKey(record.client, address);
          answers.set(key, (answers.get(key) ?? new Set()).add(record.name));
        }
        return;
      case "lost":
        lost += record.events;
        return;
      case "other":
        others.set(record.what, (others.get(record.what) ?? 0) + 1);
        return;
      case "malformed":
        malformed += 1;
        if (quoted.length < QUOTED) {
          const quote = text.length > QUOTE_LENGTH ? `${text.slice(0, QUOTE_LENGTH)}…` : text;
          quoted.push({ line: lines, problem: record.problem, quote });
        }
    }
  }

  return {
    line(text) {
      lines += 1;
      const trimmed = text.trim();
      if (trimmed !== "") take(readHubbleLine(trimmed), trimmed);
    },
    result() {
      const edges = [...gathered.values()].map((one) => edgeOf(one, answers));
      return {
        edges,
        latest: [...gathered.values()].map(({ latest }) => flowOf(latest)),
        inventory: inventoryOf(edges),
        lines,
        packets,
        outside,
        lost,
        others: Object.fromEntries([...others].toSorted(([a], [b]) => (a < b ? -1 : 1))),
        malformed: { count: malformed, quoted },
      };
    },
  };
}

function gather(gathered: Map<string, Gathered>, packet: Packet): void {
  const key = edgeKey(packet);
  const one: Gathered = gathered.get(key) ?? {
    latest: packet,
    sourceNames: new Set(),
    destinationNames: new Set(),
    connections: new Map(),
    seconds: new Set(),
    packets: 0,
    firstSeen: packet.time,
  };
  gathered.set(key, one);
  if (isLater(packet, one.latest)) one.latest = packet;
  for (const name of packet.source.names ?? []) one.sourceNames.add(name);
  for (const name of packet.destination.names ?? []) one.destinationNames.add(name);
  one.packets += 1;
  one.firstSeen = Math.min(one.firstSeen, packet.time);
  one.seconds.add(Math.floor(packet.time / 1000));
  const connection = `${packet.source.address} ${packet.sourcePort}`;
  const shows = packet.shows === "more" ? "opened" : packet.shows;
  const known = one.connections.get(connection) ?? "opened";
  const more = SHOWN.indexOf(shows) > SHOWN.indexOf(known) ? shows : known;
  one.connections.set(connection, more);
}

/** Of one moment, the order of lines must not matter. */
function isLater(a: Packet, b: Packet): boolean {
  if (a.time !== b.time) return a.time > b.time;
  return JSON.stringify([a.source, a.destination]) > JSON.stringify([b.source, b.destination]);
}

/** What flows of one edge have in common. */
export function edgeKey({
  source,
  destination,
  protocol,
  port,
  verdict,
}: Pick<Flow, "source" | "destination" | "protocol" | "port" | "verdict">): string {
  const ends = [source, destination].map(({ address, name }) => `${address} ${name}`);
  return [...ends, protocol, port, verdict].join("\n");
}

function answerKey(client: IpAddress, address: IpAddress): string {
  return `${client} ${address}`;
}

function edgeOf(one: Gathered, answers: ReadonlyMap<string, ReadonlySet<string>>): Edge {
  const { protocol, port, verdict, source, destination, time } = one.latest;
  const states = [...one.connections.values()];
  const passed = verdict === "forwarded" || verdict === "audit";
  const told = answers.get(answerKey(source.address, destination.address)) ?? [];
  return {
    source: withNames(source, one.sourceNames),
    destination: withNames(destination, [...one.destinationNames, ...told]),
    protocol,
    port,
    verdict,
    connections: states.length,
    established: passed ? states.filter((state) => state === "answered").length : 0,
    failed: passed ? states.filter((state) => state === "refused").length : states.length,
    // Hubble counts no bytes: what was answered is taken to have carried something.
    bytes: 0,
    packets: one.packets,
    firstSeen: one.firstSeen,
    lastSeen: time,
    windows: one.seconds.size,
  };
}

/** Hubble tells no bytes, and one packet of a connection not how it ended. */
function flowOf({ time, shows, kind: _kind, ...packet }: Packet): Flow {
  const counts = { connections: 1, established: Number(shows === "answered"), failed: 0 };
  return { ...packet, start: time, end: time, ...counts, bytes: 0, packets: 1 };
}

function withNames(end: FlowEnd, names: Iterable<string>): FlowEnd {
  const sorted = [...new Set(names)].toSorted();
  return end.workload !== undefined || sorted.length === 0 ? end : { ...end, names: sorted };
}

/** Addresses that several bore in turn are nobody's here: the edges themselves say who had them when. */
function inventoryOf(edges: readonly Edge[]): Inventory {
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
