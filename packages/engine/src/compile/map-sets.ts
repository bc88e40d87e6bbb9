/**
 * The maps of the local workloads in every view, with every number replaced by its name. The shadow set has entries only
 * for subjects to whom it says something else than the live one. What is as it was before is the same object as before.
 */
import type {
  ClassId,
  Direction,
  IpAddress,
  IpFamily,
  MapSet,
  OverlayEntry,
  PolicyMap,
  PolicySet,
  ProcessOverlayEntry,
  Row,
  RowId,
  WorkloadId,
} from "@bulkhead/model";
import type { Atom, AtomTable, Moves } from "./atom-table.ts";
import { createParts, type Part } from "./class-parts.ts";
import type { CompiledClass } from "./compile-view.ts";
import { overlayEntries, policyMap, processEntries } from "./datapath-words.ts";
import type { DecisionTable } from "./decision-table.ts";
import { emitMap, type EmittedMap } from "./emit-map.ts";
import {
  DIRECTIONS,
  findProcesses,
  findSubjects,
  shadowDiffers,
  SLOTS,
  viewsBySlot,
  type Slot,
  type Views,
} from "./judges.ts";
import type { Conflict } from "./paint.ts";
import { processPeers, type ProcessPeers, type Processes } from "./process-peers.ts";
import type { RowTable } from "./row-table.ts";
import { share } from "./same.ts";
import { assignIds } from "./stable-id.ts";
import { compare } from "../order.ts";

export interface MapSetsInput {
  readonly set: PolicySet;
  readonly views: Views;
  readonly atoms: AtomTable;
  /** Since the map sets before were made. */
  readonly moves: Moves;
  readonly decisions: DecisionTable;
  readonly rowTable: RowTable;
  /** Every address that a local workload claims. */
  readonly local: ReadonlySet<IpAddress>;
  readonly processes: Processes;
}

export interface MapSets {
  readonly live: MapSet;
  readonly shadow: MapSet;
  readonly canary: MapSet | undefined;
  readonly rows: readonly Row[];
  /** In the rows of all classes that judge somebody. */
  readonly conflicts: readonly Conflict[];
  /** Processes that a class judges by the strictest of what it says of their addresses. */
  readonly uneven: readonly { readonly judge: CompiledClass; readonly process: WorkloadId }[];
  /** For the next time. */
  readonly emitted: ReadonlyMap<CompiledClass, EmittedMap>;
  readonly written: ReadonlyMap<ClassId, Written>;
  readonly rowIds: ReadonlyMap<number, RowId>;
}

/** A class in the words of the datapath, and what was emitted then. */
interface Written {
  readonly emitted: EmittedMap;
  readonly peers: ProcessPeers;
  readonly map: PolicyMap;
  readonly overlay: readonly OverlayEntry[];
  readonly processOverlay: readonly ProcessOverlayEntry[];
}

