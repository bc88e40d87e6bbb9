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
  const found = [...world.units].map(([workload, units]): Reaching => {
    const held = units.flatMap((unit) => unit.capabilities ?? []);
    return { workload, capabilities: [...new Set(held)].toSorted() };
  });
  return asOneNote(
    found.filter(({ workload }) => modes[workload] === "enforce"),
    "",
    "they reach past their policy; `CapabilityBoundingSet=` in the unit takes that away",
  );
}

function reachingContainers({ world, modes }: Input): string[] {
  const found = [...world.attachments].map(([workload, attachments]): Reaching => {
    const held = attachments.flatMap(({ discovered }) => discovered.capabilities ?? []);
    return { workload, capabilities: [...new Set(held)].toSorted() };
  });
  return asOneNote(
    found.filter(({ workload }) => modes[workload] === "enforce"),
    " in this machine's own user namespace",
    "they reach beyond their network, where no policy confines them",
  );
}

interface Reaching {
  readonly workload: WorkloadId;
  readonly capabilities: readonly string[];
}

const NAMED = 3;

/** A machine has dozens of these, and a note for each would hide all others. */
function asOneNote(found: readonly Reaching[], where: string, so: string): string[] {
  const holders = found
    .filter(({ capabilities }) => capabilities.length > 0)
    .toSorted((a, b) => (a.workload < b.workload ? -1 : 1));
  const [first] = holders;
  if (first === undefined) return [];
  if (holders.length === 1)
    return [`${first.workload} has processes with ${first.capabilities.join(", ")}${where}: ${so}`];
  const names = holders
    .slice(0, NAMED)
    .map(({ workload, capabilities }) => `${workload} (${capabilities.join(", ")})`);
  const rest = holders.length - NAMED;
  const more = rest > 0 ? ` and ${rest} more (\`bulkhead workloads -o json\`)` : "";
  return [
    `${holders.length} workloads have processes with capabilities${where}: ${so}: ${names.join(", ")}${more}`,
  ];
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
