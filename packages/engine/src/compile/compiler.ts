/**
 * Policy set and inventory in, everything one machine's datapath must hold out: precedence ends here, and `lookup` in what
 * comes out must agree with `decide` for every flow of a local workload. A compiler remembers, and an update costs what
 * changed since the one before:
 *
 *   set, time ──► reading ──► views ──► classes, by what their blocks say ──► programs ─┐
 *   inventory ──► identities, prefixes ──► atoms ──► moves from atom to atom ───────────┴─► paint ──► rows, overlay
 *                                                                                                       │
 *                 endpoints ──► subjects ──► maps as before, patched where somebody moved ◄─────────────┘
 *
 * A workload whose hits are known moves into an atom, and maps change only where its row is another than before. New hits
 * make a new atom, which each class looks at once. An edited policy makes new classes of those that it selects; all others
 * are taken from the shelf with their rows and maps (docs/decisions/0054).
 */
import type { Endpoint, Inventory, IpAddress, PolicySet } from "@bulkhead/model";
import { indexInventory, type InventoryIndex } from "../inventory-index.ts";
import { AtomTable } from "./atom-table.ts";
import type { ClassContext } from "./class-map.ts";
import {
  compileResult,
  modesBy,
  type CompileOptions,
  type CompileResult,
  type ModeOf,
} from "./compile-result.ts";
import { ClassShelf, createViewCompiler } from "./compile-view.ts";
import { DecisionTable } from "./decision-table.ts";
import { IdentityTable } from "./identity-table.ts";
import type { Views } from "./judges.ts";
import { createMapSets, type MapSets } from "./map-sets.ts";
import { PeerTable } from "./peer-table.ts";
import { localProcesses, type Processes } from "./process-peers.ts";
import { readPolicySet, stillHolds, type PolicyReading } from "./policy-reading.ts";
import { RowTable } from "./row-table.ts";
import { isSame } from "./same.ts";

export interface Compiler {
  /** An error leaves nothing behind: the update after it begins from nothing, as the first one does. */
  update(set: PolicySet, index: InventoryIndex, options: CompileOptions): CompileResult;
}

/** Numbers are never given back. After this many more than at the start everything is numbered anew. */
const MOST_NEW_NUMBERS = 50_000;

export function createCompiler({ mostNewNumbers = MOST_NEW_NUMBERS } = {}): Compiler {
  let last: Compilation | undefined;
  return {
    update(set, index, options) {
      const before = last;
      last = undefined;
      const next = advance(before, set, index, options, mostNewNumbers);
      const result = compileResult(set, index, options, next);
      last = next;
      return result;
    },
  };
}

/** One update from nothing. */
export function compile(
  set: PolicySet,
  inventory: Inventory,
  options: CompileOptions,
): CompileResult {
  return compileIndexed(set, indexInventory(inventory), options);
}

/** As `compile`, for a caller that has the index already. What compiles again and again keeps a `Compiler`. */
export function compileIndexed(
  set: PolicySet,
  index: InventoryIndex,
  options: CompileOptions,
): CompileResult {
  return createCompiler().update(set, index, options);
}

/** What one update leaves to the next. */
interface Compilation {
  readonly tables: Tables;
  readonly reading: PolicyReading;
  readonly identities: IdentityTable;
  readonly shelf: ClassShelf;
  readonly views: Views;
  readonly modeOf: ModeOf;
  readonly processes: Processes;
  readonly sets: MapSets;
}

/** Who is called by which number. */
interface Tables {
  readonly peers: PeerTable;
  readonly decisions: DecisionTable;
  readonly rows: RowTable;
  readonly atoms: AtomTable;
  readonly mostNumbers: number;
}

function advance(
  last: Compilation | undefined,
  set: PolicySet,
  index: InventoryIndex,
  { now, endpoints, processes: known = [] }: CompileOptions,
  mostNewNumbers: number,
): Compilation {
  const holds = last !== undefined && stillHolds(last.reading, set, now);
  const reading = holds ? last.reading : readPolicySet(set, now, last?.reading);
  const before = last !== undefined && goesOn(last, reading) ? last : undefined;
  const same = before?.reading === reading;
  const { peers, decisions, rows, atoms } = before?.tables ?? createTables(reading);

  const sameWords =
    before !== undefined && isSame(before.identities.vocabulary, reading.vocabulary);
  const identities = sameWords ? before.identities : new IdentityTable(reading.vocabulary);
  const renamed = identities.adopt(index);
  const recut = !same && atoms.adoptPrefixes(reading.prefixes);
  const moves = atoms.update(index, identities, renamed || recut);

  const shelf = same ? before.shelf : new ClassShelf(before?.shelf);
  const views = same ? before.views : createViews(reading, { peers, now, decisions, rows }, shelf);
  const modeOf = same ? before.modeOf : modesBy(reading);
  const local = localAddresses(index, endpoints);
  // Also where all numbers are new: what it comes to may be the same.
  const ids = known.map(({ workload }) => workload);
  const processes = localProcesses(index, ids, identities, atoms, before?.processes);
  const input = { set, views, atoms, moves, decisions, rowTable: rows, local, processes };
  const sets = createMapSets(input, last?.sets);

  const numbers = peers.size + rows.size + atoms.given;
  const mostNumbers = before?.tables.mostNumbers ?? numbers + mostNewNumbers;
  const tables = { peers, decisions, rows, atoms, mostNumbers };
  return { tables, reading, identities, shelf, views, modeOf, processes, sets };
}

/** May what was kept be used under this reading? */
function goesOn({ tables, reading }: Compilation, next: PolicyReading): boolean {
  const { peers, decisions, rows, atoms, mostNumbers } = tables;
  if (peers.size + rows.size + atoms.given > mostNumbers) return false;
  return reading === next || (reading.frame === next.frame && decisions.adopt(next.cookies));
}

function createTables({ cookies }: PolicyReading): Omit<Tables, "mostNumbers"> {
  const peers = new PeerTable();
  const decisions = new DecisionTable(cookies);
  return { peers, decisions, rows: new RowTable(decisions), atoms: new AtomTable(peers) };
}

function createViews(reading: PolicyReading, context: ClassContext, shelf: ClassShelf): Views {
  const { live, shadow, settled } = reading.views;
  return {
    live: createViewCompiler(live, context, shelf),
    shadow: createViewCompiler(shadow, context, shelf),
    settled: settled && createViewCompiler(settled, context, shelf),
  };
}

function localAddresses(index: InventoryIndex, endpoints: readonly Endpoint[]): Set<IpAddress> {
  const addresses = new Set<IpAddress>();
  for (const { workload } of endpoints) {
    for (const address of index.workloads.get(workload)?.addresses ?? []) addresses.add(address);
  }
  return addresses;
}
