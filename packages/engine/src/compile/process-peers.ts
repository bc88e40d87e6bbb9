/**
 * Rows of a class for peers that the kernel knows by their control group, where an address of the machine would say
 * something else. A row holds from whichever of the machine's addresses a process speaks: where rules tell these apart, the
 * strictest of what they say (decision 0061).
 */
import type { WorkloadId } from "@bulkhead/model";
import type { InventoryIndex } from "../inventory-index.ts";
import type { Atom, AtomTable } from "./atom-table.ts";
import type { CompiledClass, ViewCompiler } from "./compile-view.ts";
import type { Identity, IdentityTable } from "./identity-table.ts";
import type { Conflict } from "./paint.ts";
import { isSame } from "./same.ts";
import type { Piece, TimedRow } from "./timed-row.ts";

export interface Processes {
  /** Those of this machine, by id. */
  readonly local: readonly LocalIdentity[];
  /** Every atom of the machine's addresses, loopback and what others claim among them. */
  readonly machine: readonly Atom[];
}

export interface LocalIdentity {
  readonly workload: WorkloadId;
  /** As the one whose policy is asked, and as a peer at an address of the machine. */
  readonly subject: Identity;
  readonly peer: Identity;
}

/** Rows here are numbers in the row table. */
export interface ProcessPeers {
  /** By workload. */
  readonly rows: readonly (readonly [WorkloadId, number])[];
  /** Of some of these, by workload. */
  readonly overlay: readonly { readonly process: WorkloadId; readonly pieces: readonly Piece[] }[];
  readonly conflicts: readonly Conflict[];
}

export const NO_PEERS: ProcessPeers = { rows: [], overlay: [], conflicts: [] };

export function localProcesses(
  index: InventoryIndex,
  known: Iterable<WorkloadId>,
  identities: IdentityTable,
  atoms: AtomTable,
): Processes {
  const local = [...new Set(known)].toSorted().flatMap((id): LocalIdentity[] => {
    const process = index.process(id);
    if (process === undefined) return [];
    return [{ workload: id, subject: identities.of(process), peer: identities.atHost(process) }];
  });
  if (local.length === 0) return { local, machine: [] };
  const machine = new Set(atoms.loopback.map(({ atom }) => atom));
  const claimed = new Set(index.inventory.hostAddresses);
  for (const [position, { kind, address }] of atoms.places.entries()) {
    if (kind === "host" || claimed.has(address)) machine.add(atoms.atoms[position]!);
  }
  return { local, machine: [...machine] };
}

/** `view`: that of the set of maps, which may be more than one for a class. */
export function processPeers(
  { direction, ofProcesses, map }: CompiledClass,
  view: ViewCompiler,
  { local, machine }: Processes,
  nodeExempt: boolean,
): ProcessPeers {
  if (direction === "egress" || local.length === 0) return NO_PEERS;
  const exempt = nodeExempt && !ofProcesses;
  const met = machine.filter(({ isLoopback }) => ofProcesses || !isLoopback);
  const rowOf = ({ subject, peer }: LocalIdentity): TimedRow | undefined => {
    if (exempt && !view.isSubject(subject)) return undefined;
    const places = met.map(({ isHost, prefixes }) => ({
      identities: [isHost ? peer : subject],
      prefixes,
    }));
    if (places.length === 0) return map.rowFrom([{ identities: [peer], prefixes: [] }]);
    // Who is exempt by address is judged by process, whatever the address says.
    const differs =
      exempt || !places.every((place, i) => isAlike(map.rowFrom([place]), map.rowOf(met[i]!)));
    return differs ? map.rowFrom(places) : undefined;
  };
  const byIdentity = new Map<Identity, TimedRow | undefined>();
  const rows: (readonly [WorkloadId, number])[] = [];
  const overlay: { process: WorkloadId; pieces: readonly Piece[] }[] = [];
  const conflicts: Conflict[] = [];
  for (const process of local) {
    const known = byIdentity.has(process.peer);
    const row = known ? byIdentity.get(process.peer) : rowOf(process);
    byIdentity.set(process.peer, row);
    if (row === undefined) continue;
    rows.push([process.workload, row.base]);
    if (row.pieces.length > 0) overlay.push({ process: process.workload, pieces: row.pieces });
    if (!known) conflicts.push(...row.conflicts);
  }
  return { rows, overlay, conflicts };
}

function isAlike(a: TimedRow, b: TimedRow): boolean {
  return a === b || (a.base === b.base && isSame(a.pieces, b.pieces));
}
