/**
 * What workloads were called before anybody had declared them: an attachment by its netns or container, a unit by its group. Whoever is
 * declared by the same netns, container or unit is the same one, so that what was recorded before counts for it.
 */
import type { CgroupPath, WorkloadId } from "@bulkhead/model";
import type { DiscoveredEndpoint } from "@bulkhead/wire";
import type { Declared } from "./declared.ts";
import { composeProject, nameFrom } from "./runtime-labels.ts";
import type { KnownProcess } from "./unit-memory.ts";
import type { UnitName } from "./unit-names.ts";

/** Namespace of attachments that nobody declared and whose runtime names none. */
const UNDECLARED_NAMESPACE = "default";

/** `base`: the name, unless somebody else has it. */
export function attachmentName({ name, interface: link, containerLabels }: DiscoveredEndpoint): {
  readonly namespace: string;
  readonly base: string;
} {
  return {
    namespace: composeProject(containerLabels) || UNDECLARED_NAMESPACE,
    base: nameFrom(name) || nameFrom(link),
  };
}

export interface Found {
  readonly declared: Declared;
  readonly workloads: ReadonlyMap<WorkloadId, unknown>;
  readonly attachments: ReadonlyMap<
    WorkloadId,
    readonly { readonly discovered: DiscoveredEndpoint }[]
  >;
  readonly units: ReadonlyMap<WorkloadId, readonly KnownProcess[]>;
  readonly unitNames: ReadonlyMap<CgroupPath, UnitName>;
}

/** Without names that somebody bears now, or that were more than one's. */
export function foundAs(found: Found): ReadonlyMap<WorkloadId, WorkloadId> {
  const { declared, workloads, attachments, units, unitNames } = found;
  const names = new Map<WorkloadId, WorkloadId>();
  const shared = new Set<WorkloadId>();
  const note = (namespace: string, name: string, now: WorkloadId): void => {
    const id = `${namespace}/${name}`;
    const other = names.get(id);
    if (other !== undefined && other !== now) shared.add(id);
    if (!workloads.has(id)) names.set(id, now);
  };
  for (const { workload, binding } of declared.workloads) {
    const { id } = workload;
    // Whoever is not attached now was called so, unless its runtime named a project.
    if (binding?.kind === "netns" || binding?.kind === "container")
      note(UNDECLARED_NAMESPACE, nameFrom(binding.name), id);
    for (const { discovered } of attachments.get(id) ?? []) {
      const { namespace, base } = attachmentName(discovered);
      note(namespace, base, id);
    }
    for (const { cgroup } of units.get(id) ?? []) {
      const unit = unitNames.get(cgroup);
      if (unit !== undefined) note(unit.namespace, unit.name, id);
    }
  }
  for (const id of shared) names.delete(id);
  return names;
}
