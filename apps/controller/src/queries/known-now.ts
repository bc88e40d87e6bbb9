/**
 * Edges as whoever learns from them takes them: an end that was nobody when it was seen, such as an address of an import, is whoever
 * has that address alone by now. So the list of edges and a suggestion speak of the same ends. Filters go by what was recorded.
 */
import { createRecognition, mergeEdges } from "@bulkhead/learn";
import type { Edge, Inventory } from "@bulkhead/model";

export function knownNow(edges: readonly Edge[], inventory: Inventory): readonly Edge[] {
  const recognised = edges.map(createRecognition(inventory));
  // Seen before and after somebody was known, it is one edge.
  return recognised.some((edge, at) => edge !== edges[at]) ? mergeEdges(recognised) : edges;
}
