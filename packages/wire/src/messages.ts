/**
 * What travels between agent and controller, in the model's own nouns. The generated protobuf types stay inside this
 * package: both apps see only these.
 */
import type {
  BridgePort,
  CgroupPath,
  ConfiguredDependency,
  Cookie,
  DecisionVerdict,
  Direction,
  DriftReport,
  Endpoint,
  FlowProcess,
  FlowRecord,
  HostPolicy,
  Invariant,
  InvariantCheck,
  IpAddress,
  Labels,
  OwnedSocket,
  ProtocolNumber,
  Receipt,
  Schedule,
} from "@bulkhead/model";

/** A port on which something inside a workload listens. */
export interface Listener {
  readonly protocol: ProtocolNumber;
  readonly port: number;
  readonly family: 4 | 6;
}

/** An attachment as the agent finds it, before the controller knows which workload it is. */
export interface DiscoveredEndpoint extends Omit<Endpoint, "workload"> {
  /** Name of the network namespace or the container. */
  readonly name: string;
  readonly containerLabels: Labels;
  readonly image?: string;
  readonly listeners: readonly Listener[];
  /** Of processes inside that hold them in the machine's own user namespace: with those they reach beyond their network. */
  readonly capabilities?: readonly string[];
}

/** What a control group is to the system that made it; `group`: nobody's that we know. */
export const UNIT_FORMS = ["service", "scope", "user", "container", "group"] as const;
export type UnitForm = (typeof UNIT_FORMS)[number];

/**
 * Sockets that a unit uses and another control group made, by which the kernel goes on judging them: `activated` by the
 * system's manager for it, `accepted` at a socket of the maker's, or `moved` with a process or from one to another.
 */
export interface BorrowedSockets {
  /** Path of the maker's unit or group; empty when it has gone. */
  readonly maker: CgroupPath;
  readonly how: "activated" | "accepted" | "moved";
  /** Of those that wait for connections. */
  readonly ports: readonly { readonly protocol: ProtocolNumber; readonly port: number }[];
}

/** Processes of the machine itself, as the agent finds them, before the controller knows which workload they are. */
export interface DiscoveredProcess {
  readonly cgroup: CgroupPath;
  readonly form: UnitForm;
  /** Last part of the path. */
  readonly unit: string;
  /** Name of the user whose slice it is. */
  readonly user?: string;
  /** Its name, where a container runtime has told. */
  readonly container?: string;
  readonly containerLabels?: Labels;
  readonly image?: string;
  /** Those made in it that wait for connections, sorted by port. */
  readonly sockets: readonly OwnedSocket[];
  readonly borrowed?: readonly BorrowedSockets[];
  /** Held by processes of it, sorted: with those they reach past their policy. */
  readonly capabilities?: readonly string[];
}

export interface ExecutableFacts {
  readonly path: string;
  readonly size: number;
  /** `sha256:…`; absent while it is being read, and of files too large for that. */
  readonly digest?: string;
  /** The package that the file is from. */
  readonly package?: string;
}

/** What runs in a unit. For people to read: a process chooses its own name. */
export interface UnitFacts {
  readonly cgroup: CgroupPath;
  /** Of its processes, which are told as far as there is room. */
  readonly count: number;
  readonly processes: readonly {
    readonly pid: number;
    readonly name: string;
    readonly user: string;
  }[];
  /** Names, or numbers without one, of those who run them. */
  readonly users: readonly string[];
  /** Of its main process. */
  readonly executable?: ExecutableFacts;
}

/** An established connection of the host itself that a change must not cut (an SSH session), original direction. */
export interface HostSession {
  readonly source: IpAddress;
  readonly destination: IpAddress;
  readonly protocol: ProtocolNumber;
  readonly port: number;
  readonly what: string;
}

/** Like connections that are under way: original direction, the destination as the datapath judged it. */
export interface OpenConnections {
  readonly source: IpAddress;
  readonly destination: IpAddress;
  readonly protocol: ProtocolNumber;
  readonly port: number;
  readonly connections: number;
  /** Of ends on this machine: the control group that the socket was made in. */
  readonly sourceCgroup?: CgroupPath;
  readonly destinationCgroup?: CgroupPath;
}

export interface CollectorStats {
  readonly alive: boolean;
  readonly received: number;
  readonly delivered: number;
  readonly lost: number;
  readonly queueDepth: number;
  readonly lastEventAt?: number;
}

