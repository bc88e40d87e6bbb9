/**
 * What learning hands to a person: rules that cover what was seen, each with its evidence, and, apart from them,
 * everything that was seen but is not proposed, each with its reason. Nothing here is allowed by silence.
 */
import type { Cidr } from "./cidr.ts";
import type { IpAddress } from "./ip.ts";
import type { Labels, Selector } from "./labels.ts";
import type { Edge } from "./flow.ts";
import type { FlowFormat } from "./flow-origin.ts";
import type { Direction } from "./policy.ts";
import type { SourceSpan } from "./diagnostic.ts";
import type { ProtocolNumber } from "./protocol.ts";
import type { WorkloadId, WorkloadKind } from "./workload.ts";

/** Numbers behind a rule, summed over the edges it covers. Times are milliseconds since the epoch. */
export interface Evidence {
  readonly edges: number;
  readonly connections: number;
  readonly established: number;
  readonly failed: number;
  readonly bytes: number;
  /** One-second windows in which it was seen, at most (edges may share windows). */
  readonly windows: number;
  readonly firstSeen: number;
  readonly lastSeen: number;
  /** A few ends as people know them: `shop/web → shop/storefront-1`. */
  readonly samples: readonly string[];
  /** Of these edges none of our own collectors saw any. Absent: they saw something of each. */
  readonly imported?: {
    readonly formats: readonly FlowFormat[];
    readonly edges: number;
    readonly connections: number;
  };
}

export type SuggestedPeer =
  /** Workloads of one namespace by labels; the empty selector is the whole namespace. */
  | {
      readonly kind: "workloads";
      readonly namespace: string;
      readonly selector: Selector;
      readonly name: string;
    }
  | { readonly kind: "host" }
  /** A set of addresses, `namespace/name`: proposed along with the rules, or one that exists already. */
  | { readonly kind: "networkSet"; readonly name: string };

/** Traffic that everybody knows by name: it is told as what it is, never as "port 123 of somewhere". */
export type TrafficPurpose = "dns" | "ntp" | "dhcp" | "metadata" | "ssh" | "monitoring";

/** What one team merges by itself: workloads that belong together, by their labels. */
export interface Application {
  /** `shop` for a whole namespace, `shop/payments` for a part of one. */
  readonly id: string;
  readonly namespace: string;
  /** The label that says so; absent where the namespace is the application. */
  readonly label?: { readonly key: string; readonly value: string };
  /** Who answers for it, where every workload of it says the same. */
  readonly owner?: string;
  readonly workloads: number;
}

export interface SuggestedPort {
  readonly protocol: ProtocolNumber;
  readonly port: number;
}

/** Why a rule permits what it does not stand on, the first that holds. */
export const SLACK_CAUSES = [
  /** It was seen, and set aside: it is told among what is covered. */
  "doubtful",
  /** Another copy of the same role does it, or to another copy of the same role. */
  "copies",
  /** Another address of the same set: behind the same name, or of the prefix that a person said. */
  "addresses",
  /** The same two do it on another port of the rule. */
  "ports",
  /** Both do something that the rule is for, though not with each other: rules were joined to have fewer. */
  "joined",
  /** Everybody of a namespace is named, or everybody who is a person, and some of them did nothing that the rule is for. */
  "everybody",
] as const;
export type SlackCause = (typeof SLACK_CAUSES)[number];

/**
 * What a rule permits beyond what it stands on. Counted are pairs: somebody of `from`, somebody else of `to`, and one port. Somebody is
 * a workload that the inventory has (everybody who was seen, where it has none), one address of a proposed set, the host, or a
 * set that exists already. `permitted` are all of them, and a pair is *used* where an accepted edge that the rule stands on says
 * so: the slack is the rest. Who comes later is not counted before he is there. A pair that two rules permit counts in both.
 */
export interface Slack {
  /** Exact up to 2^53; only prefixes of IPv6 that a person said hold more. */
  readonly permitted: number;
  readonly used: number;
  /** What is permitted and not used, by cause; without those that there are none of. */
  readonly beyond: readonly { readonly cause: SlackCause; readonly pairs: number }[];
}

