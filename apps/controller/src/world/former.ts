/**
 * Who everybody was before a change, for questions about what the change means: an Inventory in the change renames and
 * relabels workloads, and both policies judge the same machine, each with the names and labels of its own side.
 */
import { indexInventory, isProcess, type InventoryIndex } from "@bulkhead/engine";
import type { Edge, FlowEnd, Workload, WorkloadId } from "@bulkhead/model";
import type { World } from "./world.ts";

export interface Former {
  /** The ids and addresses of after the change, with the labels and namespaces of before it. */
  readonly index: InventoryIndex;
  /** With ends that the change calls otherwise under their new names. */
  renamed(edge: Edge): Edge;
}

export function formerOf(before: World, after: World): Former {
  if (before === after) return { index: after.index, renamed: (edge) => edge };
  const heirs = new Map<WorkloadId, Workload>();
  const workloads = after.inventory.workloads.map((workload): Workload => {
    const former = isProcess(workload) ? sameProcess(before, workload) : sameOne(before, workload);
    // Nobody's before: declared by this change, and judged as what it is from now on.
    if (former === undefined) return workload;
    if (former.id !== workload.id) heirs.set(former.id, workload);
    const { labels, namespace, namedPorts } = former;
    return { ...workload, labels, namespace, namedPorts };
  });
  const { namespaces } = before.inventory;
  const index = indexInventory({ ...after.inventory, workloads, namespaces });
  const rename = (end: FlowEnd): FlowEnd => {
    const heir = end.workload === undefined ? undefined : heirs.get(end.workload);
    return heir === undefined
      ? end
      : { ...end, workload: heir.id, name: heir.id, labels: heir.labels };
  };
  const renamed = (edge: Edge): Edge => ({
    ...edge,
    source: rename(edge.source),
    destination: rename(edge.destination),
  });
  return { index, renamed: heirs.size === 0 ? (edge) => edge : renamed };
}

/** The same control group says more than the same name. */
function sameProcess({ index, processes }: World, { id, cgroup }: Workload): Workload | undefined {
  const found = processes.find((process) => process.cgroup === cgroup);
  return index.process(found?.workload ?? id);
}

/** Names may be exchanged, so an address says more than a name. */
function sameOne({ index }: World, { id, addresses }: Workload): Workload | undefined {
  for (const address of addresses) {
    const { workload } = index.at(address);
    if (workload !== undefined) return workload;
  }
  return index.workloads.get(id);
}
