/**
 * The byte form of a HostPolicy that receipts digest: JSON with fixed key order and fixed list order, without
 * the revision. Two policies with the same meaning for the kernel give the same text, whoever built them:
 * the compiler, or a reader of the kernel's own tables.
 */
import { compareIp } from "./ip.ts";
import type { IpAddress } from "./ip.ts";
import type {
  ConfinedEndpoint,
  HostPolicy,
  MapSet,
  OverlayEntry,
  PolicyMap,
  ProcessOverlayEntry,
  ProcessSocket,
  Row,
  RowDecision,
} from "./policy-map.ts";

const text = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** The list itself when it is in order already (the usual case, linear), else a sorted copy. */
const ordered = <T>(list: readonly T[], compare: (a: T, b: T) => number): readonly T[] => {
  for (let i = 1; i < list.length; i += 1) {
    if (compare(list[i - 1] as T, list[i] as T) > 0) return [...list].toSorted(compare);
  }
  return list;
};

const byAddress = (a: readonly [IpAddress, ...unknown[]], b: readonly [IpAddress, ...unknown[]]) =>
  compareIp(a[0], b[0]);

const byName = (a: readonly [string, ...unknown[]], b: readonly [string, ...unknown[]]) =>
  text(a[0], b[0]);

/** Lists that most machines have no use for leave no trace where they are empty. */
const whenAny = <T>(name: string, list: readonly T[]): Readonly<Record<string, readonly T[]>> =>
  list.length === 0 ? {} : { [name]: list };

const decision = ({ verdict, cookie }: RowDecision) => ({ verdict, cookie });

const row = (value: Row) => ({
  id: value.id,
  protocols: ordered(value.protocols, (a, b) => a.protocol - b.protocol).map(
    ({ protocol, intervals }) => ({
      protocol,
      intervals: ordered(intervals, (a, b) => a.first - b.first).map((interval) => ({
        first: interval.first,
        last: interval.last,
        decision: decision(interval.decision),
      })),
    }),
  ),
  others: decision(value.others),
});

const policyMap = (map: PolicyMap) => ({
  classId: map.classId,
  direction: map.direction,
  exact: ordered(map.exact, byAddress),
  ranges: ordered(map.ranges, byAddress),
  defaultRow: map.defaultRow,
  ...whenAny("processes", ordered(map.processes ?? [], byName)),
});

const overlayOrder = (a: OverlayEntry, b: OverlayEntry): number =>
  text(a.direction, b.direction) ||
  text(a.classId, b.classId) ||
  compareIp(a.peer[0], b.peer[0]) ||
  compareIp(a.peer[1], b.peer[1]) ||
  a.protocol - b.protocol ||
  a.ports[0] - b.ports[0] ||
  a.deadline - b.deadline;

const processOverlayOrder = (a: ProcessOverlayEntry, b: ProcessOverlayEntry): number =>
  text(a.direction, b.direction) ||
  text(a.classId, b.classId) ||
  text(a.process, b.process) ||
  a.protocol - b.protocol ||
  a.ports[0] - b.ports[0] ||
  a.deadline - b.deadline;

const timed = (entry: Omit<OverlayEntry, "peer">) => ({
  classId: entry.classId,
  direction: entry.direction,
  protocol: entry.protocol,
  ports: entry.ports,
  decision: decision(entry.decision),
  deadline: entry.deadline,
});

/** The key order is part of the byte form. */
const overlay = (entry: OverlayEntry) => {
  const { classId, direction, ...rest } = timed(entry);
  return { classId, direction, peer: entry.peer, ...rest };
};

const processOverlay = (entry: ProcessOverlayEntry) => {
  const { classId, direction, ...rest } = timed(entry);
  return { classId, direction, process: entry.process, ...rest };
};

const processSocket = ({ workload, address, family, protocol, port }: ProcessSocket) => ({
  workload,
  ...(address === undefined ? {} : { address }),
  family,
  protocol,
  port,
});

const processSocketOrder = (a: ProcessSocket, b: ProcessSocket): number =>
  text(a.workload, b.workload) ||
  a.family - b.family ||
  a.protocol - b.protocol ||
  a.port - b.port ||
  text(a.address ?? "", b.address ?? "");

const processTable = (set: MapSet) => {
  const egress = ordered(set.processes?.egress ?? [], byName);
  const ingress = ordered(set.processes?.ingress ?? [], byName);
  return egress.length + ingress.length === 0 ? {} : { processes: { egress, ingress } };
};

const mapSet = (set: MapSet) => ({
  subjects: {
    egress: ordered(set.subjects.egress, byAddress),
    ingress: ordered(set.subjects.ingress, byAddress),
  },
  maps: ordered(
    set.maps,
    (a, b) => text(a.direction, b.direction) || text(a.classId, b.classId),
  ).map(policyMap),
  overlay: ordered(set.overlay, overlayOrder).map(overlay),
  ...processTable(set),
  ...whenAny(
    "processOverlay",
    ordered(set.processOverlay ?? [], processOverlayOrder).map(processOverlay),
  ),
});

const endpoint = (value: ConfinedEndpoint) => ({
  workload: value.workload,
  interface: value.interface,
  ifindex: value.ifindex,
  mac: value.mac,
  addresses: ordered(value.addresses, compareIp),
  mode: value.mode,
  ...(value.dhcp === true ? { dhcp: true } : {}),
  ...whenAny("node", ordered(value.node ?? [], compareIp)),
});

/** Canonical text; its UTF-8 bytes under SHA-256 are a receipt's digest. Throws on an address that is none. */
export const canonicalHostPolicy = (policy: HostPolicy): string =>
  JSON.stringify({
    hostAddresses: ordered(policy.hostAddresses, compareIp),
    endpoints: ordered(
      policy.endpoints,
      (a, b) => text(a.workload, b.workload) || text(a.interface, b.interface),
    ).map(endpoint),
    ports: ordered(policy.ports ?? [], (a, b) => text(a.interface, b.interface)).map(
      ({ interface: name, ifindex }) => ({ interface: name, ifindex }),
    ),
    ...whenAny(
      "processes",
      ordered(policy.processes ?? [], (a, b) => text(a.workload, b.workload)).map(
        ({ workload, cgroup, handle, mode }) => ({ workload, cgroup, handle, mode }),
      ),
    ),
    ...whenAny("managed", ordered(policy.managed ?? [], text)),
    ...whenAny("sockets", ordered(policy.sockets ?? [], processSocketOrder).map(processSocket)),
    live: mapSet(policy.live),
    ...(policy.canary === undefined
      ? {}
      : {
          canary: {
            seed: policy.canary.seed,
            share: policy.canary.share,
            maps: mapSet(policy.canary.maps),
          },
        }),
    shadow: mapSet(policy.shadow),
    rows: ordered(policy.rows, (a, b) => text(a.id, b.id)).map(row),
    profile: {
      nodeExempt: policy.profile.nodeExempt,
      hairpinExempt: policy.profile.hairpinExempt,
      ...(policy.profile.dns === undefined || policy.profile.dns.length === 0
        ? {}
        : {
            dns: ordered(
              policy.profile.dns,
              (a, b) => compareIp(a.address, b.address) || a.port - b.port,
            ).map(({ address, port }) => ({ address, port })),
          }),
    },
    ...(policy.contested === undefined || policy.contested.length === 0
      ? {}
      : { contested: ordered(policy.contested, compareIp) }),
  });
