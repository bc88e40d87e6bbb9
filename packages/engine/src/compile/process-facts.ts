/**
 * What a datapath must know of this machine's processes besides the maps: where they are, below which control groups nobody
 * may be unknown, and whose the sockets are.
 */
import {
  createDiagnostic,
  NOWHERE,
  type CgroupPath,
  type ConfinedProcess,
  type Diagnostic,
  type HostPolicy,
  type LocalProcess,
  type MapSet,
  type Mode,
  type ProcessSocket,
  type WorkloadId,
} from "@bulkhead/model";
import type { InventoryIndex } from "../inventory-index.ts";
import { compare } from "../order.ts";
import { assignIds } from "./stable-id.ts";

const HANDLE_DIGITS = 8;

/** Lists that come to nothing are absent. */
export function processFacts(
  index: InventoryIndex,
  known: readonly LocalProcess[],
  modes: Readonly<Record<WorkloadId, Mode>>,
  sets: readonly MapSet[],
): Pick<HostPolicy, "processes" | "managed" | "sockets"> {
  const handles = assignIds(
    known.map(({ workload }) => workload),
    HANDLE_DIGITS,
  );
  const processes = known
    .map(({ workload, cgroup }): ConfinedProcess => {
      const handle = handles.get(workload)!;
      return { workload, cgroup, handle, mode: modes[workload] ?? "observe" };
    })
    .toSorted((a, b) => compare(a.workload, b.workload) || compare(a.cgroup, b.cgroup));
  const managed = managedAbove(processes);
  const sockets = toldSockets(index, known, sets);
  return {
    ...(processes.length === 0 ? {} : { processes }),
    ...(managed.length === 0 ? {} : { managed }),
    ...(sockets.length === 0 ? {} : { sockets }),
  };
}

/** The first level is named, and never the root: whoever is in no unit at all is the machine's own affair. */
function managedAbove(processes: readonly ConfinedProcess[]): CgroupPath[] {
  const parents = processes.flatMap(({ cgroup, mode }) => {
    const end = cgroup.indexOf("/", 1);
    return mode === "enforce" && end > 0 ? [cgroup.slice(0, end)] : [];
  });
  return [...new Set(parents)].toSorted();
}

/** Also of those that nobody judges, where they share a port with one that is: it is not the other's alone. */
function toldSockets(
  index: InventoryIndex,
  known: readonly LocalProcess[],
  sets: readonly MapSet[],
): ProcessSocket[] {
  const judged = new Set(
    sets.flatMap(({ processes }) =>
      [...(processes?.egress ?? []), ...(processes?.ingress ?? [])].map(([workload]) => workload),
    ),
  );
  const all = [...new Set(known.map(({ workload }) => workload))].flatMap((workload) =>
    (index.process(workload)?.sockets ?? []).map((socket) => ({ workload, ...socket })),
  );
  const portOf = ({ family, protocol, port }: ProcessSocket) => `${family} ${protocol} ${port}`;
  const ports = new Set(all.filter(({ workload }) => judged.has(workload)).map(portOf));
  return all.filter((socket) => ports.has(portOf(socket))).toSorted(bySocket);
}

function bySocket(a: ProcessSocket, b: ProcessSocket): number {
  return (
    compare(a.workload, b.workload) ||
    compare(a.family, b.family) ||
    compare(a.protocol, b.protocol) ||
    compare(a.port, b.port) ||
    compare(a.address ?? "", b.address ?? "")
  );
}

/** Whom the inventory does not know as a process of the machine. */
export function diagnoseProcesses(
  index: InventoryIndex,
  known: readonly LocalProcess[],
): Diagnostic[] {
  return known
    .filter(({ workload }) => index.process(workload) === undefined)
    .map(({ workload, cgroup }) =>
      createDiagnostic(
        "BH0601",
        NOWHERE,
        `control group \`${cgroup}\` belongs to workload \`${workload}\`, which the inventory does not know as a process`,
        "no policy can select it; its traffic is judged at the other end only",
      ),
    );
}
