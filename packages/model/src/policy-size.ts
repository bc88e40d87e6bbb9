/** How large a compiled policy is, counted the same way before it is sent and in the receipt of what the kernel holds. */
import type { HostPolicy, MapSet } from "./policy-map.ts";

/** Subjects, address entries, rows and timed entries of all look-ups. The datapath needs at least one element for each. */
export function countEntries({ live, shadow, canary, rows }: HostPolicy): number {
  const sets = [live, shadow, ...(canary === undefined ? [] : [canary.maps])];
  return sets.reduce((sum, set) => sum + entriesOf(set), rows.length);
}

function entriesOf({ subjects, maps, overlay }: MapSet): number {
  return maps.reduce(
    (sum, { exact, ranges }) => sum + exact.length + ranges.length,
    subjects.egress.length + subjects.ingress.length + overlay.length,
  );
}
