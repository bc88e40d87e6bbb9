/**
 * In which mode a workload is: `enforce` as soon as one policy in force selects it, `audit` while only staged ones do,
 * `observe` when nothing asks about it.
 */
import type { Mode, PolicySet, Workload } from "@bulkhead/model";
import { isActive } from "./judge-stage.ts";
import { selects, type NamespaceLabels } from "./matching.ts";

/** A workload on the host's network is never selected, so it is always observed. */
export function modeOf(
  workload: Workload,
  set: PolicySet,
  index: NamespaceLabels,
  now: number,
  /** What holds for the flows that take no part in a rollout counts; else what holds for any. */
  settled = false,
): Mode {
  if (workload.hostNetwork) return "observe";
  let mode: Mode = "observe";
  for (const block of set.stages.flatMap((stage) => stage.blocks)) {
    const staged = block.enforce === "staged" || (settled && block.canary === true);
    if (mode === "audit" && staged) continue;
    if (!isActive(block, { now, view: "shadow" })) continue;
    if (!selects(block.subject, workload, index)) continue;
    if (!staged) return "enforce";
    mode = "audit";
  }
  return mode;
}
