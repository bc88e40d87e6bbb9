/**
 * What a datapath must know of this machine's processes besides the maps: where they are, below which control groups nobody
 * may be unknown, and whose the sockets are.
 */
import {
  compareDiagnostics,
  createDiagnostic,
  formatPort,
  NOWHERE,
  type Block,
  type CgroupPath,
  type ConfinedProcess,
  type Diagnostic,
  type HostPolicy,
  type LocalProcess,
  type MapSet,
  type Mode,
  type PolicySet,
  type ProcessSocket,
  type WorkloadId,
} from "@bulkhead/model";
import type { InventoryIndex } from "../inventory-index.ts";
import { compare } from "../order.ts";
import type { MapSets } from "./map-sets.ts";
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

/**
 * Also of those that nobody judges, where they share a port with one that is: it is not the other's alone. What two claim is
 * nobody's: who listens there is seen when something arrives, and until then nobody is believed.
 */
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
  const shared = all.filter((socket) => ports.has(portOf(socket)));
  return [...Map.groupBy(shared, (socket) => `${socket.address ?? ""} ${portOf(socket)}`).values()]
    .flatMap((claims) =>
      new Set(claims.map(({ workload }) => workload)).size === 1 ? claims.slice(0, 1) : [],
    )
    .toSorted(bySocket);
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

/** Each block once, with everybody whom it is about. */
export function diagnoseUneven(uneven: MapSets["uneven"], { stages }: PolicySet): Diagnostic[] {
  if (uneven.length === 0) return [];
  const found = new Map<string, Set<WorkloadId>>();
  for (const { judge, process } of uneven) {
    const { id = "" } = judge.blocks.find(namesOwnAddresses) ?? {};
    const about = found.get(id) ?? new Set();
    found.set(id, about.add(process));
  }
  return stages
    .flatMap(({ blocks }) => blocks)
    .flatMap((block) => {
      const about = found.get(block.id);
      return about === undefined ? [] : [{ block, about }];
    })
    .map(({ block, about }) => {
      const [first, ...others] = [...about].toSorted();
      const more = others.length === 0 ? "" : ` and ${others.length} more`;
      return createDiagnostic(
        "BH0607",
        block.source,
        `\`${block.id}\` tells apart addresses from which \`${first}\`${more} may speak`,
        "what is denied at one of the machine's addresses is denied at all of them, loopback included; name the process instead",
      );
    })
    .toSorted(compareDiagnostics);
}

function namesOwnAddresses({ rules }: Block): boolean {
  return rules.some(({ peers }) =>
    peers.some((peer) => peer.kind === "cidr" && peer.matchesWorkloads),
  );
}

export function diagnoseProcesses(
  index: InventoryIndex,
  known: readonly LocalProcess[],
): Diagnostic[] {
  const contested = new Map<string, Diagnostic>();
  for (const { address, kind, sockets } of index.known) {
    for (const { protocol, port, owners } of kind === "host" ? sockets : []) {
      if (owners.length === 1) continue;
      const ids = owners.map(({ id }) => `\`${id}\``).join(", ");
      const socket = `${formatPort(protocol, port)} ${ids}`;
      if (contested.has(socket)) continue;
      contested.set(
        socket,
        createDiagnostic(
          "BH0602",
          owners[0]!.source ?? NOWHERE,
          `port ${formatPort(protocol, port)} of \`${address}\` is claimed by ${ids}`,
          "until one of them gives it up, what comes from this machine is denied at those that have a policy",
        ),
      );
    }
  }
  const unknown = known
    .filter(({ workload }) => index.process(workload) === undefined)
    .map(({ workload, cgroup }) =>
      createDiagnostic(
        "BH0601",
        NOWHERE,
        `control group \`${cgroup}\` belongs to workload \`${workload}\`, which the inventory does not know as a process`,
        "no policy can select it; its traffic is judged at the other end only",
      ),
    );
  return [...unknown, ...contested.values()];
}
