/**
 * Which histories are evidence: those of edges that a suggestion would rest on, and of those that it leaves to a person because
 * they are rare or late. Half of what comes for the first time is of that kind: without it nothing new would ever seem to come.
 * Scans, failures and whoever searches are neither evidence nor awaited.
 */
import type { EdgeHistory, Inventory, SetAsideReason } from "@bulkhead/model";
import { recogniseEnds } from "../ends.ts";
import { dissolveSets } from "../former-sets.ts";
import { suggest, type SuggestOptions } from "../suggest.ts";

const RARE: ReadonlySet<SetAsideReason> = new Set(["lone", "first-ever", "off-hours"]);

export function acceptedHistories(
  histories: readonly EdgeHistory[],
  inventory: Inventory,
  options: SuggestOptions = {},
): readonly EdgeHistory[] {
  const edges = histories.map(({ edge }) => edge);
  // As `suggest` sees them, so that what it hands back are these very objects.
  const recognised = recogniseEnds(dissolveSets(edges, options.namedSets), inventory);
  const { accepted, setAside } = suggest(recognised, inventory, { history: histories, ...options });
  const evidence = new Set(accepted);
  for (const { edge, reason } of setAside) if (RARE.has(reason)) evidence.add(edge);
  return histories.flatMap((history, index) => {
    const edge = recognised[index];
    return edge !== undefined && evidence.has(edge) ? [{ ...history, edge }] : [];
  });
}