export interface SuggestedRule {
  /** `storefront-to-checkout`; unique in its namespace. */
  readonly name: string;
  /** Where the rule lives: the destination's namespace, or the source's when it leads outside. */
  readonly namespace: string;
  /** Whose it is to merge: the destination's application, or the source's when it leads outside. */
  readonly application: string;
  /** Absent for what the application itself does. */
  readonly purpose?: TrafficPurpose;
  /** It confines this end alone, since the other is not to be confined; both where it is absent. */
  readonly only?: Direction;
  readonly from: SuggestedPeer;
  readonly to: SuggestedPeer;
  /** Sorted by protocol, then port. Never empty. */
  readonly ports: readonly SuggestedPort[];
  /** Seldom seen, but real: answered, with data, by a source that gives no cause for suspicion. */
  readonly rare: boolean;
  readonly evidence: Evidence;
  /** The evidence of each relation merged into this rule, where it is more than one. */
  readonly parts: readonly {
    readonly name: string;
    readonly rare: boolean;
    readonly evidence: Evidence;
  }[];
  /** What it stands on, port by port. */
  readonly links: readonly { readonly text: string; readonly firstSeen: number }[];
  readonly slack: Slack;
}

/** A role that more rules named than were wanted, and what came of it. */
export interface FewerRules {
  /** `shop/web` */
  readonly role: string;
  readonly application: string;
  /** So many rules may name it, at either end. */
  readonly most: number;
  readonly before: number;
  /** More than `most` where they cannot be held to it: then nothing was joined that adds anything. */
  readonly after: number;
  /** Pairs, as `Slack` counts them, that its rules permit for having been joined; some of them another role's rule may permit besides. */
  readonly added: number;
}

/** How the addresses of a set came to be one: never more than was seen, but for a prefix that a person said. */
export type NetworkSetBasis =
  | { readonly kind: "addresses" }
  /** They stood for this name in DNS answers; `also` are other names that stood for some of them. */
  | { readonly kind: "dns"; readonly name: string; readonly also: readonly string[] }
  | { readonly kind: "said"; readonly cidr: Cidr };

export interface SuggestedNetworkSet {
  readonly name: string;
  readonly namespace: string;
  readonly application: string;
  readonly cidrs: readonly Cidr[];
  readonly basis: NetworkSetBasis;
  readonly purpose?: TrafficPurpose;
  /** Distinct addresses that were seen. */
  readonly addresses: number;
  readonly evidence: Evidence;
}

/** Labels for workloads that none tells apart, or none that helps, and what speaks for them. */
export interface ProposedLabels {
  readonly namespace: string;
  readonly application: string;
  /** What they are, by what they do: `postgresql-for-orders`. */
  readonly role: string;
  readonly labels: Labels;
  readonly reason: "unlabelled" | "one-for-all" | "one-for-each" | "across-roles";
  readonly members: readonly {
    readonly id: WorkloadId;
    readonly kind?: WorkloadKind;
    readonly addresses: readonly IpAddress[];
    /** Where a file declares it. */
    readonly source?: SourceSpan;
  }[];
  /** `called by web on 5432/tcp (3 of 3)`, the most telling first. */
  readonly evidence: readonly string[];
}

/** The workloads of a namespace that deny what no rule allows. */
export interface SuggestedIsolation {
  readonly name: string;
  readonly namespace: string;
  readonly selector: Selector;
  readonly workloads: number;
  /** Only in these; in both where it is absent. */
  readonly directions?: readonly Direction[];
}

export const SET_ASIDE_REASONS = [
  "scan",
  "flagged-source",
  "suspicious-source",
  "failed",
  "pending",
  "one-off",
  /** Only one copy of a role, and seldom. */
  "lone",
  /** Only one copy, and first when its role had long been known. */
  "first-ever",
  /** Several new peers of one workload, one by one. */
  "fan-out",
  /** Only when its role is else never seen to act. */
  "off-hours",
  /** Outward, small, and as regular as a clock. */
  "beacon",
  "denied",
  "spoofed",
  "ephemeral",
  "world",
  "ping",
  "multicast",
  "unlabelled",
  "host-network",
  "administration",
  /** Done by people, or to them, and they are not confined. */
  "people",
  /** Asked of the machine's own resolver, which is left open. */
  "resolver",
  "error",
] as const;
export type SetAsideReason = (typeof SET_ASIDE_REASONS)[number];

