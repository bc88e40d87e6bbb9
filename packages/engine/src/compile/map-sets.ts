/**
 * The maps of the local workloads in every view, with every number replaced by its name. The shadow set has entries only
 * for subjects to whom it says something else than the live one. What is as it was before is the same object as before.
 */
import {
  formatIp,
  type ClassId,
  type Direction,
  type IpAddress,
  type MapSet,
  type OverlayEntry,
  type PolicyMap,
  type PolicySet,
  type Row,
  type RowId,
} from "@bulkhead/model";
import type { Atom, AtomTable, Moves } from "./atom-table.ts";
import {
  classIdKey,
  isTouchedByStaging,
  type CompiledClass,
  type ViewCompiler,
} from "./compile-view.ts";
import { DEFAULT_ALLOW, type DecisionTable } from "./decision-table.ts";
import { emitMap, type EmittedMap } from "./emit-map.ts";
import type { Conflict } from "./paint.ts";
import type { RowTable } from "./row-table.ts";
import { isSame, share } from "./same.ts";
import { assignIds } from "./stable-id.ts";
import { compare } from "../order.ts";

export interface Views {
  readonly live: ViewCompiler;
  readonly shadow: ViewCompiler;
  /** Only while a rollout is under way. */
  readonly settled: ViewCompiler | undefined;
}

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
}

export interface MapSets {
  readonly live: MapSet;
  readonly shadow: MapSet;
  readonly canary: MapSet | undefined;
  readonly rows: readonly Row[];
  /** In the rows of all classes that judge somebody. */
  readonly conflicts: readonly Conflict[];
  /** For the next time. */
  readonly emitted: ReadonlyMap<CompiledClass, EmittedMap>;
  readonly written: ReadonlyMap<ClassId, Written>;
  readonly rowIds: ReadonlyMap<number, RowId>;
}

/** A class in the words of the datapath, and what was emitted then. */
interface Written {
  readonly emitted: EmittedMap;
  readonly map: PolicyMap;
  readonly overlay: readonly OverlayEntry[];
}

const DIRECTIONS = ["egress", "ingress"] as const;
/** The sets of maps that a datapath holds. */
export type Slot = "live" | "shadow" | "canary";

const SLOTS: readonly Slot[] = ["live", "shadow", "canary"];

/** Which local addresses a view judges by which class, in the order of addresses. */
type Subjects = Record<Direction, { readonly address: IpAddress; readonly judge: CompiledClass }[]>;

export function createMapSets(input: MapSetsInput, before?: MapSets): MapSets {
  const { set, atoms, moves, decisions, rowTable } = input;
  const emitted = new Map<CompiledClass, EmittedMap>();
  const skips = (judge: CompiledClass) => (atom: Atom) =>
    set.profile.nodeExempt && judge.direction === "ingress" && atom.isHost;
  const emit = (judge: CompiledClass): EmittedMap => {
    let map = emitted.get(judge);
    if (map === undefined) {
      const last = before?.emitted.get(judge);
      map = emitMap(judge.map, atoms, skips(judge), last && { emitted: last, moves });
      emitted.set(judge, map);
    }
    return map;
  };
  const subjects = findSubjects(input, shadowDiffers(emit, rowTable, decisions));
  const judges = (slot: Slot) =>
    new Set(DIRECTIONS.flatMap((way) => subjects[slot][way].map(({ judge }) => judge)));
  const used = { live: judges("live"), shadow: judges("shadow"), canary: judges("canary") };
  const classIds = assignIds(
    SLOTS.flatMap((slot) => [...used[slot]].map((judge) => classIdKey(slot, judge))),
    16,
  );
  const rowNumbers = new Set<number>();
  for (const judge of SLOTS.flatMap((slot) => [...used[slot]])) {
    for (const row of emit(judge).rows) rowNumbers.add(row);
  }
  const { ids: rowIds, rows } = rowTable.name(rowNumbers);
  const renamed = before?.rowIds.entries().some(([row, id]) => (rowIds.get(row) ?? id) !== id);

  const written = new Map<ClassId, Written>();
  const write = ({ direction }: CompiledClass, id: ClassId, map: EmittedMap): Written => {
    const last = before?.written.get(id);
    if (last?.emitted === map && !renamed) return last;
    return {
      emitted: map,
      map: share(last?.map, policyMap(direction, id, map, rowIds)),
      overlay: share(last?.overlay, overlayEntries(direction, id, map, decisions)),
    };
  };
  const mapSet = (slot: Slot, last: MapSet | undefined): MapSet => {
    const idOf = (judge: CompiledClass) => classIds.get(classIdKey(slot, judge))!;
    const classes = [...used[slot]]
      .map((judge) => ({ judge, id: idOf(judge) }))
      .toSorted((a, b) => compare(a.judge.direction, b.judge.direction) || compare(a.id, b.id))
      .map(({ judge, id }) => {
        const found = write(judge, id, emit(judge));
        written.set(id, found);
        return found;
      });
    const table = (direction: Direction) =>
      share(last?.subjects[direction], subjectTable(subjects[slot][direction], idOf));
    return share(last, {
      subjects: { egress: table("egress"), ingress: table("ingress") },
      maps: classes.map(({ map }) => map),
      overlay: classes.flatMap(({ overlay }) => overlay),
    });
  };
  return {
    live: mapSet("live", before?.live),
    shadow: mapSet("shadow", before?.shadow),
    canary: input.views.settled && mapSet("canary", before?.canary),
    rows,
    conflicts: [...emitted.keys()].flatMap((judge) => conflictsOf(judge, atoms, skips(judge))),
    emitted,
    written,
    rowIds,
  };
}

