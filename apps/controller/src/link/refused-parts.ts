/** What an agent told and nobody took, counted by its place and by why: so many kinds of it as a person would read. */
import type { Refusal } from "@bulkhead/wire";

export interface RefusedParts {
  /** True when one of them is of a kind that was not met before. */
  note(refused: readonly Refusal[]): boolean;
  /** Most frequent first. */
  list(): readonly Refusal[];
}

const MOST_KINDS = 100;
const OTHERS = "elsewhere";

export function createRefusedParts(): RefusedParts {
  const parts = new Map<string, Refusal>();
  return {
    note(refused) {
      const before = parts.size;
      for (const one of refused) {
        const named = `${one.place} ${one.why}`;
        const isRoom = parts.has(named) || parts.size < MOST_KINDS;
        const key = isRoom ? named : OTHERS;
        const { place, why } = isRoom ? one : { place: OTHERS, why: "several reasons" };
        parts.set(key, { place, why, count: one.count + (parts.get(key)?.count ?? 0) });
      }
      return parts.size > before;
    },
    list: () => [...parts.values()].toSorted((a, b) => b.count - a.count),
  };
}
