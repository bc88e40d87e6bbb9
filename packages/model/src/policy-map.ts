/**
 * The compiled, order-free form that a datapath looks up. Precedence is resolved before this point:
 * for a class of subjects, every address belongs to exactly one atom, every atom to one row, and a row gives one
 * decision for every protocol and port. Everything here is plain JSON; `canonicalHostPolicy` fixes the byte form that
 * receipts digest.
 */
import type { Canary } from "./canary-bucket.ts";
import type { IpAddress } from "./ip.ts";
import type { ProtocolNumber } from "./protocol.ts";
import type { DecisionVerdict } from "./decision.ts";
import type { Direction, Resolver } from "./policy.ts";
import type {
  CgroupPath,
  Endpoint,
  LocalProcess,
  Mode,
  OwnedSocket,
  WorkloadId,
} from "./workload.ts";

/** 8 lower-case hex digits; stable as long as the rule's id is. `00000000` = the default, nothing determined it. */
export type Cookie = string;

/** What no rule of a policy decided: the sender or receiver is a process that nobody knows, below a control group that is enforced. */
export const UNKNOWN_PROCESS: Cookie = "ffffff01";
/** What came over loopback to a socket that nobody has told of, of a process that is judged. */
export const UNTOLD_SOCKET: Cookie = "ffffff02";

/** How these are called where a rule would be. No rule's id has parentheses. */
export const GUARDS: Readonly<Record<Cookie, string>> = {
  [UNKNOWN_PROCESS]: "(unknown process)",
  [UNTOLD_SOCKET]: "(unknown socket)",
};

/** 8-16 lower-case hex digits naming a class: subjects selected by the same blocks in one direction. Stable across edits of rules. */
export type ClassId = string;

/** Content hash of a row (8-16 lower-case hex digits). */
export type RowId = string;

export interface RowDecision {
  readonly verdict: DecisionVerdict;
  readonly cookie: Cookie;
}

export interface RowInterval {
  readonly first: number;
  readonly last: number;
  readonly decision: RowDecision;
}

/**
 * For each listed protocol the intervals are sorted, disjoint, adjacent equal ones merged, and cover 0..65535 whole;
 * `others` decides every protocol that is not listed. A protocol that would say the same as `others` is not listed.
 */
export interface Row {
  readonly id: RowId;
  readonly protocols: readonly {
    readonly protocol: ProtocolNumber;
    readonly intervals: readonly RowInterval[];
  }[];
  readonly others: RowDecision;
}

/**
 * One class in one direction. Look-up: `exact` first (addresses of known workloads and of the host), then `ranges`
 * (everything else that a CIDR tells apart; disjoint, sorted), then `defaultRow`. Both lists sorted: IPv4 before IPv6, then by value.
 */
export interface PolicyMap {
  readonly classId: ClassId;
  readonly direction: Direction;
  readonly exact: readonly (readonly [IpAddress, RowId])[];
  readonly ranges: readonly (readonly [IpAddress, IpAddress, RowId])[];
  readonly defaultRow: RowId;
  /**
   * Ingress only: rows for peers that the kernel knows by their control group, looked up before any address where the source's
   * socket is on this machine. Processes without an entry are judged by address, as `host`. Sorted by workload.
   */
  readonly processes?: readonly (readonly [WorkloadId, RowId])[];
}

/**
 * Time-bound decisions, looked up before the PolicyMap of the same class: while `deadline` (ms since the epoch) has not
 * passed, this decision holds; then the one beneath shows again. Disjoint per class. Peer is one address or a range.
 */
export interface OverlayEntry {
  readonly classId: ClassId;
  readonly direction: Direction;
  readonly peer: readonly [IpAddress, IpAddress];
  readonly protocol: ProtocolNumber;
  readonly ports: readonly [number, number];
  readonly decision: RowDecision;
  readonly deadline: number;
}

/** As `OverlayEntry`, where the peer is a process of this machine, from whatever address. Of ingress maps only. */
export interface ProcessOverlayEntry extends Omit<OverlayEntry, "peer"> {
  readonly process: WorkloadId;
}

/** Which class judges a local address, per direction. Sorted by address. Addresses without an entry are not judged. */
export interface SubjectTable {
  readonly egress: readonly (readonly [IpAddress, ClassId])[];
  readonly ingress: readonly (readonly [IpAddress, ClassId])[];
}

