/**
 * What the kernel may have been asked about a recorded flow. Whose socket a flow of this machine left is not always on record,
 * and a source's side knows of the destination's socket only what was told of it: then there is more than one right answer.
 */
import { isProcess, queryOf, type InventoryIndex } from "@bulkhead/engine";
import type { Flow, FlowQuery } from "@bulkhead/model";

/** The likeliest first. */
export function* possibleQueries(flow: Flow, index: InventoryIndex): Iterable<FlowQuery> {
  const { destinationProcess, ...told } = queryOf(flow, index);
  const arrived = destinationProcess === undefined ? [] : [{ ...told, destinationProcess }];
  yield* arrived;
  yield told;
  if (told.sourceProcess !== undefined || index.at(told.source).kind !== "host") return;
  for (const workload of index.workloads.values()) {
    if (!isProcess(workload)) continue;
    for (const query of [...arrived, told]) yield { ...query, sourceProcess: workload.id };
  }
}
