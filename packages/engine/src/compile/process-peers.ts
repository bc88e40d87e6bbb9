/**
 * Rows of a class for peers that the kernel knows by their control group, where an address of the machine would say
 * something else. A row holds from whichever of the machine's addresses a process speaks: where rules tell these apart, the
 * strictest of what they say (decision 0061).
 */
import type { IpFamily, WorkloadId } from "@bulkhead/model";
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
  /** What tells the machine's addresses apart, loopback and what others claim among them. */
  readonly machine: readonly MachinePlace[];
  /** At an address of the machine that nobody told of. */
  readonly unknown: MachinePlace;
}

interface MachinePlace extends Pick<Atom, "identities" | "prefixes" | "isHost" | "isLoopback"> {
  readonly family: IpFamily;
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
  /** Of those with a row: the rows that its addresses would have, where these are not one. */
  readonly uneven: readonly { readonly process: WorkloadId; readonly rows: readonly number[] }[];
}

export const NO_PEERS: ProcessPeers = { rows: [], overlay: [], conflicts: [], uneven: [] };

export function localProcesses(
  index: InventoryIndex,
  known: Iterable<WorkloadId>,
  identities: IdentityTable,
  atoms: AtomTable,
  before?: Processes,
): Processes {
  const local = [...new Set(known)].toSorted().flatMap((id): LocalIdentity[] => {
    const process = index.process(id);
    if (process === undefined) return [];
    return [{ workload: id, subject: identities.of(process), peer: identities.atHost(process) }];
  });
  const unknown = {
    identities: [identities.host],
    prefixes: [],
    isHost: true,
    isLoopback: false,
    family: 4,
  } as const;
  if (local.length === 0) return { local, machine: [], unknown };
  const machine = new Map<string, MachinePlace>();
  const add = (family: IpFamily, { identities: owners, prefixes, isHost, isLoopback }: Atom) => {
    const text = [family, isLoopback, prefixes, ...owners.map(({ number }) => number)].join(" ");
    machine.set(text, { identities: owners, prefixes, isHost, isLoopback, family });
  };
  for (const { family, atom } of atoms.loopback) add(family, atom);
  const claimed = new Set(index.inventory.hostAddresses);
  for (const [position, { kind, address, family }] of atoms.places.entries()) {
    if (kind === "host" || claimed.has(address)) add(family, atoms.atoms[position]!);
  }
  const now = { local, machine: [...machine.values()], unknown };
  return before !== undefined && isSameProcesses(before, now) ? before : now;
}

function isSameProcesses(a: Processes, b: Processes): boolean {
  const isSameList = <T>(one: readonly T[], other: readonly T[]) =>
    one.length === other.length && one.every((item, i) => item === other[i]);
  return (
    a.unknown.identities[0] === b.unknown.identities[0] &&
    a.local.length === b.local.length &&
    a.local.every(({ workload, subject, peer }, i) => {
      const other = b.local[i]!;
      return workload === other.workload && subject === other.subject && peer === other.peer;
    }) &&
    a.machine.length === b.machine.length &&
    a.machine.every(({ identities, prefixes, isHost, isLoopback, family }, i) => {
      const other = b.machine[i]!;
      return (
        family === other.family &&
        isHost === other.isHost &&
        isLoopback === other.isLoopback &&
        isSameList(identities, other.identities) &&
        isSameList(prefixes, other.prefixes)
      );
    })
  );
}

/** What was found is kept: most classes meet the same processes as before. */
const known = new WeakMap<CompiledClass, Map<string, Found>>();

interface Found {
  readonly view: ViewCompiler;
  readonly processes: Processes;
  readonly peers: ProcessPeers;
}

/**
 * `view`: that of the set of maps named `slot`, which may be more than one for a class. `family`: of the addresses that are
 * judged, and so of the peers'; undefined: a process is judged, at addresses of both.
 */
export function processPeers(
  judge: CompiledClass,
  slot: string,
  view: ViewCompiler,
  processes: Processes,
  nodeExempt: boolean,
  family: IpFamily | undefined,
): ProcessPeers {
  if (judge.direction === "egress" || processes.local.length === 0) return NO_PEERS;
  const found = known.get(judge) ?? new Map<string, Found>();
  known.set(judge, found);
  const key = `${slot} ${nodeExempt} ${family}`;
  const last = found.get(key);
  if (last?.view === view && last.processes === processes) return last.peers;
  const peers = findPeers(judge, view, processes, nodeExempt, family);
  found.set(key, { view, processes, peers });
  return peers;
}

function findPeers(
  { ofProcesses, map }: CompiledClass,
  view: ViewCompiler,
  { local, machine, unknown }: Processes,
  nodeExempt: boolean,
  family: IpFamily | undefined,
): ProcessPeers {
  const [host] = unknown.identities;
  const exempt = nodeExempt && !ofProcesses;
  const met = machine.filter((place) =>
    family === undefined ? true : place.family === family && !place.isLoopback,
  );
  const places = met.length === 0 ? [unknown] : met;
  const isOwned = places.some(({ isHost }) => !isHost);
  const byAddress = places.map((place) => map.rowFrom([place]));
  const rowOf = ({ subject, peer }: LocalIdentity): Told | undefined => {
    if (exempt && !view.isSubject(subject)) return undefined;
    const apart = isOwned || met.length === 0 || map.tellsApart(peer, host!);
    if (!apart && !exempt) return undefined;
    const held = places.map(({ isHost, prefixes }) => ({
      identities: [isHost ? peer : subject],
      prefixes,
    }));
    const rows = apart ? held.map((place) => map.rowFrom([place])) : byAddress;
    // Who is exempt by address is judged by process, whatever the address says.
    const differs =
      exempt || met.length === 0 || !rows.every((row, i) => isAlike(row, byAddress[i]!));
    if (!differs) return undefined;
    return { row: map.rowFrom(apart ? held : places), each: rows };
  };
  const byIdentity = new Map<Identity, Told | undefined>();
  const rows: (readonly [WorkloadId, number])[] = [];
  const overlay: { process: WorkloadId; pieces: readonly Piece[] }[] = [];
  const conflicts: Conflict[] = [];
  const uneven: { process: WorkloadId; rows: readonly number[] }[] = [];
  for (const process of local) {
    const isKnown = byIdentity.has(process.peer);
    const told = isKnown ? byIdentity.get(process.peer) : rowOf(process);
    byIdentity.set(process.peer, told);
    if (told === undefined) continue;
    const { row, each } = told;
    rows.push([process.workload, row.base]);
    if (!each.every((one) => isAlike(one, row))) {
      uneven.push({ process: process.workload, rows: each.map(({ base }) => base) });
    }
    if (row.pieces.length > 0) overlay.push({ process: process.workload, pieces: row.pieces });
    if (!isKnown) conflicts.push(...row.conflicts);
  }
  return { rows, overlay, conflicts, uneven };
}

interface Told {
  readonly row: TimedRow;
  /** By address. */
  readonly each: readonly TimedRow[];
}

function isAlike(a: TimedRow, b: TimedRow): boolean {
  return a === b || (a.base === b.base && isSame(a.pieces, b.pieces));
}

/** Do they say the same to a datapath? */
export function isSamePeers(a: ProcessPeers, b: ProcessPeers): boolean {
  return a === b || (isSame(a.rows, b.rows) && isSame(a.overlay, b.overlay));
}