export interface SetAside {
  readonly edge: Edge;
  readonly reason: SetAsideReason;
  /** One sentence for the person who decides. */
  readonly detail: string;
  readonly purpose?: TrafficPurpose;
  /** Of what looks real and does not fit: as a person accepts or rejects it, `shop/web → shop/db 5432/tcp`. */
  readonly habit?: string;
  /** A person has said that it is not needed. */
  readonly rejected?: true;
}

/** Like edges set aside for the same reason, for people to read. */
export interface SetAsideGroup {
  readonly reason: SetAsideReason;
  readonly source: string;
  readonly destinations: readonly string[];
  /** Distinct ports, `5432/tcp`; at most a handful, `ports` tells how many there were. */
  readonly samplePorts: readonly string[];
  readonly ports: number;
  readonly edges: number;
  readonly connections: number;
  readonly firstSeen: number;
  readonly lastSeen: number;
  readonly detail: string;
  /** Where all of it is the same. */
  readonly purpose?: TrafficPurpose;
}

/** Why an edge needs no rule although it was seen. */
export type ExemptReason =
  | "from-host"
  | "itself"
  | "not-a-workload"
  | "neighbour-discovery"
  /** No label tells either end apart, so no policy can name it: it stays unjudged. */
  | "unlabelled";

/** Two ends and a port that a rule stands on, in words that do not change while the ends do not: `shop/web → shop/db 5432/tcp`. */
export interface SuggestedLink {
  readonly text: string;
  readonly rule: string;
  readonly firstSeen: number;
}

/** What a person accepted, and no rule stands on. */
export interface IdleAccept {
  /** As it was typed. */
  readonly text: string;
  /** Why it is set aside, if that is not for doubt; absent of what was never seen. */
  readonly reason?: SetAsideReason;
}

/** A source whose behaviour was judged. */
export interface FlaggedSource {
  readonly name: string;
  readonly address: IpAddress;
  readonly level: "scanner" | "suspicious";
  readonly targets: number;
  readonly unanswered: number;
  readonly since: number;
}

/** Whose history somebody takes over: recorded under another name, before an Inventory named it. */
export interface FormerName {
  readonly before: WorkloadId;
  readonly now: WorkloadId;
}

export interface Suggestion {
  readonly isolations: readonly SuggestedIsolation[];
  /** Everybody's, in order of their ids. */
  readonly applications: readonly Application[];
  readonly networkSets: readonly SuggestedNetworkSet[];
  readonly rules: readonly SuggestedRule[];
  /** Roles that more rules named than were wanted; the most first. */
  readonly fewerRules: readonly FewerRules[];
  /** Sorted by their text. */
  readonly links: readonly SuggestedLink[];
  readonly setAside: readonly SetAside[];
  readonly setAsideGroups: readonly SetAsideGroup[];
  readonly exempt: readonly { readonly edge: Edge; readonly reason: ExemptReason }[];
  /** Every edge a rule stands on. */
  readonly accepted: readonly Edge[];
  /** Refused on their own, but a rule that others need allows them all the same: worth a look. */
  readonly covered: readonly SetAside[];
  readonly flagged: readonly FlaggedSource[];
  /** Empty unless something was accepted. */
  readonly idleAccepts: readonly IdleAccept[];
  /**
   * The machine's own, where nobody could tell which process it was, and no process is known to need the same: whoever of them
   * is isolated may need it, or be called by it. Empty where none of them would be.
   */
  readonly unattributed: readonly Edge[];
  /** Workloads that were seen but have no label to go by, `namespace/name`, sorted. */
  readonly unlabelled: readonly string[];
  /** Each pair once, by who it is now. */
  readonly formerNames: readonly FormerName[];
  /** Labels that the rules above count on, and that nobody bears yet. Empty unless they were asked for. */
  readonly proposedLabels: readonly ProposedLabels[];
}
