/**
 * Counts connections of which nobody can say whose rules they should have met, because several claim one of their ends. Where
 * nothing is claimed twice, which is almost always, a flow costs nothing.
 */
import { contestedIn, precisionOf, queryOf, type InventoryIndex } from "@bulkhead/engine";
import type { Flow } from "@bulkhead/model";

export class AmbiguousCount {
  #connections = 0;
  #index: InventoryIndex | undefined;
  #isContested = false;

  /** Since the controller started. */
  get connections(): number {
    return this.#connections;
  }

  see(flows: readonly Flow[], index: InventoryIndex): void {
    if (index !== this.#index) {
      this.#index = index;
      this.#isContested = contestedIn(index).length > 0;
    }
    if (!this.#isContested) return;
    for (const flow of flows) {
      const shared = precisionOf(index, queryOf(flow, index));
      if (shared?.precision === "ambiguous") this.#connections += flow.connections;
    }
  }
}
