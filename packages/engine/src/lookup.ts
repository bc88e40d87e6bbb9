/**
 * What a datapath does, in a few lines: look a flow up in a compiled HostPolicy. Used by tests to hold the compiler to
 * the reference, and by the agent to say what the kernel should have done.
 */
import {
  parseIp,
  takesPart,
  type ClassId,
  type Cookie,
  type DecisionVerdict,
  type Direction,
  type FlowQuery,
  type HostPolicy,
  type IpAddress,
  type IpFamily,
  type MapSet,
  type OverlayEntry,
  type PolicyMap,
  type ProcessOverlayEntry,
  type Row,
  type RowDecision,
  type RowId,
  type WorkloadId,
} from "@bulkhead/model";
import { compiledExemptions, type CompiledExemptions } from "./compiled-exemptions.ts";
import { compiledEnds, type CompiledEnds } from "./compiled-sockets.ts";
import { DEFAULT_COOKIE } from "./compile/decision-table.ts";
import type { Slot } from "./compile/judges.ts";
import type { View } from "./judge-stage.ts";

export interface LookedUp {
  readonly verdict: DecisionVerdict;
  /** Absent: the address in question is not judged here, or the flow is exempt. */
  readonly egress?: { readonly verdict: DecisionVerdict; readonly cookie: Cookie };
  readonly ingress?: { readonly verdict: DecisionVerdict; readonly cookie: Cookie };
}

export function lookup(policy: HostPolicy, view: View, query: FlowQuery, now: number): LookedUp {
  const { ends, exempt, classOf } = tablesOf(policy);
  const { canary } = policy;
  const inForce = view === "live" && canary && takesPart(query, canary) ? "canary" : "live";
  const slot = view === "shadow" ? view : inForce;
  const { source, destination, toItself, untold } = ends(query);
  const byAddress = source === undefined && destination === undefined;
  if ((toItself && !untold) || (byAddress && exempt.hairpin(query))) return { verdict: "allow" };

  const fromLease = source === undefined && exempt.dhcpRequest(query);
  const toLease = destination === undefined && exempt.dhcpAnswer(query);
  const speaks = classOf(slot, "egress", source ?? query.source);
  const egress =
    exempt.dns(query) || fromLease || toItself
      ? undefined
      : speaks?.decide({ address: query.destination }, query, now);
  const from = { address: query.source, process: source };
  const hears = (subject: Subject): RowDecision | undefined => {
    const found = classOf(slot, "ingress", subject);
    if (found === undefined || untold) return found && UNTOLD;
    return found.decide(from, query, now);
  };
  const asNode = () =>
    exempt.node(query) && !classOf(slot, "ingress", query.destination)?.knows(source);
  const isExempt = destination === undefined && (toLease || asNode() || exempt.ownNode(query));
  const ingress = isExempt ? undefined : hears(destination ?? query.destination);
  const denies = [egress, ingress].find((one) => one !== undefined && one.verdict !== "allow");
  return {
    verdict: denies?.verdict ?? "allow",
    ...(egress && { egress }),
    ...(ingress && { ingress }),
  };
}

/** Nobody has told of the socket, so nobody who speaks to it could be asked about it. */
const UNTOLD: RowDecision = { verdict: "drop", cookie: DEFAULT_COOKIE };

/** A local address, or a process of this machine: no address has a slash. */
type Subject = IpAddress | WorkloadId;

interface Peer {
  readonly address: IpAddress;
  readonly process?: WorkloadId | undefined;
}

/** The maps of one class in one direction. */
interface ClassLookUp {
  /** Is there a row for this process, whatever its address? */
  knows(process: WorkloadId | undefined): boolean;
  decide(peer: Peer, flow: Pick<FlowQuery, "protocol" | "port">, now: number): RowDecision;
}

interface Tables {
  readonly ends: (query: FlowQuery) => CompiledEnds;
  readonly exempt: CompiledExemptions;
  /** Undefined: it is not judged. */
  readonly classOf: (slot: Slot, direction: Direction, subject: Subject) => ClassLookUp | undefined;
}

const tablesByPolicy = new WeakMap<HostPolicy, Tables>();

function tablesOf(policy: HostPolicy): Tables {
  let tables = tablesByPolicy.get(policy);
  if (tables === undefined) {
    tables = buildTables(policy);
    tablesByPolicy.set(policy, tables);
  }
  return tables;
}