/** A record with what the agent knows beyond the packets. */
export interface ObservedRecord extends FlowRecord {
  /** It stems from one of our own probes. */
  readonly probe?: boolean;
  /** What DNS told each end that the other is called, when the flow was seen. */
  readonly sourceNames?: readonly string[];
  readonly destinationNames?: readonly string[];
  /** Who held the socket at an end, where it could be asked; of several like connections, that of one. */
  readonly sourceProcess?: FlowProcess;
  readonly destinationProcess?: FlowProcess;
}

export type DriftSetting = "repair" | "report";

/** What of workloads' configuration an agent may read for destinations. */
export const CONFIGURATION_SOURCES = ["environment", "arguments", "files"] as const;
export type ConfigurationSource = (typeof CONFIGURATION_SOURCES)[number];

export interface AgentSettings {
  readonly drift: DriftSetting;
  /** Nothing unless somebody allowed it. */
  readonly readConfiguration: readonly ConfigurationSource[];
}

/** A job that the machine runs by the clock, before the controller knows which workload runs it. */
export interface FoundSchedule extends Pick<
  Schedule,
  "name" | "expression" | "timeZone" | "lastRun" | "nextRun" | "since" | "suspended"
> {
  readonly kind: "systemd-timer" | "cron";
  /** `backup.service`. */
  readonly unit?: string;
}

/** A destination that somebody on this machine is configured with. */
export interface FoundDependency extends Pick<
  ConfiguredDependency,
  "host" | "port" | "scheme" | "place"
> {
  readonly owner:
    | { readonly kind: "unit"; readonly cgroup: CgroupPath }
    | { readonly kind: "endpoint"; readonly interface: string };
}

/** What is known to be coming on a machine although it was not seen. */
export interface ExpectedHere {
  /** IANA name. */
  readonly timeZone: string;
  readonly schedules: readonly FoundSchedule[];
  readonly dependencies: readonly FoundDependency[];
  /** What could not be read, in sentences. */
  readonly problems: readonly string[];
}

export interface SignedPolicy {
  readonly sequence: number;
  readonly revision: number;
  readonly digest: string;
  /** The HostPolicy as JSON text. */
  readonly policy: Uint8Array;
  readonly signature: Uint8Array;
}

/** What passes without being judged; a change of the list is a change of its version. */
export interface Exemptions {
  readonly version: number;
  readonly list: readonly string[];
}

/** How often a decision was taken since it has been in the kernel. */
export interface RuleCounter {
  readonly cookie: Cookie;
  readonly plane: "live" | "shadow" | "canary";
  readonly direction: Direction;
  readonly verdict: DecisionVerdict;
  readonly packets: number;
  readonly bytes: number;
  /** When it was last seen to have moved, to some seconds. Absent when it was not. */
  readonly lastHit?: number;
}

