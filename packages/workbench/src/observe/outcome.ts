/** Six verdicts of flows as the three things that people ask of a connection: did it pass, would it, or did it not. */
import type { FlowVerdict } from "@bulkhead/model";

/** `audit`: passed, and would be denied once that is enforced. */
export type Outcome = "passed" | "audit" | "denied";

const OUTCOMES: Readonly<Record<FlowVerdict, Outcome>> = {
  forwarded: "passed",
  audit: "audit",
  dropped: "denied",
  rejected: "denied",
  spoofed: "denied",
  error: "denied",
};

export function outcomeOf(verdict: FlowVerdict): Outcome {
  return OUTCOMES[verdict];
}

export function isDenied(verdict: FlowVerdict): boolean {
  return OUTCOMES[verdict] === "denied";
}