/** Which class judges a process of this machine, per direction. Sorted by workload; without an entry it is not judged. */
export interface ProcessTable {
  readonly egress: readonly (readonly [WorkloadId, ClassId])[];
  readonly ingress: readonly (readonly [WorkloadId, ClassId])[];
}

/** One complete set of look-ups: the live one drops, the shadow one only reports. */
export interface MapSet {
  readonly subjects: SubjectTable;
  /** Sorted by direction (egress first), then classId. */
  readonly maps: readonly PolicyMap[];
  readonly overlay: readonly OverlayEntry[];
  /** Absent: no process of this machine is judged. */
  readonly processes?: ProcessTable;
  /** Sorted by direction, classId, process, protocol, port; absent when empty. */
  readonly processOverlay?: readonly ProcessOverlayEntry[];
}

/**
 * A rollout under way: flows that take part in it are judged by these maps instead of `live`, which is without the
 * policies of the rollout. What cuts without asking whose flow it is (guards, strays) goes by `live` alone.
 */
export interface CanaryMaps extends Canary {
  readonly maps: MapSet;
}

/** A local attachment as the datapath must confine it. `mode` enforce switches anti-spoofing on. */
export interface ConfinedEndpoint extends Pick<
  Endpoint,
  "workload" | "interface" | "ifindex" | "mac" | "addresses"
> {
  readonly mode: Mode;
  /** The machine serves DHCP where this endpoint hangs: the two may speak about a lease. */
  readonly dhcp?: true;
  /** Addresses of the node that it runs on, where that is not this machine: exempt as this machine is. No kernel driver holds it. */
  readonly node?: readonly IpAddress[];
}

/** A bridge's port that leads to no workload of this machine: a network card, say. It is known, and confined by nobody. */
export type BridgePort = Pick<Endpoint, "interface" | "ifindex">;

/** Eight lower-case hex digits that stand for a process workload in the kernel's own tables and log messages: its id's hash. */
export type ProcessHandle = string;

/** A known process workload of this machine, judged or not. `mode` enforce has unknown ones beside it denied (`managed`). */
export interface ConfinedProcess extends LocalProcess {
  readonly handle: ProcessHandle;
  readonly mode: Mode;
}

/** Whose a socket on a shared address is. Told of every process workload that any set of maps judges. */
export interface ProcessSocket extends OwnedSocket {
  readonly workload: WorkloadId;
}

/** Everything one machine's datapath must hold. */
export interface HostPolicy {
  readonly revision: number;
  readonly endpoints: readonly ConfinedEndpoint[];
  /** Known ports besides the endpoints'. Whoever hangs on another port of a bridge is held back from enforced workloads. */
  readonly ports?: readonly BridgePort[];
  readonly hostAddresses: readonly IpAddress[];
  /** Sorted by workload. Their control groups need not exist: a unit that starts later is known from its first packet's. */
  readonly processes?: readonly ConfinedProcess[];
  /** Control groups of the first level, such as `/system.slice`, below which whoever is not in `processes` is denied. Sorted. */
  readonly managed?: readonly CgroupPath[];
  /** Sorted by workload, family, protocol, port, address. */
  readonly sockets?: readonly ProcessSocket[];
  readonly live: MapSet;
  /** Only while a rollout is under way. */
  readonly canary?: CanaryMaps;
  /** Compiled with staged policies and audit-mode policies included. Only subjects whose shadow differs from live have entries. */
  readonly shadow: MapSet;
  /** Every row referenced by either set, sorted by id. */
  readonly rows: readonly Row[];
  readonly profile: {
    readonly nodeExempt: boolean;
    readonly hairpinExempt: boolean;
    /** Sockets of the machine's own resolver, open to workloads without a rule. Sorted. */
    readonly dns?: readonly Resolver[];
  };
  /** Addresses of endpoints that others claim as well: no exemption goes by them. Sorted. */
  readonly contested?: readonly IpAddress[];
}

/** Not part of the digest: how a cookie seen in a log or counter is told to a person. */
export interface CookieName {
  readonly cookie: Cookie;
  /** Rule or block id. */
  readonly rule: string;
  readonly workloads?: readonly WorkloadId[];
}