function buildTables(policy: HostPolicy): Tables {
  const rows = new Map(policy.rows.map((row) => [row.id, row]));
  const sets = {
    live: mapTables(policy.live, rows),
    shadow: mapTables(policy.shadow, rows),
    canary: mapTables(policy.canary?.maps ?? policy.live, rows),
  };
  return {
    ends: compiledEnds(policy),
    exempt: compiledExemptions(policy),
    classOf(slot, direction, subject) {
      const silent = slot === "shadow" && !sets.shadow.subjects[direction].has(subject);
      const { subjects, classes } = sets[silent ? "live" : slot];
      const classId = subjects[direction].get(subject);
      return classId === undefined ? undefined : classes.get(`${direction} ${classId}`);
    },
  };
}

function mapTables(set: MapSet, rows: ReadonlyMap<RowId, Row>) {
  const { subjects, processes, processOverlay = [] } = set;
  const keyOf = ({ direction, classId }: Pick<PolicyMap, "direction" | "classId">) =>
    `${direction} ${classId}`;
  const overlays = Map.groupBy(set.overlay, keyOf);
  const processOverlays = Map.groupBy(processOverlay, keyOf);
  const judged = (direction: Direction): ReadonlyMap<Subject, ClassId> =>
    new Map([...subjects[direction], ...(processes?.[direction] ?? [])]);
  return {
    subjects: { egress: judged("egress"), ingress: judged("ingress") },
    classes: new Map(
      set.maps.map((map): [string, ClassLookUp] => {
        const key = keyOf(map);
        const byAddress = addressLookUp(map, overlays.get(key) ?? [], rows);
        const byProcess = processLookUp(map, processOverlays.get(key) ?? [], rows);
        return [
          key,
          {
            knows: (process) => process !== undefined && byProcess.has(process),
            decide: ({ address, process = "" }, flow, now) =>
              byProcess.get(process)?.(flow, now) ?? byAddress(address, flow, now),
          },
        ];
      }),
    ),
  };
}

function processLookUp(
  { processes = [] }: PolicyMap,
  overlay: readonly ProcessOverlayEntry[],
  rows: ReadonlyMap<RowId, Row>,
) {
  const timed = Map.groupBy(overlay, ({ process }) => process);
  return new Map(
    processes.map(([process, row]) => [
      process,
      (flow: Pick<FlowQuery, "protocol" | "port">, now: number): RowDecision =>
        timed.get(process)?.find((entry) => holds(entry, flow, now))?.decision ??
        decisionIn(rows.get(row)!, flow),
    ]),
  );
}

function addressLookUp(
  map: PolicyMap,
  overlay: readonly OverlayEntry[],
  rows: ReadonlyMap<RowId, Row>,
) {
  const exact = new Map(map.exact);
  const ranges = map.ranges.map(([first, last, row]) => ({ ...rangeOf(first, last), row }));
  const timed = Map.groupBy(
    overlay.map((entry) => ({ ...entry, range: rangeOf(...entry.peer) })),
    ({ protocol }) => protocol,
  );
  return (
    peer: IpAddress,
    flow: Pick<FlowQuery, "protocol" | "port">,
    now: number,
  ): RowDecision => {
    const address = numeric(peer);
    const entry = timed
      .get(flow.protocol)
      ?.find((one) => holds(one, flow, now) && within(one.range, address));
    if (entry !== undefined) return entry.decision;
    const row = exact.get(peer) ?? ranges.find((range) => within(range, address))?.row;
    return decisionIn(rows.get(row ?? map.defaultRow)!, flow);
  };
}

function holds(
  { protocol, ports, deadline }: Omit<OverlayEntry, "peer">,
  flow: Pick<FlowQuery, "protocol" | "port">,
  now: number,
): boolean {
  const [first, last] = ports;
  return protocol === flow.protocol && deadline > now && first <= flow.port && flow.port <= last;
}

export function decisionIn(
  row: Omit<Row, "id">,
  { protocol, port }: Pick<FlowQuery, "protocol" | "port">,
): RowDecision {
  const listed = row.protocols.find((entry) => entry.protocol === protocol);
  if (listed === undefined) return row.others;
  return listed.intervals.find(({ first, last }) => first <= port && port <= last)!.decision;
}

interface NumericRange {
  readonly family: IpFamily;
  readonly first: bigint;
  readonly last: bigint;
}

function rangeOf(first: IpAddress, last: IpAddress): NumericRange {
  const from = numeric(first);
  return { family: from.family, first: from.value, last: numeric(last).value };
}

function within(
  range: NumericRange,
  { family, value }: { readonly family: IpFamily; readonly value: bigint },
): boolean {
  return range.family === family && range.first <= value && value <= range.last;
}

function numeric(address: IpAddress): { readonly family: IpFamily; readonly value: bigint } {
  const parsed = parseIp(address);
  if (parsed === null) throw new TypeError(`not an IP address: \`${address}\``);
  return parsed;
}
