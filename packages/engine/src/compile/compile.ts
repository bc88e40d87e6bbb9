/**
 * Policy set and inventory in, everything one machine's datapath must hold out. Precedence ends here: what comes out
 * is disjoint and free of order, and `lookup` in it must agree with `decide` for every flow of a local workload.
 *
 *    policy set ──► blocks per identity ──► classes ──► programs ─┐
 *    inventory  ──► identities, prefixes ─► atoms ────────────────┴─► paint ──► rows, overlay
 *                                                                                │
 *                   endpoints ──► subjects ──► live maps, shadow maps ◄──────────┘
 */
import {
  createDiagnostic,
  NOWHERE,
  sortIps,
  type BridgePort,
  type CookieName,
  type Diagnostic,
  type Endpoint,
  type HostPolicy,
  type Inventory,
  type MapSet,
  type Mode,
  type PolicySet,
  type Workload,
  type WorkloadId,
} from "@bulkhead/model";
import { indexInventory, type InventoryIndex } from "../inventory-index.ts";
import { modeOf } from "../mode.ts";
import type { Conflicts } from "./class-program.ts";
import { createMapSets } from "./map-sets.ts";
import { assignCookies, DecisionTable } from "./decision-table.ts";
import { IdentityTable } from "./identity-table.ts";
import { RowTable } from "./row-table.ts";
import { createViewCompiler } from "./compile-view.ts";
import { compare } from "../order.ts";

export interface CompileOptions {
  readonly now: number;
  readonly revision: number;
  /** Who is attached to this machine: only they are subjects. */
  readonly endpoints: readonly Endpoint[];
  /** Known ports of this machine's bridges that lead to no workload. */
  readonly ports?: readonly BridgePort[];
}

export interface Capacity {
  /** Local addresses that are judged, both directions and views counted apart. */
  readonly subjects: number;
  /** PolicyMaps: one chain each. */
  readonly classes: number;
  readonly rows: number;
  readonly exactEntries: number;
  readonly rangeEntries: number;
  readonly overlayEntries: number;
  /** Port intervals in all rows. */
  readonly intervals: number;
}

export interface CompileResult {
  readonly policy: HostPolicy;
  /** Every cookie that the policy can report, sorted. */
  readonly cookies: readonly CookieName[];
  /** Of every workload in the inventory. */
  readonly modes: Readonly<Record<WorkloadId, Mode>>;
  readonly diagnostics: readonly Diagnostic[];
  readonly capacity: Capacity;
  /** When something in the set expires next: compile again then. Null when nothing will. */
  readonly nextChangeAt: number | null;
}

export function compile(
  set: PolicySet,
  inventory: Inventory,
  options: CompileOptions,
): CompileResult {
  return compileIndexed(set, indexInventory(inventory), options);
}

/** As `compile`, for a caller that has the index already. */
export function compileIndexed(
  set: PolicySet,
  index: InventoryIndex,
  { now, revision, endpoints, ports = [] }: CompileOptions,
): CompileResult {
  const cookieOf = assignCookies(set);
  const decisions = new DecisionTable(cookieOf);
  const rowTable = new RowTable(decisions);
  const identities = new IdentityTable(set, index);
  const conflicts: Conflicts = new Map();
  const context = { index, identities, now, decisions, rows: rowTable, conflicts };
  const views = {
    live: createViewCompiler(set, "live", context),
    shadow: createViewCompiler(set, "shadow", context),
    settled: set.canary && createViewCompiler(set, "settled", context),
  };
  const modes = modesOf(set, index, identities, now, false);
  // What cuts whatever the flow, such as guards against spoofing, waits until the whole rollout is settled.
  const confined = set.canary === undefined ? modes : modesOf(set, index, identities, now, true);
  const { live, shadow, settled, rows } = createMapSets({
    set,
    index,
    views,
    decisions,
    rowTable,
    local: localWorkloads(index, endpoints),
  });

  return {
    policy: {
      revision,
      endpoints: endpoints
        .map(({ workload, interface: name, ifindex, mac, addresses }) => ({
          workload,
          interface: name,
          ifindex,
          mac,
          addresses: sortIps(addresses),
          mode: modes[workload] ?? "observe",
        }))
        .toSorted((a, b) => compare(a.workload, b.workload) || compare(a.interface, b.interface)),
      ports: ports.toSorted((a, b) => compare(a.interface, b.interface)),
      // An address that a workload claims is judged as the workload's: it must not enjoy the host's exemption.
      hostAddresses: sortIps(
        index.inventory.hostAddresses.filter((address) => index.at(address).kind === "host"),
      ),
      live,
      shadow,
      rows,
      profile: { nodeExempt: set.profile.nodeExempt, hairpinExempt: set.profile.hairpinExempt },
    },
    cookies: [...cookieOf]
      .map(([rule, cookie]): CookieName => ({ cookie, rule }))
      .toSorted((a, b) => compare(a.cookie, b.cookie)),
    modes,
    diagnostics: [
      ...diagnose(index, endpoints),
      ...diagnoseMachine(set.profile, index, endpoints),
      ...diagnoseConflicts(conflicts),
    ],
    capacity: capacityOf(settled ? [live, shadow, settled] : [live, shadow], rows),
    nextChangeAt: nextChange(set, now),
  };
}

