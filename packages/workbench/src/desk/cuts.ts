/**
 * What a proposed change takes away: a policy that selects somebody whom none selected isolates him, and what it does not allow
 * ends with it. Whoever applies it to let one connection through must know.
 */
import { formatPorts, isEmptyPorts, subtract } from "@bulkhead/model";
import { connectivityOf } from "./connectivity.ts";
import type { Desk } from "./desk.ts";
import { differencesOf } from "./differences.ts";

/** Sorted by source, then by destination; of both families and all protocols. */
export function cutsOf(desk: Desk, change: string, now: number): readonly string[] {
  const changed = desk.withFiles([{ name: "the change", text: change }]);
  const cuts: string[] = [];
  for (const one of differencesOf(connectivityOf(desk, now), connectivityOf(changed, now))) {
    const gone = subtract(one.before, one.after);
    if (isEmptyPorts(gone)) continue;
    cuts.push(`${one.source} → ${one.destination} ${formatPorts(gone)}`);
  }
  return cuts;
}
