/** How large a compiled policy is, counted the same way before it is sent and in the receipt of what the kernel holds. */
import type { HostPolicy, MapSet } from "./policy-map.ts";

/** Subjects, entries for addresses and processes, rows and timed entries of all look-ups. The datapath needs at least one element for each. */
export function countEntries({ live, shadow, canary, rows }: HostPolicy): number {
  const sets = [live, shadow, ...(canary === undefined ? [] : [canary.maps])];
  return sets.reduce((sum, set) => sum + entriesOf(set), rows.length);
}

function entriesOf({ subjects, maps, overlay, processes, processOverlay = [] }: MapSet): number {
  const judged = (processes?.egress.length ?? 0) + (processes?.ingress.length ?? 0);
  return maps.reduce(
    (sum, map) => sum + map.exact.length + map.ranges.length + (map.processes?.length ?? 0),
    subjects.egress.length +
      subjects.ingress.length +
      overlay.length +
      judged +
      processOverlay.length,
  );
}
