/**
 * Where to start: what is most worth confining and what that would be worth, what is missing first, and how far everything has
 * come. Every number is computed from the policies at hand and from who is known to talk to whom; nothing is estimated.
 */
import { NOBODY_CONFINED, reachGraph, type Confinement, type Reach } from "@bulkhead/engine";
import type { InventoryIndex, ReachGraph } from "@bulkhead/engine";
import { isTowards } from "@bulkhead/learn";
import type { ConfiguredDependency, Edge, PolicySet, Workload, WorkloadId } from "@bulkhead/model";
import { answeringPorts, dataStoreOf } from "./data-stores.ts";
import { maturityOf, type Maturity } from "./maturity.ts";
import { prerequisitesOf, type Prerequisite } from "./prerequisites.ts";

/** What a live system tells besides; absent: it is a folder that is looked at. */
export interface LiveFacts {
  readonly modes: { readonly observe: number; readonly audit: number; readonly enforce: number };
  readonly collectors: readonly { readonly host: string; readonly alive: boolean }[];
  /** Edges on record, whatever they are worth. */
  readonly recorded: number;
  /** Events known to be lost. */
  readonly lost: number;
  /** Why control groups of the machine are not told apart, links that cannot be read, and the like. */
  readonly unread: readonly string[];
  readonly drift: "repair" | "report";
  readonly probe?: { readonly at: number; readonly failed: number };
  readonly readConfiguration: readonly string[];
}

export interface AssessInput {
  readonly set: PolicySet;
  readonly index: InventoryIndex;
  readonly now: number;
  /** Who was seen to talk to whom, scans left out. Absent: nobody looked. */
  readonly edges?: readonly Edge[];
  readonly dependencies: readonly ConfiguredDependency[];
  /** Lines of cron and the like that cannot be read, in sentences. */
  readonly unreadable?: readonly string[];
  /** Of the policies at hand, by `Kind/namespace/name`. */
  readonly policies: readonly { readonly name: string; readonly owner?: string }[];
  readonly exceptions: readonly { readonly name: string; readonly until?: number }[];
  readonly tests: number;
  /** Are they kept in a repository? Absent: nobody can tell. */
  readonly versioned?: boolean;
  readonly live?: LiveFacts;
}

/** What "only whom it is known to talk to" rests on. */
export type Basis = "flows" | "configuration" | "namespace";

export interface Jewel {
  readonly workload: WorkloadId;
  /** `PostgreSQL`; absent: nothing says that it keeps data. */
  readonly store?: string;
  readonly why: string;
  readonly openToWorld: boolean;
  readonly basis: Basis;
  readonly callers: number;
  readonly now: Reach;
  /** Confined to whom it is known to talk to. */
  readonly after: Reach;
  readonly command: string;
}

export interface Assessment {
  readonly at: number;
  readonly workloads: number;
  /** Others that an intruder in one workload reaches, on average over all of them: now, and with all of `jewels` confined. */
  readonly averageBlast: { readonly now: number; readonly after: number };
  /** What to do, most urgent first. */
  readonly first: readonly Step[];
  readonly jewels: readonly Jewel[];
  readonly prerequisites: readonly Prerequisite[];
  readonly maturity: Maturity;
}

export interface Step {
  readonly what: string;
  readonly why: string;
  readonly command: string;
}

const NEED: Readonly<Record<Basis, string>> = {
  flows: "were seen to need it",
  configuration: "are configured to call it",
  namespace: "are of its namespace, the only ones that it is sure to know",
};

/** What everybody calls, as a cluster has it: its namespace is no wall to think of. */
const EVERYBODYS = "kube-system";

const MOST_JEWELS = 10;
/** Of those who keep no data, so many with the greatest blast radius are looked at by themselves. */
const MOST_LOOKED_AT = 100;