export type AgentMessage =
  | {
      readonly kind: "hello";
      readonly host: string;
      readonly boot: string;
      readonly pid: number;
      readonly version: string;
      readonly driver: string;
      readonly publicKey: Uint8Array;
      readonly sequence: number;
      readonly receipt?: Receipt;
      readonly exemptions: Exemptions;
    }
  | {
      readonly kind: "discovered";
      readonly endpoints: readonly DiscoveredEndpoint[];
      /** Ports of bridges that lead to no workload: network cards, say. */
      readonly ports: readonly BridgePort[];
      readonly hostAddresses: readonly IpAddress[];
      readonly sessions: readonly HostSession[];
      readonly hostListeners: readonly Listener[];
      /** Programs of this machine that pass connections on to workloads in its own name, sorted. */
      readonly relays: readonly string[];
      /** Links to workloads whose other end could not be read, whether or not they are among the endpoints. */
      readonly unread: readonly BridgePort[];
      readonly processes: readonly DiscoveredProcess[];
      /** Why processes of the machine are not told apart, or not all. */
      readonly processesProblem?: string;
    }
  | {
      readonly kind: "flows";
      readonly sequence: number;
      readonly records: readonly ObservedRecord[];
      readonly collector: CollectorStats;
    }
  | {
      readonly kind: "applied";
      readonly sequence: number;
      readonly revision: number;
      readonly receipt?: Receipt;
      readonly error?: string;
      readonly differences: readonly string[];
    }
  | ({ readonly kind: "drift" } & DriftReport)
  | {
      readonly kind: "rendered";
      readonly id: string;
      readonly ruleset: string;
      readonly error?: string;
    }
  | {
      readonly kind: "probed";
      readonly id: string;
      readonly sent: boolean;
      readonly received: boolean;
      readonly agree: boolean;
      /** `pass`: as expected. `inconclusive` proves nothing. */
      readonly outcome: "pass" | "fail" | "inconclusive";
      readonly detail: string;
      readonly error?: string;
    }
  | {
      readonly kind: "health";
      readonly at: number;
      readonly collector: CollectorStats;
      readonly receipt?: Receipt;
      readonly capacity: number;
      /** Packets that no rule decided, or that no log message tells of, by the name of their counter. */
      readonly counters: Readonly<Record<string, number>>;
      readonly undecided: readonly UndecidedConnection[];
    }
  | {
      readonly kind: "rule-counters";
      readonly id: string;
      readonly rules: readonly RuleCounter[];
      /** Of what stands for no rule, read in the same moment. */
      readonly counters: Readonly<Record<string, number>>;
      readonly error?: string;
    }
  | {
      readonly kind: "connections";
      readonly id: string;
      readonly connections: readonly OpenConnections[];
      /** So many kinds found no room in the answer. */
      readonly leftOut: number;
      readonly error?: string;
    }
  | {
      readonly kind: "units";
      readonly id: string;
      readonly units: readonly UnitFacts[];
      readonly error?: string;
    }
  | {
      readonly kind: "checked";
      readonly id: string;
      readonly checks: readonly InvariantCheck[];
      readonly error?: string;
    }
  | ({ readonly kind: "expected" } & ExpectedHere)
  /** Answers `keep`, once it is on disk. */
  | { readonly kind: "kept"; readonly sequence: number }
  /** Never sent: what stands for a message that could not be read, on a connection that goes on. */
  | {
      readonly kind: "unreadable";
      /** What it was, as far as that could be seen. */
      readonly told: string;
      /** In words of ours. */
      readonly why: string;
      /** For the log. */
      readonly detail: string;
    }
  /** A policy was on trial and nobody kept it in time. */
  | {
      readonly kind: "went-back";
      readonly sequence: number;
      readonly revision: number;
      /** In force now. */
      readonly toRevision: number;
    };

/** Allowed for a while because nobody can tell who opened it; in the direction that is permitted, the other one is not. */
export interface UndecidedConnection {
  readonly source: IpAddress;
  readonly sourcePort: number;
  readonly destination: IpAddress;
  readonly port: number;
  readonly protocol: number;
  readonly until: number;
}

export type ControllerMessage =
  /** What runs in each unit? */
  | { readonly kind: "units"; readonly id: string }
  | ({ readonly kind: "welcome"; readonly publicKey: Uint8Array } & AgentSettings)
  /**
   * `holdMs`: on trial. Unless `keep` names it in time, the agent goes back by itself to the policy that it kept last.
   */
  | ({ readonly kind: "policy"; readonly holdMs?: number } & SignedPolicy)
  /** For good, or for so much longer. */
  | { readonly kind: "keep"; readonly sequence: number; readonly holdMs?: number }
  /** `found`: also what the machine itself tells of. */
  | {
      readonly kind: "check";
      readonly id: string;
      readonly invariants: readonly Invariant[];
      readonly found: boolean;
    }
  | { readonly kind: "render"; readonly id: string; readonly policy: HostPolicy }
  | {
      readonly kind: "probe";
      readonly id: string;
      readonly sourceNetns: string;
      /** Absent when the destination is no local workload. */
      readonly destinationNetns?: string;
      /** In whose name an end's socket is made, where a process of this machine is there. */
      readonly sourceCgroup?: CgroupPath;
      readonly destinationCgroup?: CgroupPath;
      /** With a `sourceCgroup`, a guess: which address it speaks from is for the machine to choose. */
      readonly source: IpAddress;
      readonly destination: IpAddress;
      readonly protocol: ProtocolNumber;
      readonly port: number;
      readonly expectPass: boolean;
    }
  | ({ readonly kind: "settings" } & AgentSettings)
  | { readonly kind: "flows-stored"; readonly sequence: number }
  /** Which connections of workloads are under way at this moment? */
  | { readonly kind: "connections"; readonly id: string }
  /** How often was each rule hit? */
  | { readonly kind: "rule-counters"; readonly id: string };

/** The text a policy's signature covers. */
export function policySigningText(
  policy: Pick<SignedPolicy, "sequence" | "revision" | "digest">,
): string {
  return `bulkhead-policy\n${policy.sequence}\n${policy.revision}\n${policy.digest}`;
}

/** The text a receipt's signature covers. */
export function receiptSigningText(receipt: Omit<Receipt, "signature">): string {
  return `${receipt.revision}\n${receipt.digest}\n${receipt.driver}\n${receipt.readAt}\n${receipt.entries}`;
}
