/** In which modes a set of resources is: each has the mode that it was last applied with, and only those count that decide. */
import { isDeciding } from "@bulkhead/dialects";
import type { ApplyMode, StoredResource } from "@bulkhead/store";

export type ModeCounts = Readonly<Record<ApplyMode, number>>;

export function modesOf(resources: readonly Pick<StoredResource, "key" | "mode">[]): ModeCounts {
  const counts = { enforce: 0, audit: 0 };
  for (const { key, mode } of resources) {
    if (isDeciding(key.slice(0, key.indexOf("/")))) counts[mode] += 1;
  }
  return counts;
}

/** Of a change that gives nothing a mode: what it leaves is enforced as soon as any of it is. */
export function modeInForce(resources: readonly Pick<StoredResource, "key" | "mode">[]): ApplyMode {
  return modesOf(resources).enforce > 0 ? "enforce" : "audit";
}