/** Workloads of one identity are selected by the same blocks, so they are in one mode. */
function modesOf(
  set: PolicySet,
  index: InventoryIndex,
  identities: IdentityTable,
  now: number,
  settled: boolean,
): Record<WorkloadId, Mode> {
  const ofIdentity = new Map<number, Mode>();
  const modes: Record<WorkloadId, Mode> = {};
  for (const workload of index.inventory.workloads) {
    modes[workload.id] = "observe";
  }
  for (const workload of index.workloads.values()) {
    const identity = identities.of(workload);
    const mode = ofIdentity.get(identity) ?? modeOf(workload, set, index, now, settled);
    ofIdentity.set(identity, mode);
    modes[workload.id] = mode;
  }
  return modes;
}

function localWorkloads(index: InventoryIndex, endpoints: readonly Endpoint[]): Workload[] {
  return [...new Set(endpoints.map(({ workload }) => workload))].flatMap(
    (id) => index.workloads.get(id) ?? [],
  );
}

function nextChange(set: PolicySet, now: number): number | null {
  const next = set.stages
    .flatMap((stage) => stage.blocks)
    .flatMap((block) => [block, ...block.rules])
    .reduce((soonest, { expiresAt = Infinity }) => {
      return expiresAt > now && expiresAt < soonest ? expiresAt : soonest;
    }, Infinity);
  return next === Infinity ? null : next;
}

function diagnose(index: InventoryIndex, endpoints: readonly Endpoint[]): Diagnostic[] {
  const unknown = endpoints
    .filter(({ workload }) => !index.workloads.has(workload))
    .map(({ workload, interface: name }) =>
      createDiagnostic(
        "BH0601",
        NOWHERE,
        `endpoint \`${name}\` belongs to workload \`${workload}\`, which the inventory does not know`,
        "no policy can select it; its traffic is judged at the other end only",
      ),
    );
  const contested = index.contested.map(({ address, workloads }) =>
    createDiagnostic(
      "BH0602",
      index.workloads.get(workloads[0]!)?.source ?? NOWHERE,
      `address \`${address}\` is claimed by ${workloads.map((id) => `\`${id}\``).join(", ")}`,
      "until one of them gives it up, what any of them would be denied is denied",
    ),
  );
  return [...unknown, ...contested];
}

function diagnoseConflicts(conflicts: Conflicts): Diagnostic[] {
  return [...conflicts.values()]
    .map(({ stricter, laxer }) =>
      createDiagnostic(
        "BH0603",
        stricter.source,
        `\`${stricter.id}\` and \`${laxer.id}\` have the same priority and disagree`,
        `\`${stricter.action}\` is taken, being the stricter; to have it otherwise, give them different priorities`,
      ),
    )
    .toSorted((a, b) => compare(a.message, b.message));
}

function capacityOf(sets: readonly MapSet[], rows: HostPolicy["rows"]): Capacity {
  const maps = sets.flatMap((set) => set.maps);
  return {
    subjects: sum(sets.map(({ subjects }) => subjects.egress.length + subjects.ingress.length)),
    classes: maps.length,
    rows: rows.length,
    exactEntries: sum(maps.map(({ exact }) => exact.length)),
    rangeEntries: sum(maps.map(({ ranges }) => ranges.length)),
    overlayEntries: sum(sets.map(({ overlay }) => overlay.length)),
    intervals: sum(
      rows.map((row) => sum(row.protocols.map(({ intervals }) => intervals.length)) + 1),
    ),
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}