export function createMapSets(input: MapSetsInput, before?: MapSets): MapSets {
  const { set, views, atoms, moves, decisions, rowTable } = input;
  const emitted = new Map<CompiledClass, EmittedMap>();
  const skips =
    ({ direction, ofProcesses }: CompiledClass) =>
    (atom: Atom) => {
      if (ofProcesses) return false;
      return atom.isLoopback || (set.profile.nodeExempt && direction === "ingress" && atom.isHost);
    };
  const emit = (judge: CompiledClass): EmittedMap => {
    let map = emitted.get(judge);
    if (map === undefined) {
      const last = before?.emitted.get(judge);
      const taken = last && { emitted: last, moves };
      map = emitMap(judge.map, atoms, skips(judge), judge.ofProcesses, taken);
      emitted.set(judge, map);
    }
    return map;
  };
  const slots = viewsBySlot(views);
  const { nodeExempt } = set.profile;
  const peersIn = (slot: Slot, judge: CompiledClass, family?: IpFamily) =>
    processPeers(judge, slot, slots[slot] ?? slots.live, input.processes, nodeExempt, family);
  const parts = createParts(peersIn);
  const differs = shadowDiffers(emit, parts.peersOf, rowTable, decisions);
  const subjects = findSubjects(atoms, input.local, slots, differs);
  const processSubjects = findProcesses(input.processes, slots, differs);
  const partsIn = (slot: Slot) =>
    new Set(
      DIRECTIONS.flatMap((way) => [
        ...subjects[slot][way].map(({ judge, address }) => parts.of(slot, judge, address)),
        ...processSubjects[slot][way].map(({ judge }) => parts.of(slot, judge)),
      ]),
    );
  const used = { live: partsIn("live"), shadow: partsIn("shadow"), canary: partsIn("canary") };
  const inUse = SLOTS.flatMap((slot) => [...used[slot]]);
  const classIds = assignIds(
    inUse.map(({ key }) => key),
    16,
  );
  const rowNumbers = new Set<number>();
  for (const { judge, peers } of inUse) {
    for (const row of emit(judge).rows) rowNumbers.add(row);
    for (const [, row] of peers.rows) rowNumbers.add(row);
  }
  const { ids: rowIds, rows } = rowTable.name(rowNumbers);
  const renamed = before?.rowIds.entries().some(([row, id]) => (rowIds.get(row) ?? id) !== id);

  const written = new Map<ClassId, Written>();
  const write = ({ judge, peers }: Part, id: ClassId): Written => {
    const last = before?.written.get(id);
    const map = emit(judge);
    const by = share(last?.peers, peers);
    if (last?.emitted === map && last.peers === by && !renamed) return last;
    const { direction } = judge;
    return {
      emitted: map,
      peers: by,
      map: share(last?.map, policyMap(direction, id, map, by, rowIds)),
      overlay: share(last?.overlay, overlayEntries(direction, id, map, decisions)),
      processOverlay: share(last?.processOverlay, processEntries(direction, id, by, decisions)),
    };
  };
  const mapSet = (slot: Slot, last: MapSet | undefined): MapSet => {
    const idOf = (judge: CompiledClass, address?: IpAddress) =>
      classIds.get(parts.of(slot, judge, address).key)!;
    const classes = [...used[slot]]
      .map((part) => ({ part, id: classIds.get(part.key)! }))
      .toSorted(
        (a, b) => compare(a.part.judge.direction, b.part.judge.direction) || compare(a.id, b.id),
      )
      .map(({ part, id }) => {
        const found = write(part, id);
        written.set(id, found);
        return found;
      });
    const table = (direction: Direction) =>
      share(
        last?.subjects[direction],
        subjects[slot][direction].map(
          ({ address, judge }) => [address, idOf(judge, address)] as const,
        ),
      );
    const processOverlay = classes.flatMap((one) => one.processOverlay);
    const { egress, ingress } = processSubjects[slot];
    const processes = {
      egress: egress.map(({ process, judge }) => [process, idOf(judge)] as const),
      ingress: ingress.map(({ process, judge }) => [process, idOf(judge)] as const),
    };
    return share(last, {
      subjects: { egress: table("egress"), ingress: table("ingress") },
      maps: classes.map(({ map }) => map),
      overlay: classes.flatMap(({ overlay }) => overlay),
      ...(egress.length + ingress.length === 0 ? {} : { processes }),
      ...(processOverlay.length === 0 ? {} : { processOverlay }),
    });
  };
  return {
    live: mapSet("live", before?.live),
    shadow: mapSet("shadow", before?.shadow),
    canary: input.views.settled && mapSet("canary", before?.canary),
    rows,
    conflicts: [
      ...[...emitted.keys()].flatMap((judge) => conflictsOf(judge, atoms, skips(judge))),
      ...inUse.flatMap(({ peers }) => peers.conflicts),
    ],
    uneven: inUse.flatMap(({ judge, peers }) => {
      const rowsOf = new Map(peers.rows);
      return peers.uneven.flatMap(({ process, rows: each }) => {
        const held = rowTable.verdicts(rowsOf.get(process)!);
        const isStricter = each.some((row) => rowTable.verdicts(row) !== held);
        return isStricter ? [{ judge, process }] : [];
      });
    }),
    emitted,
    written,
    rowIds,
  };
}

/** Of rows in use only: an atom without members is nobody's concern. */
function conflictsOf(
  { map }: CompiledClass,
  atoms: AtomTable,
  skip: (atom: Atom) => boolean,
): Conflict[] {
  if (!map.disagrees) return [];
  const present = atoms.whole().groups.flatMap(({ after }) => after ?? []);
  return [
    ...map.elsewhere.conflicts,
    ...map.world.flatMap(({ row }) => row.conflicts),
    ...present.flatMap((atom) => (skip(atom) ? [] : map.rowOf(atom).conflicts)),
  ];
}
