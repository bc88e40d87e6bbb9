/**
 * Units of the machine as workloads: what was discovered, under the names that operators declared for it, or its own. No two
 * workloads lie in one another: who is declared by a group that holds others is all of them.
 */
import type { CgroupPath, LocalProcess, OwnedSocket, Workload, WorkloadId } from "@bulkhead/model";
import type { Declared } from "./declared.ts";
import { nameUnits, type UnitName } from "./unit-names.ts";
import type { KnownProcess } from "./unit-memory.ts";

export interface JoinedUnits {
  /** Sorted by workload. */
  readonly processes: readonly LocalProcess[];
  readonly units: ReadonlyMap<WorkloadId, readonly KnownProcess[]>;
  /** What each would be called that nobody declares. */
  readonly unitNames: ReadonlyMap<CgroupPath, UnitName>;
}

interface Claim {
  readonly workload: Workload;
  readonly cgroup: CgroupPath;
}

/** Adds those found to `workloads`, and says where those declared are. */
export function joinUnits(
  declared: Declared,
  found: readonly KnownProcess[],
  workloads: Map<WorkloadId, Workload>,
): JoinedUnits {
  const claims = claimsOf(declared);
  const names = nameUnits(found);
  const cgroups = new Map<CgroupPath, WorkloadId>();
  const units = new Map<WorkloadId, KnownProcess[]>();
  // Whoever runs comes before whoever only ran under the same name.
  for (const process of found.toSorted(
    (a, b) => Number(a.gone ?? false) - Number(b.gone ?? false),
  )) {
    const claim = claims(process);
    const others = claim === undefined ? undefined : units.get(claim.workload.id);
    const isClaimed =
      claim !== undefined &&
      (others === undefined || cgroups.get(claim.cgroup) === claim.workload.id);
    const name = names.get(process.cgroup);
    const workload = isClaimed ? claim.workload : undeclared(process, name!, workloads);
    const cgroup = isClaimed ? claim.cgroup : process.cgroup;
    cgroups.set(cgroup, workload.id);
    units.set(workload.id, [...(others !== undefined && isClaimed ? others : []), process]);
  }
  for (const [cgroup, id] of cgroups) {
    const before = workloads.get(id);
    const here = units.get(id) ?? [];
    if (before === undefined) continue;
    workloads.set(id, {
      ...before,
      // What the system itself says goes without saying; what an operator says goes before it.
      labels: {
        ...here.map(({ cgroup: at }) => names.get(at)?.labels).findLast(isThere),
        ...before.labels,
      },
      kind: "process",
      addresses: [],
      cgroup,
      sockets: here.every(({ gone }) => gone === true) ? (before.sockets ?? []) : merged(here),
    });
  }
  for (const { workload } of declared.workloads) {
    const { cgroup } = workload;
    if (cgroup === undefined || cgroups.has(cgroup) || units.has(workload.id)) continue;
    // A part of a unit is not told apart from the rest of it.
    if (![...cgroups.keys()].some((other) => liesIn(cgroup, other) || liesIn(other, cgroup)))
      cgroups.set(cgroup, workload.id);
  }
  return {
    processes: [...cgroups]
      .map(([cgroup, workload]): LocalProcess => ({ workload, cgroup }))
      .toSorted((a, b) => (a.workload < b.workload ? -1 : 1)),
    units,
    unitNames: names,
  };
}

const isThere = <T>(value: T | undefined): value is T => value !== undefined;

const liesIn = (inner: CgroupPath, outer: CgroupPath): boolean => inner.startsWith(`${outer}/`);

/** Whom a unit was declared to be: by its container, or by the outermost group around it that was declared. */
function claimsOf(declared: Declared): (process: KnownProcess) => Claim | undefined {
  const units = new Map<string, Workload>();
  const containers = new Map<string, Workload>();
  for (const { workload, binding } of declared.workloads) {
    if (binding?.kind === "unit") units.set(binding.name, workload);
    if (binding?.kind === "container") containers.set(binding.name, workload);
  }
  return ({ cgroup, container }) => {
    const byContainer = container === undefined ? undefined : containers.get(container);
    if (byContainer !== undefined) return { workload: byContainer, cgroup };
    const parts = cgroup.split("/").slice(1);
    for (const [at, name] of parts.entries()) {
      const path = `/${parts.slice(0, at + 1).join("/")}`;
      // Below a unit, and below a user, names are given by whoever is there: those found here lie in no other unit.
      const workload = units.get(path) ?? units.get(name);
      if (workload !== undefined) return { workload, cgroup: path };
    }
    return undefined;
  };
}

function undeclared(
  process: KnownProcess,
  { namespace, name, labels }: { namespace: string; name: string; labels: Workload["labels"] },
  workloads: Map<WorkloadId, Workload>,
): Workload {
  let id = `${namespace}/${name}`;
  // Somebody declared that name for something else, or an attachment has it.
  while (workloads.has(id)) id = `${id}-unit`;
  const workload: Workload = {
    id,
    namespace,
    name: id.slice(namespace.length + 1),
    kind: "process",
    labels,
    addresses: [],
    namedPorts: [],
    hostNetwork: false,
    cgroup: process.cgroup,
  };
  workloads.set(id, workload);
  return workload;
}

function merged(units: readonly KnownProcess[]): readonly OwnedSocket[] {
  return units
    .flatMap(({ sockets }) => sockets)
    .toSorted((a, b) => a.port - b.port || a.protocol - b.protocol || a.family - b.family);
}
