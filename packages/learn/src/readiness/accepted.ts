/**
 * Which histories are evidence: those of edges that a suggestion would rest on, and of those that it leaves to a person because
 * they are rare or late. Half of what comes for the first time is of that kind: without it nothing new would ever seem to come.
 * Scans, failures and whoever searches are neither evidence nor awaited, and no more is what a person has rejected.
 */
import type { EdgeHistory, FormerName, Inventory } from "@bulkhead/model";
import { dissolveSets } from "../former-sets.ts";
import { formerNames, recogniseEnds } from "../recognition.ts";
import { suggest, type SuggestOptions } from "../suggest.ts";
import { doubtsIn, type DoubtAnswers, type Doubts } from "./doubts.ts";

export interface Weighed {
  readonly histories: readonly EdgeHistory[];
  /** Those among them that wait for a person's word. */
  readonly doubts: Doubts;
  readonly formerNames: readonly FormerName[];
}

export function weighHistories(
  histories: readonly EdgeHistory[],
  inventory: Inventory,
  options: SuggestOptions = {},
  answers: DoubtAnswers = {},
): Weighed {
  const edges = histories.map(({ edge }) => edge);
  // As `suggest` sees them, so that what it hands back are these very objects.
  const recognised = recogniseEnds(dissolveSets(edges, options.namedSets), inventory);
  const { accept = [] } = answers;
  const { accepted, setAside } = suggest(recognised, inventory, {
    history: histories,
    ...options,
    accept: [...(options.accept ?? []), ...accept],
  });
  const { open, allowed } = doubtsIn(setAside, answers);
  const evidence = new Set([...accepted, ...allowed, ...open.keys()]);
  return {
    histories: histories.flatMap((history, index) => {
      const edge = recognised[index];
      return edge !== undefined && evidence.has(edge) ? [{ ...history, edge }] : [];
    }),
    doubts: open,
    formerNames: formerNames(edges, recognised),
  };
}

export const acceptedHistories = (
  histories: readonly EdgeHistory[],
  inventory: Inventory,
  options: SuggestOptions = {},
): readonly EdgeHistory[] => weighHistories(histories, inventory, options).histories;
