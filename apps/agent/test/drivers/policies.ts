/**
 * HostPolicies written by hand for driver tests: a few words for rows, classes and subjects, so that a test reads as
 * what it means.
 */
import { canonicalIp, compareIp } from "@bulkhead/model";
import type {
  Canary,
  CgroupPath,
  ConfinedEndpoint,
  ConfinedProcess,
  Direction,
  HostPolicy,
  IpAddress,
  MapSet,
  OverlayEntry,
  ProcessOverlayEntry,
  ProcessSocket,
  Row,
  RowDecision,
  WorkloadId,
} from "@bulkhead/model";
import type { Lab, LabWorkload } from "./lab.ts";

export const ALLOW: RowDecision = { verdict: "allow", cookie: "0a110000" };
export const DROP: RowDecision = { verdict: "drop", cookie: "0d200000" };
export const REJECT: RowDecision = { verdict: "reject", cookie: "0e300000" };

let rowCount = 0;

/** One decision for everything. */
export const rowOf = (others: RowDecision): Row => {
  rowCount += 1;
  return { id: rowCount.toString(16).padStart(8, "0"), protocols: [], others };
};

/** `decision` for the given ports of a protocol, `others` for everything else. */
export const portRow = (
  protocol: number,
  ports: readonly (readonly [number, number])[],
  decision: RowDecision,
  others: RowDecision,
): Row => {
  const intervals: { first: number; last: number; decision: RowDecision }[] = [];
  let next = 0;
  for (const [first, last] of ports) {
    if (first > next) intervals.push({ first: next, last: first - 1, decision: others });
    intervals.push({ first, last, decision });
    next = last + 1;
  }
  if (next <= 65_535) intervals.push({ first: next, last: 65_535, decision: others });
  return { ...rowOf(others), protocols: [{ protocol, intervals }] };
};

export interface ClassText {
  readonly direction: Direction;
  readonly subjects: readonly IpAddress[];
  readonly exact?: readonly (readonly [IpAddress, Row])[];
  readonly ranges?: readonly (readonly [IpAddress, IpAddress, Row])[];
  readonly defaultRow: Row;
  readonly overlay?: readonly Omit<OverlayEntry, "classId" | "direction">[];
  /** Processes that the class judges, and rows for those that it tells apart as peers. */
  readonly processes?: readonly WorkloadId[];
  readonly peers?: readonly (readonly [WorkloadId, Row])[];
  readonly peerOverlay?: readonly Omit<ProcessOverlayEntry, "classId" | "direction">[];
}

export const canonical = (address: string): IpAddress => {
  const text = canonicalIp(address);
  if (text === null) throw new Error(`no address: ${address}`);
  return text;
};

const sorted = <T extends readonly [IpAddress, ...unknown[]]>(list: readonly T[]): T[] =>
  list.toSorted((a, b) => compareIp(a[0], b[0]));

const mapSetOf = (classes: readonly ClassText[], rows: Map<string, Row>): MapSet => {
  const subjects: { egress: [IpAddress, string][]; ingress: [IpAddress, string][] } = {
    egress: [],
    ingress: [],
  };
  const judged: { egress: [WorkloadId, string][]; ingress: [WorkloadId, string][] } = {
    egress: [],
    ingress: [],
  };
  const maps = classes.map((text, index) => {
    const classId = (0xc0000000 + index).toString(16);
    for (const address of text.subjects)
      subjects[text.direction].push([canonical(address), classId]);
    for (const process of text.processes ?? []) judged[text.direction].push([process, classId]);
    for (const row of [
      ...(text.peers ?? []).map(([, row]) => row),
      ...(text.exact ?? []).map(([, row]) => row),
      ...(text.ranges ?? []).map(([, , row]) => row),
      text.defaultRow,
    ])
      rows.set(row.id, row);
    return {
      classId,
      direction: text.direction,
      exact: sorted((text.exact ?? []).map(([a, row]) => [canonical(a), row.id] as const)),
      ranges: sorted(
        (text.ranges ?? []).map(([a, b, row]) => [canonical(a), canonical(b), row.id] as const),
      ),
      defaultRow: text.defaultRow.id,
      ...(text.peers === undefined
        ? {}
        : { processes: text.peers.map(([process, row]) => [process, row.id] as const) }),
    };
  });
  const processOverlay = classes.flatMap((text, index) =>
    (text.peerOverlay ?? []).map((entry) => ({
      ...entry,
      classId: (0xc0000000 + index).toString(16),
      direction: text.direction,
    })),
  );
  return {
    ...(judged.egress.length + judged.ingress.length === 0 ? {} : { processes: judged }),
    ...(processOverlay.length === 0 ? {} : { processOverlay }),
    subjects: { egress: sorted(subjects.egress), ingress: sorted(subjects.ingress) },
    maps,
    overlay: classes.flatMap((text, index) =>
      (text.overlay ?? []).map((entry) => ({
        ...entry,
        classId: (0xc0000000 + index).toString(16),
        direction: text.direction,
      })),
    ),
  };
};

export const endpointOf = (
  { name, interface: link, ifindex, mac, v4, v6 }: LabWorkload,
  mode: ConfinedEndpoint["mode"],
): ConfinedEndpoint => ({
  workload: `lab/${name}`,
  interface: link,
  ifindex,
  mac,
  addresses: [canonical(v4), canonical(v6)],
  mode,
});

/** Handles go by the name: no two of one test may have one hash. */
export const processOf = (
  name: string,
  cgroup: CgroupPath,
  mode: ConfinedProcess["mode"] = "enforce",
): ConfinedProcess => {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(name)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return {
    workload: `host/${name}`,
    cgroup,
    handle: hash.toString(16).padStart(8, "0"),
    mode,
  };
};

export const policyOf = (
  lab: Lab,
  options: {
    readonly live?: readonly ClassText[];
    readonly shadow?: readonly ClassText[];
    /** A rollout under way, and what holds for those who take part. */
    readonly canary?: Canary & { readonly maps: readonly ClassText[] };
    readonly mode?: ConfinedEndpoint["mode"];
    readonly nodeExempt?: boolean;
    readonly hairpinExempt?: boolean;
    readonly revision?: number;
    readonly processes?: readonly ConfinedProcess[];
    readonly managed?: readonly CgroupPath[];
    readonly sockets?: readonly ProcessSocket[];
  },
): HostPolicy => {
  const rows = new Map<string, Row>();
  const live = mapSetOf(options.live ?? [], rows);
  const shadow = mapSetOf(options.shadow ?? [], rows);
  const canary = options.canary && {
    ...options.canary,
    maps: mapSetOf(options.canary.maps, rows),
  };
  return {
    revision: options.revision ?? 1,
    endpoints: Object.values(lab.workloads).map((workload) =>
      endpointOf(workload, options.mode ?? "enforce"),
    ),
    hostAddresses: lab.hostAddresses.map(canonical),
    ...(options.processes && { processes: options.processes }),
    ...(options.managed && { managed: options.managed }),
    ...(options.sockets && { sockets: options.sockets }),
    live,
    ...(canary && { canary }),
    shadow,
    rows: [...rows.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1)),
    profile: {
      nodeExempt: options.nodeExempt ?? false,
      hairpinExempt: options.hairpinExempt ?? true,
    },
  };
};
