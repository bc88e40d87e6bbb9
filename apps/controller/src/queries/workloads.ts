/** The workloads as the API shows them: who, where, how far policy goes, and which resources select them. */
import type { WorkloadView, WorkloadsAnswer } from "@bulkhead/api";
import { matches, type Block, type Mode, type Workload } from "@bulkhead/model";
import type { InForce } from "../policy/change.ts";
import type { World } from "../world/world.ts";

export function listWorkloads(
  world: World,
  inForce: InForce,
  modes: Readonly<Record<string, Mode>>,
): WorkloadsAnswer {
  const blocks = inForce.reading.set.stages.flatMap((stage) => stage.blocks);
  return {
    revision: inForce.revision,
    hostAddresses: [...world.inventory.hostAddresses],
    workloads: world.inventory.workloads.map((workload): WorkloadView => {
      const attached = world.attachments.get(workload.id)?.[0];
      const selecting = blocks.filter((block) => selects(block, workload, world));
      return {
        id: workload.id,
        namespace: workload.namespace,
        name: workload.name,
        kind: workload.kind,
        labels: { ...workload.labels },
        addresses: [...workload.addresses],
        mode: modes[workload.id] ?? "observe",
        declared: world.declared.has(workload.id),
        attached: attached !== undefined,
        ...(attached === undefined
          ? {}
          : { interface: attached.discovered.interface, netnsPath: attached.discovered.netnsPath }),
        ...(workload.owner === undefined ? {} : { owner: { ...workload.owner } }),
        policies: [
          ...new Set(
            selecting.map(({ policy }) => `${policy.kind}/${policy.namespace}/${policy.name}`),
          ),
        ],
      };
    }),
  };
}

/** By this block, as its subject. */
export function selects({ subject }: Block, workload: Workload, world: World): boolean {
  if (workload.hostNetwork) return false;
  if (subject.kind === "all-workloads") return true;
  if (!matches(subject.selector, workload.labels)) return false;
  const { namespaces } = subject;
  switch (namespaces.kind) {
    case "all":
      return true;
    case "named":
      return namespaces.name === workload.namespace;
    case "selected":
      return matches(namespaces.selector, world.index.namespaceLabels(workload.namespace));
  }
}