export function assess(input: AssessInput): Assessment {
  const { set, index, now } = input;
  const graph = reachGraph(set, index, { now, view: "live" });
  const known = confinements(input, graph);
  const jewels = jewelsOf(input, graph, known);
  const together = new Map(
    jewels.map(({ workload }) => [workload, known.of(workload).confinement] as const),
  );
  const prerequisites = prerequisitesOf(input);
  const maturity = maturityOf(input, coverageOf(graph, index));
  return {
    at: now,
    workloads: graph.workloads,
    averageBlast: {
      now: graph.averageBlast(NOBODY_CONFINED),
      after: graph.averageBlast(together),
    },
    first: firstSteps(jewels, prerequisites, maturity),
    jewels,
    prerequisites,
    maturity,
  };
}

interface Known {
  of(workload: WorkloadId): { readonly basis: Basis; readonly confinement: Confinement };
}

/** By what was seen; else by what is configured; else its namespace alone, the widest that is still a wall. */
function confinements({ index, edges = [], dependencies }: AssessInput, graph: ReachGraph): Known {
  const calls = new Map<WorkloadId, Set<WorkloadId>>();
  const callers = new Map<WorkloadId, Set<WorkloadId>>();
  const basis = new Map<WorkloadId, Basis>();
  const note = (from: WorkloadId, to: WorkloadId, by: Basis): void => {
    if (from === to || !graph.has(from) || !graph.has(to)) return;
    (calls.get(from) ?? put(calls, from)).add(to);
    (callers.get(to) ?? put(callers, to)).add(from);
    for (const one of [from, to]) if (basis.get(one) !== "flows") basis.set(one, by);
  };
  for (const { source, destination } of edges) {
    if (source.workload !== undefined && destination.workload !== undefined)
      note(source.workload, destination.workload, "flows");
  }
  const workloads = [...index.workloads.values()];
  const byNamespace = Map.groupBy(workloads, ({ namespace }) => namespace);
  for (const one of dependencies) {
    for (const workload of workloads) {
      if (isTowards(edgeTo(workload, one), one)) note(one.workload, workload.id, "configuration");
    }
  }
  return {
    of(workload) {
      const by = basis.get(workload);
      if (by !== undefined) {
        const none: ReadonlySet<WorkloadId> = new Set();
        return {
          basis: by,
          confinement: {
            callers: callers.get(workload) ?? none,
            calls: calls.get(workload) ?? none,
          },
        };
      }
      const home = index.workloads.get(workload)?.namespace ?? "";
      const neighbours = new Set((byNamespace.get(home) ?? []).map(({ id }) => id));
      neighbours.delete(workload);
      return { basis: "namespace", confinement: { callers: neighbours, calls: neighbours } };
    },
  };
}

const put = (sets: Map<WorkloadId, Set<WorkloadId>>, key: WorkloadId): Set<WorkloadId> => {
  const fresh = new Set<WorkloadId>();
  sets.set(key, fresh);
  return fresh;
};

/** What an edge there would look like, for asking whether it is what is meant. */
function edgeTo(workload: Workload, { workload: from, port }: ConfiguredDependency): Edge {
  const { id, labels, addresses } = workload;
  return {
    source: { address: "0.0.0.0", name: from, workload: from, labels: {} },
    destination: { address: addresses[0] ?? "", name: id, workload: id, labels },
    protocol: 6,
    port: port ?? 0,
    verdict: "forwarded",
    connections: 0,
    established: 0,
    failed: 0,
    bytes: 0,
    packets: 0,
    firstSeen: 0,
    lastSeen: 0,
    windows: 0,
  };
}

