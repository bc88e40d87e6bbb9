/** What status has to say of single workloads: who reaches past its policy, and whose traffic its policy misses. */
import type { Mode, WorkloadId } from "@bulkhead/model";
import type { InForce } from "../policy/change.ts";
import { acceptedBorrowers, helpFor } from "../policy/units-missed.ts";
import { borrowers } from "../world/borrowed.ts";
import type { World } from "../world/world.ts";

interface Input {
  readonly world: World;
  readonly modes: Readonly<Record<WorkloadId, Mode>>;
  readonly inForce: InForce;
}

/** A unit that ran here once, and that no policy is about now. */
export function isGone(id: WorkloadId, { world, modes }: Input): boolean {
  if ((modes[id] ?? "observe") !== "observe" || world.declared.has(id)) return false;
  const units = world.units.get(id) ?? [];
  return units.length > 0 && units.every(({ gone }) => gone === true);
}

/** Enforced workloads that are confined only as long as they care to be. */
export function reaching(input: Input): string[] {
  return [...reachingUnits(input), ...reachingContainers(input)];
}

/** Whose policy a process of theirs can undo, or go round with packets of its own making. */
function reachingUnits({ world, modes }: Input): string[] {
  return [...world.units]
    .filter(([workload]) => modes[workload] === "enforce")
    .flatMap(([workload, units]) => {
      const held = [...new Set(units.flatMap((unit) => unit.capabilities ?? []))].toSorted();
      return held.length === 0
        ? []
        : [
            `${workload} has processes with ${held.join(", ")}: they reach past their policy; \`CapabilityBoundingSet=\` in the unit takes that away`,
          ];
    })
    .toSorted();
}

function reachingContainers({ world, modes }: Input): string[] {
  return [...world.attachments]
    .filter(([workload]) => modes[workload] === "enforce")
    .flatMap(([workload, attachments]) => {
      const held = attachments.flatMap(({ discovered }) => discovered.capabilities ?? []);
      return held.length === 0
        ? []
        : [
            `${workload} has processes with ${[...new Set(held)].toSorted().join(", ")} in this machine's own user namespace: they reach beyond their network, where no policy confines them`,
          ];
    })
    .toSorted();
}

/** What goes over the borrowed sockets of enforced units is judged as somebody else's. */
export function enforcedBorrowers({ world, modes, inForce }: Input): string[] {
  const accepted = acceptedBorrowers(inForce.reading);
  return borrowers(world)
    .filter(({ workload }) => modes[workload] === "enforce" && !accepted.has(workload))
    .map(
      (borrower) =>
        `${borrower.workload} is enforced, and ${borrower.text}: what goes over them is not judged as its own; ${helpFor(borrower, world)}`,
    );
}
