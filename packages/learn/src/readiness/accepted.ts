/** Which histories are evidence: those of edges that a suggestion would rest on. Scans, failures and one-offs are not. */
import type { EdgeHistory, Inventory } from "@bulkhead/model";
import { recogniseEnds } from "../ends.ts";
import { dissolveSets } from "../former-sets.ts";
import { suggest, type SuggestOptions } from "../suggest.ts";

export function acceptedHistories(
  histories: readonly EdgeHistory[],
  inventory: Inventory,
  options: SuggestOptions = {},
): readonly EdgeHistory[] {
  const edges = histories.map(({ edge }) => edge);
  // As `suggest` sees them, so that what it hands back are these very objects.
  const recognised = recogniseEnds(dissolveSets(edges, options.namedSets), inventory);
  const accepted = new Set(suggest(recognised, inventory, options).accepted);
  return histories.flatMap((history, index) => {
    const edge = recognised[index];
    return edge !== undefined && accepted.has(edge) ? [{ ...history, edge }] : [];
  });
}
