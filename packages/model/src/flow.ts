/**
 * What was seen on the wire. The agent folds packets of like connections within a short window into one record;
 * the controller names both ends and keeps it.
 */
import type { FlowOrigin } from "./flow-origin.ts";
import type { IpAddress } from "./ip.ts";
import type { ProtocolNumber } from "./protocol.ts";
import type { Cookie } from "./policy-map.ts";
import type { Direction } from "./policy.ts";
import type { Labels } from "./labels.ts";
import type { WorkloadId } from "./workload.ts";

/** What happened: `audit` = forwarded, but the shadow maps would have denied it. */
export const FLOW_VERDICTS = [
  "forwarded",
  "dropped",
  "rejected",
  "audit",
  "spoofed",
  "error",
] as const;
export type FlowVerdict = (typeof FLOW_VERDICTS)[number];

/**
 * New connections with one key (source, destination, protocol, port, verdict, cookie) in one window of at most a second,
 * or later news of connections reported before (then `connections` is 0 and only the outcome counts are set).
 */
export interface FlowRecord {
  /** Window start and last packet, milliseconds since the epoch. */
  readonly start: number;
  readonly end: number;
  readonly source: IpAddress;
  readonly destination: IpAddress;
  readonly protocol: ProtocolNumber;
  /** Destination port, ICMP type*256+code, or 0. */
  readonly port: number;
  /** One source port of the connections, as a sample; 0 where there is none. */
  readonly sourcePort: number;
  readonly verdict: FlowVerdict;
  /** For `dropped`, `rejected`, `audit`: what decided, and in which direction. */
  readonly cookie?: Cookie;
  readonly direction?: Direction;
  /** The destination is not the one that was addressed, which no record tells. Always told while a rollout is under way. */
  readonly translated?: true;
  /** New connections (for drops: packets logged). */
  readonly connections: number;
  /** Of these or earlier ones: completed a handshake / got an answer. */
  readonly established: number;
  /** Refused, reset or never answered. */
  readonly failed: number;
  readonly bytes: number;
  readonly packets: number;
}

/** Who held the socket at an end on this machine, as far as it could be asked while the flow was young. */
export interface FlowProcess {
  /** What the kernel calls it: at most fifteen characters, chosen by the process itself. */
  readonly name?: string;
  readonly pid?: number;
  /** Absent where the socket had gone before it could be asked, and only the kernel's word on its control group is left. */
  readonly uid?: number;
  /** Of this uid in the machine's own list of users; absent where it has none. */
  readonly user?: string;
  /** Path of the control group that the socket was made in, such as `/system.slice/nginx.service`. */
  readonly cgroup?: string;
  /** The systemd unit of that path. */
  readonly unit?: string;
}

/** One end of a stored flow, named as it was then. */
export interface FlowEnd {
  readonly address: IpAddress;
  /** Absent when no workload, host or network set owns the address. */
  readonly workload?: WorkloadId;
  /** What people see: `shop/web`, `host`, a NetworkSet's name, `broadcast`, `multicast`, or `world`. */
  readonly name: string;
  readonly labels: Labels;
  /**
   * Domain names (lower case, no final dot) that stood for the address at the time, in answers that the flow's other end
   * had got from DNS: the names that were asked for, not those on the way. Sorted; absent when none was seen.
   */
  readonly names?: readonly string[];
  /** Absent when it is not known, and where an end stands for many flows. */
  readonly process?: FlowProcess;
}

/** A request as a proxy or a mesh told of it: never a body, never a query string, never a header's value. */
export interface FlowRequest {
  readonly method: string;
  readonly host?: string;
  /** Without query and fragment. */
  readonly path: string;
  /** HTTP status, where there was an answer. */
  readonly status?: number;
}

export interface Flow extends Omit<FlowRecord, "source" | "destination"> {
  /** How it came to be known; absent: our own collectors saw it. */
  readonly origin?: FlowOrigin;
  readonly request?: FlowRequest;
  /** The machine that saw it. */
  readonly node?: string;
  readonly source: FlowEnd;
  readonly destination: FlowEnd;
  /** Id of the determining rule or block at that time, where known. */
  readonly rule?: string;
  /** Of what was forwarded until just now: the rule or block by which the policy in force cut it. Told, not stored. */
  readonly cutBy?: string;
  /** Made by Bulkhead's own probes: shown when asked for, never learned from. */
  readonly probe?: boolean;
}

/** The aggregate of like connections: same ends, protocol, port and verdict. */
export interface Edge {
  /** Ways by which it came to be known, each once; absent: our own collectors alone. */
  readonly origins?: readonly FlowOrigin[];
  readonly source: FlowEnd;
  readonly destination: FlowEnd;
  readonly protocol: ProtocolNumber;
  readonly port: number;
  readonly verdict: FlowVerdict;
  readonly rule?: string;
  /** Of what was forwarded until just now: the rule or block by which the policy in force cut it. Told, not stored. */
  readonly cutBy?: string;
  readonly connections: number;
  readonly established: number;
  readonly failed: number;
  readonly bytes: number;
  readonly packets: number;
  readonly firstSeen: number;
  readonly lastSeen: number;
  /** Distinct one-second windows in which it was seen: tells a habit from a one-off. */
  readonly windows: number;
  /** Made by Bulkhead's own probes: shown when asked for, never learned from. */
  readonly probe?: boolean;
}