/** Those that keep data, by how many could be kept from them; then those from which most can be reached. */
function jewelsOf(
  { index, edges = [], live }: AssessInput,
  graph: ReachGraph,
  known: Known,
): readonly Jewel[] {
  const ports = answeringPorts(edges);
  const nothing: ReadonlySet<number> = new Set();
  const all = [...index.workloads.values()]
    .filter(({ id }) => graph.has(id))
    .map((workload) => ({
      workload,
      store: dataStoreOf(workload, ports.get(workload.id) ?? nothing),
    }));
  const stores = all.filter(({ store }) => store !== undefined);
  const others = all
    .filter(({ store }) => store === undefined)
    .map((one) => ({ one, blast: graph.reachOf(one.workload.id, NOBODY_CONFINED).blast }))
    .toSorted((a, b) => b.blast - a.blast || (a.one.workload.id < b.one.workload.id ? -1 : 1))
    .slice(0, MOST_LOOKED_AT)
    .map(({ one }) => one);
  const judged = [...stores, ...others].flatMap(
    ({ workload: { id, namespace }, store }): Jewel[] => {
      const { basis, confinement } = known.of(id);
      if (basis === "namespace" && namespace === EVERYBODYS) return [];
      const openToWorld = graph.isOpenToWorld(id);
      return [
        {
          workload: id,
          ...(store === undefined ? {} : { store: store.what }),
          why:
            store?.why ??
            (openToWorld ? "the world may open connections to it" : "much lies behind it"),
          openToWorld,
          basis,
          callers: confinement.callers.size,
          now: graph.reachOf(id, NOBODY_CONFINED),
          after: graph.reachOf(id, new Map([[id, confinement]])),
          command: commandFor(namespace, basis, live !== undefined),
        },
      ];
    },
  );
  return judged
    .filter(isWorthIt)
    .toSorted(
      (a, b) =>
        Number(b.store !== undefined) - Number(a.store !== undefined) ||
        gain(b) - gain(a) ||
        Number(b.openToWorld) - Number(a.openToWorld) ||
        b.now.blast - a.now.blast ||
        (a.workload < b.workload ? -1 : 1),
    )
    .slice(0, MOST_JEWELS);
}

/** Fewer callers alone are worth something where they are kept from data, or the world from an entrance. */
const isWorthIt = ({ store, openToWorld, now, after }: Jewel): boolean =>
  after.blast < now.blast || ((store !== undefined || openToWorld) && after.direct < now.direct);

/** Of a store, whom it is kept from; of others, what is kept from an intruder there. */
const gain = ({ store, now, after }: Jewel): number =>
  store === undefined ? now.blast - after.blast : now.direct - after.direct;

function commandFor(namespace: string, basis: Basis, isLive: boolean): string {
  if (!isLive) return "suggest --flows flows.jsonl -d policies/";
  if (basis !== "flows") return "observe --follow";
  return `suggest -n ${namespace} -f ${namespace}.yaml`;
}

/** The share of workloads that not everybody may open a connection to. */
function coverageOf(graph: ReachGraph, index: InventoryIndex): number {
  const all = [...index.workloads.keys()].filter((id) => graph.has(id));
  if (all.length === 0) return 0;
  const walled = all.filter(
    (id) => graph.reachOf(id, NOBODY_CONFINED).direct < graph.workloads - 1,
  );
  return walled.length / all.length;
}

/** What hinders everything else, then the most precious, then the next rung. */
function firstSteps(
  jewels: readonly Jewel[],
  prerequisites: readonly Prerequisite[],
  maturity: Maturity,
): readonly Step[] {
  const steps: Step[] = prerequisites
    .filter(({ weight }) => weight === "blocks")
    .map(({ text, why, command }) => ({ what: text, why, command }));
  steps.push(
    ...jewels.slice(0, 3).map(({ workload, store, basis, now, after, command }): Step => ({
      what: `confine ${workload}${store === undefined ? "" : ` (${store})`}`,
      why:
        after.direct < now.direct
          ? `${now.direct} may connect to it now, and ${after.direct} ${NEED[basis]}`
          : `an intruder there reaches ${now.blast} others now, and ${after.blast} once it is confined`,
      command,
    })),
  );
  const next = maturity.rows.find(({ met }) => met === false);
  if (next !== undefined && !steps.some(({ command }) => command === next.command))
    steps.push({
      what: next.text,
      why: `it is what is missing for ${next.level}`,
      command: next.command,
    });
  return steps;
}
