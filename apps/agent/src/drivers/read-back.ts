/**
 * What was found in the kernel against what should be there, in the form that receipts and drift are told in. One way for all
 * drivers: a receipt tells nothing of who wrote the rules.
 */
import { DEADLINE_TOLERANCE } from "@bulkhead/datapath";
import { canonicalHostPolicy, countEntries } from "@bulkhead/model";
import type { HostPolicy } from "@bulkhead/model";
import type { ReadBackResult } from "./driver.ts";
import { digestOf, sha256 } from "./policy-digest.ts";

export interface FoundInKernel {
  /** Null when what is there adds up to no policy. */
  readonly policy: HostPolicy | null;
  readonly differences: readonly string[];
  readonly readAt: number;
}

export const readBackOf = (
  { policy, differences, readAt }: FoundInKernel,
  applied: HostPolicy | null,
): ReadBackResult => {
  const body = policy === null ? "unreadable" : canonicalHostPolicy(policy);
  const digest = sha256([body, ...differences].join("\n"));
  let desiredDigest = applied === null ? null : digestOf(applied, readAt);
  if (applied !== null) {
    // An element may have gone a moment before its time, by the kernel's clock, or been listed a moment before it went.
    for (const wobble of [DEADLINE_TOLERANCE, -DEADLINE_TOLERANCE]) {
      if (digest === desiredDigest) break;
      const near = digestOf(applied, readAt + wobble);
      if (digest === near) desiredDigest = near;
    }
  }
  return {
    digest,
    desiredDigest,
    policy,
    differences,
    readAt,
    entries: policy === null ? 0 : countEntries(policy),
  };
};
