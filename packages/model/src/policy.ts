/**
 * The common form (IR) that every policy dialect maps onto: an ordered list of stages, each with blocks, each with
 * rules. `decide` in the engine gives its meaning; SEMANTICS in the design documents says why each part exists.
 */
import type { Canary } from "./canary-bucket.ts";
import type { Cidr } from "./cidr.ts";
import type { IpAddress } from "./ip.ts";
import type { Selector } from "./labels.ts";
import type { Predicate } from "./predicate.ts";
import type { PortMatch } from "./protocol.ts";
import type { SourceSpan } from "./diagnostic.ts";

export type Direction = "egress" | "ingress";
export type Plane = "net" | "mesh" | "host";
export type StageId = string;
export type RuleAction = "allow" | "deny" | "reject" | "pass" | "log" | "audit" | "custom";

/** Which namespaces a workload peer or subject looks at. */
export type NamespaceScope =
  | { readonly kind: "all" }
  | { readonly kind: "named"; readonly name: string }
  | { readonly kind: "selected"; readonly selector: Selector };

/** A set of addresses, said the way a person says it. */
export type Peer =
  /** Every address, workloads, host and world alike. */
  | { readonly kind: "any" }
  /** Workloads by namespace and labels; host-network workloads never match. */
  | { readonly kind: "workloads"; readonly namespaces: NamespaceScope; readonly selector: Selector }
  /** `except` removes from this peer only; it is not a deny. */
  | {
      readonly kind: "cidr";
      readonly cidr: Cidr;
      readonly except: readonly Cidr[];
      /** Does the prefix also match addresses that belong to workloads or the host? (SEMANTICS trap 5) */
      readonly matchesWorkloads: boolean;
    }
  /** `host`: the machine's own addresses. `world`: every other address that can be somebody's, so neither broadcast nor multicast. */
  | { readonly kind: "entity"; readonly entity: "host" | "world" }
  /**
   * Addresses of the world that a matching name stands for, where the flow tells its names. `pattern` is what the policy
   * says, for people; what its wildcards mean differs by dialect, so `regex` (RE2, whole lower-case names) is what counts.
   */
  | { readonly kind: "domain"; readonly pattern: string; readonly regex: string };

export interface Rule {
  /** Unique in the policy set and stable across edits of other rules: `Policy/shop/db#ingress/checkout`. */
  readonly id: string;
  readonly source: SourceSpan;
  readonly action: RuleAction;
  /** OR of peers; `[]` matches nothing. */
  readonly peers: readonly Peer[];
  /** OR of matches; `[]` matches nothing (a dialect's "absent = all" is said as `{kind:'all'}`). */
  readonly ports: readonly PortMatch[];
  /** OR of predicates; absent: the rule asks nothing above layer 4. Never empty. */
  readonly l7?: readonly Predicate[];
  /**
   * `union` (the default): requests that no predicate holds are left to the other rules. `terminal`: whatever the rule
   * matches at layer 4 is its own, and a request that no predicate holds is dropped.
   */
  readonly l7Mode?: "union" | "terminal";
  /** Of a connection that is known to carry no such request: the rule does not match it, or as if it asked nothing. */
  readonly onOpaque?: "noMatch" | "widen";
  /** The ends must have proved who they are before what it allows is allowed. */
  readonly auth?: "required" | "disabled";
  /** `staged` rules decide only in the shadow maps. */
  readonly enforce: "on" | "staged";
  /** Absolute end of validity, milliseconds since the epoch. */
  readonly expiresAt?: number;
  readonly description?: string;
}

export interface Block {
  /** `Policy/shop/db#ingress`: the resource and the direction. */
  readonly id: string;
  readonly source: SourceSpan;
  readonly subject: Extract<Peer, { kind: "workloads" }> | { readonly kind: "all-workloads" };
  readonly direction: Direction;
  /** Compared element by element, lower first (priority, then position); used by `firstMatch` stages. */
  readonly order: readonly number[];
  /** The subject is isolated in this direction: what no rule allows is denied. */
  readonly isolates: boolean;
  /** A staged block neither isolates nor decides in the live maps. */
  readonly enforce: "on" | "staged";
  readonly rules: readonly Rule[];
  readonly expiresAt?: number;
  /** In force only for flows that take part in the set's rollout; for all others as if it were staged. */
  readonly canary?: true;
  readonly policy: PolicyRef;
}

export interface Stage {
  readonly id: StageId;
  readonly plane: Plane;
  readonly mode: "firstMatch" | "anyAllow" | "denyOverrides";
  readonly blocks: readonly Block[];
  /** When blocks apply, some of them isolates, and no rule matched. */
  readonly endIfApplied: "deny" | "pass";
  /** Where `pass` jumps to; null = past the last stage (the default). */
  readonly onPass: StageId | null;
}

/** The resource a block came from, for people. */
export interface PolicyRef {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly owner?: string;
  readonly reason?: string;
}

/** What of the world outside the policies decides. Values differ by deployment; all of them are printed by `status`. */
export interface Profile {
  /** Traffic from the machine itself to its workloads is not subject to their ingress policy (Kubernetes' node rule). */
  readonly nodeExempt: boolean;
  /** Traffic of a workload to its own addresses is not subject to policy (SEMANTICS trap 14). */
  readonly hairpinExempt: boolean;
  /** The verdict when all stages are exhausted. */
  readonly default: "allow" | "deny";
  /** Interfaces of this machine (bridges, or the host's side of an attachment) on which it serves DHCP. Sorted. */
  readonly dhcp?: readonly string[];
  /** Where this machine's own resolver listens, over UDP and TCP; counts only on the machine's own addresses. Sorted. */
  readonly dns?: readonly Resolver[];
}

export interface Resolver {
  readonly address: IpAddress;
  readonly port: number;
}

/** Stages in evaluation order. The usual ones: emergency, guardrail, exception, application, baseline. */
export interface PolicySet {
  readonly stages: readonly Stage[];
  readonly profile: Profile;
  /** The rollout that blocks marked `canary` belong to. Without it they are in force for all flows. */
  readonly canary?: Canary;
}

export const DEFAULT_PROFILE: Profile = { nodeExempt: true, hairpinExempt: true, default: "allow" };
