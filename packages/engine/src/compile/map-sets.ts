/**
 * Live and shadow maps of the local workloads, with every number replaced by its name. The shadow set has entries only
 * for subjects to whom it says something else than the live one.
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
  type Workload,
} from "@bulkhead/model";
import { byAddress, ownersOf, type InventoryIndex, type Place } from "../inventory-index.ts";
import type { View } from "../judge-stage.ts";
import {
  classIdKey,
  isTouchedByStaging,
  type CompiledClass,
  type ViewCompiler,
} from "./compile-view.ts";
import { DEFAULT_ALLOW, type DecisionTable } from "./decision-table.ts";
import { emitMap, type EmittedMap } from "./emit-map.ts";
import type { RowTable } from "./row-table.ts";
import { assignIds } from "./stable-id.ts";
import { compare } from "../order.ts";

export interface MapSetsInput {
  readonly set: PolicySet;
  readonly index: InventoryIndex;
  readonly views: Readonly<Record<"live" | "shadow", ViewCompiler>> & {
    /** Only while a rollout is under way. */
    readonly settled: ViewCompiler | undefined;
  };
  readonly decisions: DecisionTable;
  readonly rowTable: RowTable;
  readonly local: readonly Workload[];
}

const DIRECTIONS = ["egress", "ingress"] as const;

/** Which local addresses a view judges by which class. */
type Subjects = Record<Direction, { readonly place: Place; readonly judge: CompiledClass }[]>;

export interface MapSets {
  readonly live: MapSet;
  readonly shadow: MapSet;
  readonly settled: MapSet | undefined;
  readonly rows: Row[];
}

export function createMapSets(input: MapSetsInput): MapSets {
  const { set, index, views, decisions, rowTable, local } = input;
  const emitted = new Map<CompiledClass, EmittedMap>();
  const emit = (judge: CompiledClass): EmittedMap => {
    let map = emitted.get(judge);
    if (map === undefined) {
      const exempt = set.profile.nodeExempt && judge.direction === "ingress";
      map = emitMap(judge.map, index.known, (place) => exempt && place.kind === "host");
      emitted.set(judge, map);
    }
    return map;
  };
  const differs = shadowDiffers(emit, rowTable, decisions);

  const subjects: Record<View, Subjects> = {
    live: { egress: [], ingress: [] },
    shadow: { egress: [], ingress: [] },
    settled: { egress: [], ingress: [] },
  };
  for (const place of localPlaces(index, local)) {
    for (const direction of DIRECTIONS) {
      const live = views.live.classOf(ownersOf(place), direction);
      const shadow = views.shadow.classOf(ownersOf(place), direction);
      const settled = views.settled?.classOf(ownersOf(place), direction) ?? null;
      if (live !== null) subjects.live[direction].push({ place, judge: live });
      if (shadow !== null && differs(live, shadow)) {
        subjects.shadow[direction].push({ place, judge: shadow });
      }
      if (settled !== null) subjects.settled[direction].push({ place, judge: settled });
    }
  }

  const judges = (view: View) =>
    new Set(DIRECTIONS.flatMap((way) => subjects[view][way].map(({ judge }) => judge)));
  const used = { live: judges("live"), shadow: judges("shadow"), settled: judges("settled") };
  const classIds = assignIds(
    (["live", "shadow", "settled"] as const).flatMap((view) =>
      [...used[view]].map((judge) => classIdKey(view, judge)),
    ),
    16,
  );
  const rowNumbers = new Set<number>();
  for (const judge of [...used.live, ...used.shadow, ...used.settled]) {
    const { exact, ranges, defaultRow } = emit(judge);
    rowNumbers.add(defaultRow);
    for (const [, row] of exact) rowNumbers.add(row);
    for (const { row } of ranges) rowNumbers.add(row);
  }
  const { ids, rows } = rowTable.name(rowNumbers);

  const mapSet = (view: View): MapSet => {
    const idOf = (judge: CompiledClass) => classIds.get(classIdKey(view, judge))!;
    const maps = [...used[view]]
      .map((judge) => ({ judge, id: idOf(judge), emitted: emit(judge) }))
      .toSorted((a, b) => compareMaps(a.judge, a.id, b.judge, b.id));
    return {
      subjects: {
        egress: subjectTable(subjects[view].egress, idOf),
        ingress: subjectTable(subjects[view].ingress, idOf),
      },
      maps: maps.map(({ judge, id, emitted: map }) =>
        policyMap(judge.direction, id, map, index.known, ids),
      ),
      overlay: maps.flatMap(({ judge, id, emitted: map }) =>
        overlayEntries(judge.direction, id, map, decisions),
      ),
    };
  };
  const settled = views.settled && mapSet("settled");
  return { live: mapSet("live"), shadow: mapSet("shadow"), settled, rows };
}

/** Every address that a local workload claims, once. */
function localPlaces(index: InventoryIndex, local: readonly Workload[]): Place[] {
  const addresses = new Set(local.flatMap((workload) => workload.addresses));
  return [...addresses].map((address) => index.at(address));
}

/** Compares what is emitted: equal content is equal numbers, since rows are hash-consed. */
function shadowDiffers(
  emit: (judge: CompiledClass) => EmittedMap,
  rowTable: RowTable,
  decisions: DecisionTable,
): (live: CompiledClass | null, shadow: CompiledClass) => boolean {
  const answers = new Map<CompiledClass | null, Map<CompiledClass, boolean>>();
  const compare = (live: CompiledClass | null, shadow: CompiledClass): boolean => {
    if (!isTouchedByStaging(shadow)) return false;
    const later = emit(shadow);
    if (live !== null) return contentOf(emit(live)) !== contentOf(later);
    const { protocols, others } = rowTable.at(later.defaultRow);
    const silent =
      later.exact.length + later.ranges.length + later.overlay.length + protocols.length === 0;
    return !(silent && others === decisions.at(DEFAULT_ALLOW));
  };
  return (live, shadow) => {
    let known = answers.get(live);
    if (known === undefined) answers.set(live, (known = new Map()));
    let answer = known.get(shadow);
    if (answer === undefined) known.set(shadow, (answer = compare(live, shadow)));
    return answer;
  };
}

function contentOf(map: EmittedMap): string {
  return JSON.stringify(map, (_, value) => (typeof value === "bigint" ? `${value}` : value));
}

function compareMaps(a: CompiledClass, aId: ClassId, b: CompiledClass, bId: ClassId): number {
  return compare(a.direction, b.direction) || compare(aId, bId);
}

function subjectTable(
  subjects: Subjects[Direction],
  idOf: (judge: CompiledClass) => ClassId,
): (readonly [IpAddress, ClassId])[] {
  return subjects
    .toSorted((a, b) => byAddress(a.place, b.place))
    .map(({ place, judge }) => [place.address, idOf(judge)]);
}

function policyMap(
  direction: Direction,
  classId: ClassId,
  { exact, ranges, defaultRow }: EmittedMap,
  known: readonly Place[],
  rowIds: ReadonlyMap<number, RowId>,
): PolicyMap {
  return {
    classId,
    direction,
    exact: exact.map(([position, row]) => [known[position]!.address, rowIds.get(row)!]),
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
