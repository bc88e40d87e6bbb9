/** Which workloads have been seen to talk: from the record once, and from then on as flows come. */
import type { Edge, Flow, WorkloadId } from "@bulkhead/model";
import type { FlowStore } from "@bulkhead/store";

export interface Acquaintances {
  note(flow: Pick<Flow | Edge, "source" | "destination">): void;
  all(): Promise<ReadonlySet<WorkloadId>>;
}

/** Whoever was silent for so long is not missed in a list. */
const REMEMBERED_MS = 7 * 86_400_000;

export function createAcquaintances(
  store: Pick<FlowStore, "edges">,
  now: () => number,
): Acquaintances {
  const met = new Set<WorkloadId>();
  let read: Promise<void> | undefined;
  function note({ source, destination }: Pick<Flow | Edge, "source" | "destination">): void {
    for (const { workload } of [source, destination]) if (workload !== undefined) met.add(workload);
  }
  async function fromRecord(): Promise<void> {
    const edges = await store.edges({ since: now() - REMEMBERED_MS, probes: false });
    for (const edge of edges) note(edge);
  }
  return {
    note,
    async all() {
      read ??= fromRecord();
      try {
        await read;
      } catch (error) {
        // The next who asks has it tried again.
        read = undefined;
        throw error;
      }
      return met;
    },
  };
}
