/**
 * What a change of policy would have done to traffic that was seen: every distinct edge decided by the old set and by
 * the new one. Ends are judged as who they were: a workload by its present labels if it still is there, else by those
 * recorded with the edge. `oldIndex` tells who is there before the change, where the change relabels them too.
 */
import type {
  Decision,
  Direction,
  Edge,
  FlowEnd,
  FlowQuery,
  IpAddress,
  PolicySet,
  Workload,
  WorkloadId,
} from "@bulkhead/model";
import { decide } from "./decide.ts";
import { createSeating, type Seat, type Seating } from "./decider.ts";
import { endsOf, type Ends } from "./flow-ends.ts";
import { isProcess, type InventoryIndex, type Place } from "./inventory-index.ts";
import { createSameJudges } from "./same-judges.ts";
import type { DecideOptions, View } from "./judge-stage.ts";

export interface ReplayedEdge {
  readonly edge: Edge;
  readonly before: Decision;
  readonly after: Decision;
}

export interface Replay {
  readonly newlyDenied: readonly ReplayedEdge[];
  readonly newlyAllowed: readonly ReplayedEdge[];
  /** How many edges are decided alike. */
  readonly unchanged: number;
}

export function replay(
  oldSet: PolicySet,
  newSet: PolicySet,
  edges: readonly Edge[],
  index: InventoryIndex,
  now: number,
  view: View = "live",
  oldIndex: InventoryIndex = index,
): Replay {
  const newlyDenied: ReplayedEdge[] = [];
  const newlyAllowed: ReplayedEdge[] = [];
  let unchanged = 0;
  const judge = createReplay({ before: oldSet, after: newSet, index, now, view, oldIndex });
  for (const edge of edges) {
    const change = judge(edge);
    if (change === null) unchanged++;
    else (change.after.verdict === "allow" ? newlyAllowed : newlyDenied).push(change);
  }
  return { newlyDenied, newlyAllowed, unchanged };
}

export interface ReplayOptions extends DecideOptions {
  readonly before: PolicySet;
  readonly after: PolicySet;
  readonly index: InventoryIndex;
  /** Absent: the same. */
  readonly oldIndex?: InventoryIndex;
}

/** The same, an edge at a time, for histories that are not to be held whole. Null: decided alike. */
export function createReplay({
  before,
  after,
  index,
  oldIndex = index,
  ...options
}: ReplayOptions): (edge: Edge) => ReplayedEdge | null {
  const formerly = createJudge(before, oldIndex, options);
  const presently = createJudge(after, index, options);
  const isUntouched = index === oldIndex ? untouchedBetween(formerly, presently) : null;
  return (edge) =>
    isUntouched?.(edge) === true || formerly.allows(edge) === presently.allows(edge)
      ? null
      : { edge, before: formerly.decide(edge), after: presently.decide(edge) };
}

/** A recorded flow as a question, with the processes that were at its ends. */
export function queryOf(
  {
    source,
    destination,
    protocol,
    port,
  }: Pick<Edge, "source" | "destination" | "protocol" | "port">,
  index: InventoryIndex,
): FlowQuery {
  const process = ({ workload = "" }: FlowEnd) => index.process(workload)?.id;
  const [from, to] = [process(source), process(destination)];
  return {
    source: source.address,
    destination: destination.address,
    protocol,
    port,
    ...(from === undefined ? {} : { sourceProcess: from }),
    ...(to === undefined ? {} : { destinationProcess: to }),
  };
}

/** Ends that were looked up, before all of them are forgotten. */
const MOST_ENDS = 100_000;

/** An address as it is seated under both sets; whether they say the same of it. */
interface SeatedEnd {
  readonly workload: WorkloadId | undefined;
  readonly egress: boolean;
  readonly ingress: boolean;
}

/**
 * Edges about whose ends both sets say the same are decided alike, whatever that is: most edges, for a change touches few.
 * Null: it cannot be told so.
 */
function untouchedBetween(
  { seating: before }: SeatedJudge,
  { seating: after }: SeatedJudge,
): ((edge: Edge) => boolean) | null {
  const isSame = before && after && createSameJudges(before, after);
  if (before === null || after === null || isSame === null) return null;
  const ends = new Map<IpAddress, SeatedEnd>();
  const seated = (address: IpAddress): SeatedEnd => {
    let end = ends.get(address);
    if (end === undefined) {
      const [was, is] = [before.seatOf(address), after.seatOf(address)];
      const sameIn = (direction: Direction) =>
        !is.isLoopback && isSame(was.judges[direction], is.judges[direction]);
      const { workload } = is.place;
      end = { workload: workload?.id, egress: sameIn("egress"), ingress: sameIn("ingress") };
      if (ends.size >= MOST_ENDS) ends.clear();
      ends.set(address, end);
    }
    return end;
  };
  return ({ source, destination }) => {
    const from = seated(source.address);
    if (!from.egress || !isHere(from, source)) return false;
    const to = seated(destination.address);
    return to.ingress && isHere(to, destination);
  };
}