function findSubjects(
  { views, atoms, local }: MapSetsInput,
  differs: (live: CompiledClass | null, shadow: CompiledClass) => boolean,
): Record<Slot, Subjects> {
  const subjects: Record<Slot, Subjects> = {
    live: { egress: [], ingress: [] },
    shadow: { egress: [], ingress: [] },
    canary: { egress: [], ingress: [] },
  };
  const slots = {
    live: views.settled ?? views.live,
    shadow: views.shadow,
    canary: views.settled && views.live,
  };
  const judgesOf = (atom: Atom) =>
    DIRECTIONS.flatMap((direction) => {
      const live = slots.live.classOf(atom.identities, direction);
      const shadow = slots.shadow.classOf(atom.identities, direction);
      const canary = slots.canary?.classOf(atom.identities, direction) ?? null;
      return [
        { list: subjects.live[direction], judge: live },
        {
          list: subjects.shadow[direction],
          judge: shadow !== null && differs(live, shadow) ? shadow : null,
        },
        { list: subjects.canary[direction], judge: canary },
      ].flatMap(({ list, judge }) => (judge === null ? [] : [{ list, judge }]));
    });
  const known = new Map<Atom, ReturnType<typeof judgesOf>>();
  for (const [position, { address }] of atoms.places.entries()) {
    if (!local.has(address)) continue;
    const atom = atoms.atoms[position]!;
    let judges = known.get(atom);
    if (judges === undefined) known.set(atom, (judges = judgesOf(atom)));
    for (const { list, judge } of judges) list.push({ address, judge });
  }
  return subjects;
}

/** Compares what is emitted: equal content is equal numbers, since rows are hash-consed. */
function shadowDiffers(
  emit: (judge: CompiledClass) => EmittedMap,
  rowTable: RowTable,
  decisions: DecisionTable,
): (live: CompiledClass | null, shadow: CompiledClass) => boolean {
  return (live, shadow) => {
    if (live === shadow || !isTouchedByStaging(shadow)) return false;
    const later = emit(shadow);
    if (live !== null) return !saysTheSame(emit(live), later);
    const { protocols, others } = rowTable.at(later.defaultRow);
    const silent =
      later.exact.length + later.ranges.length + later.overlay.length + protocols.length === 0;
    return !(silent && others === decisions.at(DEFAULT_ALLOW));
  };
}

/** Answers are kept: most of what is emitted is what was emitted before. */
const comparisons = new WeakMap<EmittedMap, WeakMap<EmittedMap, boolean>>();

function saysTheSame(a: EmittedMap, b: EmittedMap): boolean {
  let known = comparisons.get(a);
  if (known === undefined) comparisons.set(a, (known = new WeakMap()));
  let same = known.get(b);
  if (same === undefined) known.set(b, (same = isSame(contentOf(a), contentOf(b))));
  return same;
}

function contentOf({ exact, ranges, defaultRow, overlay }: EmittedMap) {
  const entries = exact.map(({ place, row }) => [place.address, row]);
  return { entries, ranges, defaultRow, overlay };
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

function subjectTable(
  subjects: Subjects[Direction],
  idOf: (judge: CompiledClass) => ClassId,
): (readonly [IpAddress, ClassId])[] {
  const ids = new Map(subjects.map(({ judge }) => [judge, ""]));
  for (const judge of ids.keys()) ids.set(judge, idOf(judge));
  return subjects.map(({ address, judge }) => [address, ids.get(judge)!]);
}

function policyMap(
  direction: Direction,
  classId: ClassId,
  { exact, ranges, defaultRow }: EmittedMap,
  rowIds: ReadonlyMap<number, RowId>,
): PolicyMap {
  return {
    classId,
    direction,
    exact: exact.map(({ place, row }) => [place.address, rowIds.get(row)!]),
    ranges: ranges.map(({ family, first, last, row }) => [
      formatIp(family, first),
      formatIp(family, last),
      rowIds.get(row)!,
    ]),
    defaultRow: rowIds.get(defaultRow)!,
  };
}

function overlayEntries(
  direction: Direction,
  classId: ClassId,
  { overlay }: EmittedMap,
  decisions: DecisionTable,
): OverlayEntry[] {
  return overlay.flatMap(({ family, first, last, pieces }) => {
    const peer = [formatIp(family, first), formatIp(family, last)] as const;
    return pieces.map((piece) => ({
      classId,
      direction,
      peer,
      protocol: piece.protocol,
      ports: [piece.first, piece.last] as const,
      decision: decisions.at(piece.decision),
      deadline: piece.deadline,
    }));
  });
}
