/** The workloads as the API shows them: who, where, how far policy goes, and which resources select them. */
import type { WorkloadView, WorkloadsAnswer } from "@bulkhead/api";
import { formatResourceName } from "@bulkhead/dialects";
import { NAMESPACE_NAME_LABEL } from "@bulkhead/engine";
import type { UnitFacts } from "@bulkhead/wire";
import { matches, type Block, type Mode, type Workload, type WorkloadId } from "@bulkhead/model";
import type { InForce } from "../policy/change.ts";
import { contestedViews } from "./contested.ts";
import { makerName } from "../world/borrowed.ts";
import type { KnownProcess } from "../world/unit-memory.ts";
import type { World } from "../world/world.ts";

export function listWorkloads(
  world: World,
  inForce: InForce,
  modes: Readonly<Record<string, Mode>>,
  /** Whoever is in a recorded flow. */
  seen: ReadonlySet<WorkloadId>,
  facts: readonly UnitFacts[] = [],
): WorkloadsAnswer {
  const blocks = inForce.reading.set.stages.flatMap((stage) => stage.blocks);
  const contested = contestedBy(world);
  return {
    revision: inForce.revision,
    hostAddresses: [...world.inventory.hostAddresses],
    ...namespacesOf(world),
    ...(world.processesProblem === undefined ? {} : { processesProblem: world.processesProblem }),
    workloads: world.inventory.workloads.map((workload): WorkloadView => {
      const attached = world.attachments.get(workload.id)?.[0];
      const units = (world.units.get(workload.id) ?? []).filter(({ gone }) => gone !== true);
      const selecting = blocks.filter((block) => selects(block, workload, world));
      const declared = world.declared.has(workload.id);
      const image = attached?.discovered.image ?? units.find((unit) => unit.image)?.image;
      const view: WorkloadView = {
        id: workload.id,
        namespace: workload.namespace,
        name: workload.name,
        kind: workload.kind,
        labels: { ...workload.labels },
        addresses: [...workload.addresses],
        ...(workload.namedPorts.length === 0
          ? {}
          : { namedPorts: workload.namedPorts.map((port) => ({ ...port })) }),
        mode: modes[workload.id] ?? "observe",
        declared,
        attached: attached !== undefined || units.length > 0,
        ...(attached === undefined
          ? {}
          : { interface: attached.discovered.interface, netnsPath: attached.discovered.netnsPath }),
        ...(image === undefined ? {} : { image }),
        ...(workload.owner === undefined ? {} : { owner: { ...workload.owner } }),
        ...(contested.has(workload.id) ? { contested: contested.get(workload.id)! } : {}),
        policies: [...new Set(selecting.map(({ policy }) => formatResourceName(policy)))],
      };
      if (workload.kind !== "process") return view;
      return {
        ...view,
        ...processView(workload, world),
        ...runningIn(units, facts),
        idle:
          !declared &&
          selecting.length === 0 &&
          (workload.sockets ?? []).length === 0 &&
          !seen.has(workload.id),
      };
    }),
  };
}

function contestedBy({ index }: World): ReadonlyMap<WorkloadId, string[]> {
  const found = new Map<WorkloadId, string[]>();
  for (const { what, workloads } of contestedViews(index)) {
    for (const id of workloads) found.set(id, [...(found.get(id) ?? []), what]);
  }
  return found;
}

/** Of several units that are one workload, all of it together, and the file of the first. */
function runningIn(
  units: readonly KnownProcess[],
  facts: readonly UnitFacts[],
): Pick<WorkloadView, "running"> {
  const paths = new Set(units.map(({ cgroup }) => cgroup));
  const found = facts.filter(({ cgroup }) => paths.has(cgroup));
  const executable = found.find((one) => one.executable !== undefined)?.executable;
  if (found.length === 0) return {};
  return {
    running: {
      count: found.reduce((sum, { count }) => sum + count, 0),
      processes: found.flatMap(({ processes }) => processes.map((process) => ({ ...process }))),
      users: [...new Set(found.flatMap(({ users }) => users))].toSorted(),
      ...(executable === undefined ? {} : { executable: { ...executable } }),
    },
  };
}

/** Every namespace has its name for a label; that says nothing. */
function namespacesOf({ inventory }: World): Pick<WorkloadsAnswer, "namespaces"> {
  const namespaces = inventory.namespaces.flatMap(({ name, labels }) => {
    const { [NAMESPACE_NAME_LABEL]: _, ...own } = labels;
    return Object.keys(own).length === 0 ? [] : [{ name, labels: own }];
  });
  return namespaces.length === 0 ? {} : { namespaces };
}

function processView(workload: Workload, world: World): Partial<WorkloadView> {
  const units = world.units.get(workload.id) ?? [];
  const capabilities = [...new Set(units.flatMap((unit) => unit.capabilities ?? []))].toSorted();
  const borrowed = units.flatMap((unit) => unit.borrowed ?? []);
  return {
    ...(workload.cgroup === undefined ? {} : { cgroup: workload.cgroup }),
    sockets: (workload.sockets ?? []).map((socket) => ({ ...socket })),
    ...(borrowed.length === 0
      ? {}
      : {
          borrowed: borrowed.map(({ maker, how, ports }) => ({
            ...(maker === "" ? {} : { maker: makerName(maker, world) }),
            how,
            ports: ports.map((port) => ({ ...port })),
          })),
        }),
    ...(capabilities.length === 0 ? {} : { capabilities }),
  };
}

/** By this block, as its subject. */
export function selects(
  { subject }: Pick<Block, "subject">,
  workload: Workload,
  world: World,
): boolean {
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
