/**
 * Whom other labels bring under enforcement, or out of it: a label selects, so that one word may shut a workload or open it
 * wholly, which a list of connections tells only to who reads it whole.
 */
import { modeOf, type InventoryIndex } from "@bulkhead/engine";
import type { PolicySet } from "@bulkhead/model";

export interface Labelling {
  readonly set: PolicySet;
  readonly index: InventoryIndex;
}

export function modeNotices(before: Labelling, after: Labelling, now: number): readonly string[] {
  return [...after.index.workloads.values()].flatMap((workload) => {
    const former = before.index.workloads.get(workload.id);
    if (former === undefined || former === workload) return [];
    const was = modeOf(former, before.set, before.index, now) === "enforce";
    const is = modeOf(workload, after.set, after.index, now) === "enforce";
    if (was === is) return [];
    return is
      ? [`\`${workload.id}\` is enforced by these labels: what no rule allows it is denied`]
      : [`\`${workload.id}\` is enforced no longer: no enforced policy selects it by these labels`];
  });
}
