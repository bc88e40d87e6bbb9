/**
 * What is enforced for all flows and becomes a rollout again is let go of in two steps. A packet under way reads rules of
 * the old generation and set elements of the new one (decision 0031): were both to change at once, one that takes part could
 * pass by rules that do not yet lead it aside and elements that no longer hold it. So the rules come first.
 */
import type { HostPolicy } from "@bulkhead/model";

/** What to bring into force between the two; null where nothing lies between them. */
export const beforeLettingGo = (
  before: HostPolicy | null,
  after: HostPolicy,
): HostPolicy | null => {
  if (before === null || before.canary !== undefined || after.canary === undefined) return null;
  if (before.live.maps.length === 0) return null;
  const rows = new Map([...before.rows, ...after.rows].map((row) => [row.id, row]));
  return { ...after, live: before.live, rows: [...rows.values()] };
};
