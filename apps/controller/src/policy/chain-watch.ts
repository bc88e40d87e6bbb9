/** Whether the history still holds, checked whole but not more often than needed: reading all of it takes time. */
import type { ChainCheck, StateStore } from "@bulkhead/store";

export interface ChainWatch {
  check(): Promise<ChainCheck>;
}

const FRESH_MS = 10_000;

export function watchChain(store: StateStore, now: () => number): ChainWatch {
  let checkedAt = -Infinity;
  let last: Promise<ChainCheck> | undefined;
  return {
    check() {
      if (last === undefined || now() - checkedAt > FRESH_MS) {
        checkedAt = now();
        last = store.verifyChain();
      }
      return last;
    },
  };
}
