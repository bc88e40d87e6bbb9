/**
 * What the engine answers for one flow: allow or deny in each direction, and what determined it, down to the rule and
 * its place in a file. Never a bare boolean.
 */
import type { IpAddress } from "./ip.ts";
import type { ProtocolNumber } from "./protocol.ts";
import type { SourceSpan } from "./diagnostic.ts";
import type { Direction, PolicyRef, StageId } from "./policy.ts";
import type { Predicate, Request } from "./predicate.ts";
import type { WorkloadId } from "./workload.ts";

/** One connection, in its original direction. `port` is the destination port, or ICMP type*256+code, or 0. */
export interface FlowQuery {
  readonly source: IpAddress;
  readonly destination: IpAddress;
  readonly protocol: ProtocolNumber;
  readonly port: number;
  /** Who has the socket at an end on this machine's own addresses, where the kernel tells: addresses alone say `host`. */
  readonly sourceProcess?: WorkloadId;
  /** Absent: whoever owns a socket at that address, protocol and port. */
  readonly destinationProcess?: WorkloadId;
  /** What the source addressed, where destination translation led it elsewhere; only a canary's bucket asks for it. */
  readonly addressed?: { readonly destination: IpAddress; readonly port: number };
  /** Names that stand for the destination's address, lower case and without a final dot. */
  readonly names?: readonly string[];
  /** Absent: what travels in the connection is not told, and the decision carries obligations in its stead. */
  readonly request?: Request;
}

export type DecisionVerdict = "allow" | "drop" | "reject";

export type Determinant =
  | {
      readonly kind: "rule";
      readonly stage: StageId;
      readonly policy: PolicyRef;
      readonly rule: string;
      readonly source: SourceSpan;
      readonly expiresAt?: number;
    }
  /** The subject is isolated by these blocks and nothing allowed the flow. */
  | {
      readonly kind: "isolation";
      readonly stage: StageId;
      readonly policy: PolicyRef;
      readonly block: string;
      readonly source: SourceSpan;
    }
  /** Nothing applies: the profile's default. */
  | { readonly kind: "default" }
  | { readonly kind: "exemption"; readonly exemption: Exemption };

/**
 * Why a flow is not judged in a direction: `node` the machine itself sends it, `hairpin` a workload sends it to itself,
 * `dns` it goes to the machine's own resolver, `dhcp` machine and workload speak about a lease, `not-a-workload` nobody
 * whose policy could be asked is at that end.
 */
export type Exemption = "node" | "hairpin" | "dns" | "dhcp" | "not-a-workload";

/** On what a verdict of `allow` depends that the query did not tell. */
export type Obligation =
  /** Only requests that one of the predicates holds. */
  | { readonly kind: "only"; readonly rules: readonly string[]; readonly l7: readonly Predicate[] }
  /** All requests but those that one of the predicates holds. */
  | {
      readonly kind: "unless";
      readonly rules: readonly string[];
      readonly l7: readonly Predicate[];
    }
  /** The ends have to prove who they are. */
  | { readonly kind: "auth"; readonly rules: readonly string[] }
  /** A judge outside is asked too (Istio's CUSTOM). */
  | { readonly kind: "external"; readonly rules: readonly string[] };

export interface DirectionDecision {
  readonly direction: Direction;
  readonly verdict: DecisionVerdict;
  readonly determinedBy: Determinant;
  /** Rules of action `log` passed on the way. */
  readonly logged: readonly string[];
  /** Two blocks of equal order disagreed; the stricter one was taken. */
  readonly ambiguous: boolean;
  /** Absent: none. All must be met; never with a verdict other than `allow`. */
  readonly obligations?: readonly Obligation[];
}

export interface Decision {
  /** It is allowed only because it does not take part in the rollout, whose policies would do this to it. */
  readonly spared?: DirectionDecision;
  /** allow iff egress and ingress both allow; otherwise egress's verdict when it denies, else ingress's. */
  readonly verdict: DecisionVerdict;
  readonly egress: DirectionDecision;
  readonly ingress: DirectionDecision;
}
