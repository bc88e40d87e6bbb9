/**
 * Which digests of the kernel are right at a moment: time-bound entries leave the kernel by themselves when their
 * deadline passes, so around a deadline the policy with and without the entry are both as wanted.
 */
import type { HostPolicy, MapSet, OverlayEntry } from "@bulkhead/model";
import { digestOf, type TrustedPolicy } from "./trusted-policy.ts";

/** The kernel's timers and our clock may differ by this much, milliseconds. */
const TOLERANCE_MS = 2000;

export function acceptableDigests(wanted: TrustedPolicy, now: number): ReadonlySet<string> {
  const deadlines = [...wanted.policy.live.overlay, ...wanted.policy.shadow.overlay].map(
    (entry) => entry.deadline,
  );
  const first = Math.min(...deadlines);
  if (first > now + TOLERANCE_MS) return new Set([wanted.signed.digest]);
  const surely = now - TOLERANCE_MS;
  const perhaps = deadlines.filter(
    (deadline) => deadline > surely && deadline <= now + TOLERANCE_MS,
  );
  const cutoffs = new Set([surely, ...perhaps]);
  return new Set([...cutoffs].map((cutoff) => digestOf(withoutExpired(wanted.policy, cutoff))));
}

/** The policy without the entries whose deadline is not after `cutoff`. */
export function withoutExpired(policy: HostPolicy, cutoff: number): HostPolicy {
  const stays = (entry: OverlayEntry): boolean => entry.deadline > cutoff;
  const trim = (set: MapSet): MapSet => ({ ...set, overlay: set.overlay.filter(stays) });
  return { ...policy, live: trim(policy.live), shadow: trim(policy.shadow) };
}
