/**
 * From failing claims to the thing that is broken: a name and a sentence, drawn from what was measured only.
 * The names are those of the sabotages, so that a sabotaged run must end by naming its own.
 */
import type { Claims } from "./claims.ts";
import type { Sabotage } from "./sabotage.ts";

export interface Finding {
  readonly name: Sabotage;
  readonly sentence: string;
}

export function diagnose(claims: Claims): readonly Finding[] {
  const findings: Finding[] = [];
  const failed = (...ids: readonly string[]): boolean => ids.some((id) => claims.failed(id));
  if (failed("recorded", "collector", "seen")) {
    findings.push({
      name: "dead-collector",
      sentence: "connections were made that are not on record: the collector does not listen",
    });
  }
  if (failed("receipt-apply", "receipt-audit", "receipt-enforce")) {
    findings.push({
      name: "stale-receipt",
      sentence: "the receipt is not of what was applied: the agent shows an old one",
    });
  }
  if (failed("blast", "breached", "beyond")) {
    // Whether the policy or the kernel is to blame is what `explain` tells.
    findings.push(
      failed("leaks", "breached")
        ? {
            name: "leaky-driver",
            sentence:
              "the kernel lets pass what policy and receipt say is denied: the driver leaks",
          }
        : {
            name: "missing-deny",
            sentence: "the policy in force allows what nobody needs: its default deny is missing",
          },
    );
  }
  return findings;
}