function isHere(seated: SeatedEnd, { workload }: FlowEnd): boolean {
  return workload === undefined || seated.workload === workload;
}

export interface EdgeJudge {
  allows(edge: Edge): boolean;
  decide(edge: Edge): Decision;
  /** Who was at its ends: what peers are compared with. */
  ends(edge: Edge): Ends;
}

/** Decides recorded edges by one set, ends as who they were. */
export function createEdgeJudge(
  set: PolicySet,
  index: InventoryIndex,
  options: DecideOptions,
): EdgeJudge {
  return createJudge(set, index, options);
}

interface SeatedJudge extends EdgeJudge {
  /** Null: rows do not say all. */
  readonly seating: Seating | null;
}

/** Those whose ends are who they were, which are most, by look-up. */
function createJudge(set: PolicySet, index: InventoryIndex, options: DecideOptions): SeatedJudge {
  const seating = createSeating(set, index, options);
  const seen = createSight(index);
  const judge: SeatedJudge = {
    seating,
    allows: (edge) => judge.decide(edge).verdict === "allow",
    decide(edge) {
      const then = seen(edge);
      return decide(set, then, queryOf(edge, then), options);
    },
    ends(edge) {
      const then = seen(edge);
      return endsOf(then, queryOf(edge, then));
    },
  };
  if (seating === null) return judge;
  /** Null: an end is no longer who it was, or rows do not tell. */
  const looked = <T>(
    edge: Edge,
    ask: (from: Seat, to: Seat, flow: Pick<Edge, "protocol" | "port">) => T | null,
  ): T | null => {
    const { source, destination } = edge;
    const [from, to] = [seating.seatOf(source.address), seating.seatOf(destination.address)];
    return isStill(from, source) && isStill(to, destination) ? ask(from, to, edge) : null;
  };
  return {
    seating,
    allows: (edge) => looked(edge, seating.allows) ?? judge.allows(edge),
    decide: (edge) => looked(edge, seating.decide) ?? judge.decide(edge),
    ends: judge.ends,
  };
}

function isStill({ place }: Seat, { workload }: FlowEnd): boolean {
  return workload === undefined || place.workload?.id === workload;
}

/** The index with the ends of an edge in it as they were; the same one where they still are so. */
function createSight(index: InventoryIndex): (edge: Edge) => InventoryIndex {
  const onHosts = new Set(
    index.inventory.workloads.flatMap(({ id, hostNetwork }) => (hostNetwork ? [id] : [])),
  );
  return ({ source, destination }) => {
    const places = new Map<string, Place>();
    const gone = new Map<WorkloadId, Workload>();
    for (const end of [source, destination]) {
      const present = index.at(end.address);
      const owner = ownerAsSeen(index, present, end, onHosts);
      if (owner === undefined) continue;
      if (isProcess(owner)) gone.set(owner.id, owner);
      else {
        const { address, family, value, interfaces, sockets } = present;
        const rest = { address, family, value, rivals: [], interfaces, sockets };
        places.set(address, { ...rest, kind: "workload", workload: owner });
      }
    }
    if (places.size + gone.size === 0) return index;
    return {
      ...index,
      at: (address) => places.get(address) ?? index.at(address),
      process: (id) => index.process(id) ?? gone.get(id),
    };
  };
}

/** Undefined: it is the present one, or whoever the query names. */
function ownerAsSeen(
  index: InventoryIndex,
  { kind, workload }: Place,
  end: FlowEnd,
  onHosts: ReadonlySet<WorkloadId>,
): Workload | undefined {
  const { workload: id } = end;
  if (id === undefined || workload?.id === id || index.process(id) !== undefined) return undefined;
  if (onHosts.has(id)) return undefined;
  return index.workloads.get(id) ?? departed(end, id, kind === "host" ? "process" : "external");
}

function departed(end: FlowEnd, id: WorkloadId, kind: Workload["kind"]): Workload {
  const slash = id.indexOf("/");
  return {
    id,
    namespace: id.slice(0, slash),
    name: id.slice(slash + 1),
    kind,
    labels: end.labels,
    addresses: kind === "process" ? [] : [end.address],
    namedPorts: [],
    hostNetwork: false,
  };
}
