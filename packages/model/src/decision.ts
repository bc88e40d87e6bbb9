/**
 * What the engine answers for one flow: allow or deny in each direction, and what determined it, down to the rule and
 * its place in a file. Never a bare boolean.
 */
import type { IpAddress } from "./ip.ts";
import type { ProtocolNumber } from "./protocol.ts";
import type { SourceSpan } from "./diagnostic.ts";
import type { Direction, PolicyRef, StageId } from "./policy.ts";

/** One connection, in its original direction. `port` is the destination port, or ICMP type*256+code, or 0. */
export interface FlowQuery {
  readonly source: IpAddress;
  readonly destination: IpAddress;
  readonly protocol: ProtocolNumber;
  readonly port: number;
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
  | { readonly kind: "exemption"; readonly exemption: "node" | "hairpin" | "not-a-workload" };

export interface DirectionDecision {
  readonly direction: Direction;
  readonly verdict: DecisionVerdict;
  readonly determinedBy: Determinant;
  /** Rules of action `log` passed on the way. */
  readonly logged: readonly string[];
  /** Two blocks of equal order disagreed; the stricter one was taken. */
  readonly ambiguous: boolean;
}

export interface Decision {
  /** allow iff egress and ingress both allow; otherwise egress's verdict when it denies, else ingress's. */
  readonly verdict: DecisionVerdict;
  readonly egress: DirectionDecision;
  readonly ingress: DirectionDecision;
}
