/**
 * What a datapath does, in a few lines: look a flow up in a compiled HostPolicy. Used by tests to hold the compiler to
 * the reference, and by the agent to say what the kernel should have done.
 */
import {
  parseIp,
  takesPart,
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
  type Row,
  type RowDecision,
  type RowId,
} from "@bulkhead/model";
import { compiledExemptions, type CompiledExemptions } from "./compiled-exemptions.ts";
import type { Slot } from "./compile/map-sets.ts";
import type { View } from "./judge-stage.ts";

export interface LookedUp {
  readonly verdict: DecisionVerdict;
  /** Absent: the address in question is not judged here, or the flow is exempt. */
  readonly egress?: { readonly verdict: DecisionVerdict; readonly cookie: Cookie };
  readonly ingress?: { readonly verdict: DecisionVerdict; readonly cookie: Cookie };
}

export function lookup(policy: HostPolicy, view: View, query: FlowQuery, now: number): LookedUp {
  const tables = tablesOf(policy);
  const { canary } = policy;
  const inForce = view === "live" && canary && takesPart(query, canary) ? "canary" : "live";
  const slot = view === "shadow" ? view : inForce;
  const { exempt } = tables;
  if (exempt.hairpin(query)) return { verdict: "allow" };
  const egress =
    exempt.dns(query) || exempt.dhcpRequest(query)
      ? undefined
      : tables.judge(slot, "egress", query.source, query.destination, query, now);
  const ingress =
    exempt.node(query) || exempt.dhcpAnswer(query)
      ? undefined
      : tables.judge(slot, "ingress", query.destination, query.source, query, now);
  const denies = [egress, ingress].find((one) => one !== undefined && one.verdict !== "allow");
  return {
    verdict: denies?.verdict ?? "allow",
    ...(egress && { egress }),
    ...(ingress && { ingress }),
  };
}

interface Tables {
  readonly exempt: CompiledExemptions;
  judge(
    slot: Slot,
    direction: Direction,
    subject: IpAddress,
    peer: IpAddress,
    flow: Pick<FlowQuery, "protocol" | "port">,
    now: number,
  ): RowDecision | undefined;
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
    exempt: compiledExemptions(policy),
    judge(slot, direction, subject, peer, flow, now) {
      const silent = slot === "shadow" && !sets.shadow.subjects[direction].has(subject);
      const { subjects, classes } = sets[silent ? "live" : slot];
      const classId = subjects[direction].get(subject);
      return classId === undefined
        ? undefined
        : classes.get(`${direction} ${classId}`)!(peer, flow, now);
    },
  };
}

type Judge = (
  peer: IpAddress,
  flow: Pick<FlowQuery, "protocol" | "port">,
  now: number,
) => RowDecision;

function mapTables(set: MapSet, rows: ReadonlyMap<RowId, Row>) {
  const overlays = Map.groupBy(set.overlay, (entry) => `${entry.direction} ${entry.classId}`);
  return {
    subjects: { egress: new Map(set.subjects.egress), ingress: new Map(set.subjects.ingress) },
    classes: new Map(
      set.maps.map((map) => {
        const key = `${map.direction} ${map.classId}`;
        return [key, classJudge(map, overlays.get(key) ?? [], rows)];
      }),
    ),
  };
}

function classJudge(
  map: PolicyMap,
  overlay: readonly OverlayEntry[],
  rows: ReadonlyMap<RowId, Row>,
): Judge {
  const exact = new Map(map.exact);
  const ranges = map.ranges.map(([first, last, row]) => ({ ...rangeOf(first, last), row }));
  const timed = Map.groupBy(
    overlay.map((entry) => ({ ...entry, range: rangeOf(...entry.peer) })),
    ({ protocol }) => protocol,
  );
  return (peer, flow, now) => {
    const address = numeric(peer);
    const entry = timed
      .get(flow.protocol)
      ?.find(
        ({ range, ports, deadline }) =>
          deadline > now &&
          ports[0] <= flow.port &&
          flow.port <= ports[1] &&
          within(range, address),
      );
    if (entry !== undefined) return entry.decision;
    const row = exact.get(peer) ?? ranges.find((range) => within(range, address))?.row;
    return decisionIn(rows.get(row ?? map.defaultRow)!, flow);
  };
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
