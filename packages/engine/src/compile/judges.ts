/**
 * Who judges whom in which set of maps. The shadow set has somebody only where it says something else of them than the live
 * one does.
 */
import type { Direction, IpAddress, WorkloadId } from "@bulkhead/model";
import type { Atom, AtomTable } from "./atom-table.ts";
import { isTouchedByStaging, type CompiledClass, type ViewCompiler } from "./compile-view.ts";
import { DEFAULT_ALLOW, type DecisionTable } from "./decision-table.ts";
import type { EmittedMap } from "./emit-map.ts";
import { isSamePeers, type ProcessPeers, type Processes } from "./process-peers.ts";
import type { RowTable } from "./row-table.ts";
import { isSame } from "./same.ts";

export const DIRECTIONS = ["egress", "ingress"] as const;
/** The sets of maps that a datapath holds. */
export type Slot = "live" | "shadow" | "canary";

export const SLOTS: readonly Slot[] = ["live", "shadow", "canary"];

/** Which local addresses a view judges by which class, in the order of addresses; and which processes, by id. */
export type Subjects = Record<
  Direction,
  { readonly address: IpAddress; readonly judge: CompiledClass }[]
>;
export type ProcessSubjects = Record<
  Direction,
  { readonly process: WorkloadId; readonly judge: CompiledClass }[]
>;

export interface Views {
  readonly live: ViewCompiler;
  readonly shadow: ViewCompiler;
  /** Only while a rollout is under way. */
  readonly settled: ViewCompiler | undefined;
}

/** The view that each set of maps is made of; undefined: there is no such set. */
export interface ViewsBySlot {
  readonly live: ViewCompiler;
  readonly shadow: ViewCompiler;
  readonly canary: ViewCompiler | undefined;
}

export function viewsBySlot({ live, shadow, settled }: Views): ViewsBySlot {
  return { live: settled ?? live, shadow, canary: settled && live };
}

export type Differs = (live: CompiledClass | null, shadow: CompiledClass) => boolean;

/** Who judges, where `classIn` asks a view. */
function judgesIn(
  slots: ViewsBySlot,
  direction: Direction,
  classIn: (view: ViewCompiler, direction: Direction) => CompiledClass | null,
  differs: Differs,
): { readonly slot: Slot; readonly direction: Direction; readonly judge: CompiledClass }[] {
  const live = classIn(slots.live, direction);
  const shadow = classIn(slots.shadow, direction);
  const canary = slots.canary === undefined ? null : classIn(slots.canary, direction);
  const judges = {
    live,
    shadow: shadow !== null && differs(live, shadow) ? shadow : null,
    canary,
  };
  return SLOTS.flatMap((slot) => {
    const judge = judges[slot];
    return judge === null ? [] : [{ slot, direction, judge }];
  });
}

/** `local`: every address that a local workload claims. */
export function findSubjects(
  atoms: AtomTable,
  local: ReadonlySet<IpAddress>,
  slots: ViewsBySlot,
  differs: Differs,
): Record<Slot, Subjects> {
  const subjects: Record<Slot, Subjects> = {
    live: { egress: [], ingress: [] },
    shadow: { egress: [], ingress: [] },
    canary: { egress: [], ingress: [] },
  };
  const judgesOf = ({ identities }: Atom) =>
    DIRECTIONS.flatMap((direction) =>
      judgesIn(slots, direction, (view, way) => view.classOf(identities, way), differs),
    );
  const known = new Map<Atom, ReturnType<typeof judgesOf>>();
  for (const [position, { address }] of atoms.places.entries()) {
    const atom = atoms.atoms[position]!;
    if (atom.isLoopback || !local.has(address)) continue;
    let judges = known.get(atom);
    if (judges === undefined) known.set(atom, (judges = judgesOf(atom)));
    for (const { slot, direction, judge } of judges) {
      subjects[slot][direction].push({ address, judge });
    }
  }
  return subjects;
}

export function findProcesses(
  { local }: Processes,
  slots: ViewsBySlot,
  differs: Differs,
): Record<Slot, ProcessSubjects> {
  const subjects: Record<Slot, ProcessSubjects> = {
    live: { egress: [], ingress: [] },
    shadow: { egress: [], ingress: [] },
    canary: { egress: [], ingress: [] },
  };
  for (const { workload: process, subject } of local) {
    for (const direction of DIRECTIONS) {
      const classIn = (view: ViewCompiler) => view.classOfProcess(subject, direction);
      for (const { slot, judge } of judgesIn(slots, direction, classIn, differs)) {
        subjects[slot][direction].push({ process, judge });
      }
    }
  }
  return subjects;
}

/** Compares what is emitted: equal content is equal numbers, since rows are hash-consed. */
export function shadowDiffers(
  emit: (judge: CompiledClass) => EmittedMap,
  peersOf: (slot: Slot, judge: CompiledClass) => readonly ProcessPeers[],
  rowTable: RowTable,
  decisions: DecisionTable,
): Differs {
  const isSilent = (row: number) => {
    const { protocols, others } = rowTable.at(row);
    return protocols.length === 0 && others === decisions.at(DEFAULT_ALLOW);
  };
  return (live, shadow) => {
    // Which processes are the node, and exempt, is not the same in all views, even where their policy is.
    const peers = peersOf("shadow", shadow);
    if (live !== null && !isSameSaid(peersOf("live", live), peers)) return true;
    if (live === shadow || !isTouchedByStaging(shadow)) return false;
    const later = emit(shadow);
    if (live !== null) return !saysTheSame(emit(live), later);
    const overlay = [...later.overlay, ...peers.flatMap((one) => one.overlay)];
    const said = [later.defaultRow, ...peers.flatMap(({ rows }) => rows.map(([, row]) => row))];
    const entries = later.exact.length + later.ranges.length + overlay.length;
    return entries > 0 || !said.every(isSilent);
  };
}

function isSameSaid(a: readonly ProcessPeers[], b: readonly ProcessPeers[]): boolean {
  return a.length === b.length && a.every((one, i) => isSamePeers(one, b[i]!));
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
