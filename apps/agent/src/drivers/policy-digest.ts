/** The digest of a policy as the kernel is to hold it at one moment: the same whatever driver holds it. */
import { createHash } from "node:crypto";
import { effectiveAt } from "@bulkhead/datapath";
import { canonicalHostPolicy } from "@bulkhead/model";
import type { HostPolicy, MapSet } from "@bulkhead/model";

export const sha256 = (text: string): string =>
  `sha256:${createHash("sha256").update(text).digest("hex")}`;

/** Of policies without an end, so that each is digested once. */
const digests = new WeakMap<HostPolicy, string>();

const isTimed = ({ overlay, processOverlay = [] }: MapSet): boolean =>
  overlay.length + processOverlay.length > 0;

/** Some of it ends by itself. */
export const hasDeadlines = ({ live, shadow, canary }: HostPolicy): boolean =>
  [live, shadow, canary?.maps].some((set) => set !== undefined && isTimed(set));

/** The digest of a policy in force at `now`. */
export const digestOf = (policy: HostPolicy, now: number): string => {
  if (hasDeadlines(policy)) return sha256(canonicalHostPolicy(effectiveAt(policy, now)));
  const digest = digests.get(policy) ?? sha256(canonicalHostPolicy(policy));
  digests.set(policy, digest);
  return digest;
};
