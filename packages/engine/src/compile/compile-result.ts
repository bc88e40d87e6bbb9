/**
 * What a compilation tells: the policy of one machine, with endpoints and modes around the maps, cookies by name, what is
 * wrong, how large it is. Precedence has ended before: what is here is disjoint and free of order, and `lookup` in it must
 * agree with `decide` for every flow of a local workload.
 */
import {
  createDiagnostic,
  isPlainInterface,
  NOWHERE,
  sortIps,
  type BridgePort,
  type CookieName,
  type Diagnostic,
  type Endpoint,
  type HostPolicy,
  type IpAddress,
  type LocalProcess,
  type MapSet,
  type Mode,
  type PolicySet,
  type Rule,
  type Workload,
  type WorkloadId,
} from "@bulkhead/model";
import { isOwnNode } from "../exemption.ts";
import type { InventoryIndex } from "../inventory-index.ts";
import { modeOf } from "../mode.ts";
import { contestedAddresses, diagnoseMachine, isServed, ownResolvers } from "./exempt-facts.ts";
import type { Identity, IdentityTable } from "./identity-table.ts";
import type { MapSets } from "./map-sets.ts";
import type { Conflict } from "./paint.ts";
import type { PolicyReading } from "./policy-reading.ts";
import { diagnoseProcesses, diagnoseUneven, processFacts } from "./process-facts.ts";
import { compare } from "../order.ts";

export interface CompileOptions {
  readonly now: number;
  readonly revision: number;
  /** Who is attached to this machine: only they are subjects. */
  readonly endpoints: readonly Endpoint[];
  /** Known ports of this machine's bridges that lead to no workload. */
  readonly ports?: readonly BridgePort[];
  /** Processes of this machine that are workloads: subjects too. Their sockets stand in the inventory. */
  readonly processes?: readonly LocalProcess[];
}

export interface Capacity {
  /** Local addresses and processes that are judged, both directions and views counted apart. */
  readonly subjects: number;
  /** PolicyMaps: one chain each. */
  readonly classes: number;
  readonly rows: number;
  /** By address, and by process. */
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
  /** Links that no rule can name: one of them must not keep the others' policy from taking effect. */
  readonly leftOut: readonly LeftOut[];
  readonly capacity: Capacity;
  /** When something in the set expires next: compile again then. Null when nothing will. */
  readonly nextChangeAt: number | null;
}

/** A link that the policy does not name. To guards it is a stranger; its workload is judged by address alone. */
export interface LeftOut {
  readonly interface: string;
  /** Whose attachment it is; absent for a port that leads to no workload. */
  readonly workload?: WorkloadId;
  readonly mode?: Mode;
}

export interface Compiled {
  readonly reading: PolicyReading;
  readonly identities: IdentityTable;
  readonly modeOf: ModeOf;
  readonly sets: MapSets;
}

export function compileResult(
  set: PolicySet,
  index: InventoryIndex,
  { revision, endpoints, ports = [], processes = [] }: CompileOptions,
  { reading, identities, modeOf: find, sets }: Compiled,
): CompileResult {
  const { live, shadow, canary, rows } = sets;
  const modes = modesOf(index, identities, find, false);
  // What cuts whatever the flow, such as guards against spoofing, waits until the whole rollout is settled.
  const confined = set.canary === undefined ? modes : modesOf(index, identities, find, true);
  const maps = canary ? [live, shadow, canary] : [live, shadow];
  const resolvers = ownResolvers(set.profile, index);
  const contested = contestedAddresses(index, endpoints);
  return {
    policy: {
      revision,
      endpoints: endpoints
        .filter(isNameable)
        .map(({ workload, interface: name, bridge, ifindex, mac, addresses }) => ({
          workload,
          interface: name,
          ifindex,
          mac,
          addresses: sortIps(addresses),
          mode: confined[workload] ?? "observe",
          ...(isServed(set.profile, { interface: name, bridge }) ? { dhcp: true as const } : {}),
          ...ownNodeOf(index, workload),
        }))
        .toSorted((a, b) => compare(a.workload, b.workload) || compare(a.interface, b.interface)),
      ports: ports.filter(isNameable).toSorted((a, b) => compare(a.interface, b.interface)),
      // An address that a workload claims is judged as the workload's: it must not enjoy the host's exemption.
      hostAddresses: sortIps(
        index.inventory.hostAddresses.filter((address) => index.at(address).kind === "host"),
      ),
      ...processFacts(index, processes, confined, maps),
      live,
      shadow,
      rows,
      ...(set.canary && canary && { canary: { ...set.canary, maps: canary } }),
      profile: {
        nodeExempt: set.profile.nodeExempt,
        hairpinExempt: set.profile.hairpinExempt,
        ...(resolvers.length === 0 ? {} : { dns: resolvers }),
      },
      ...(contested.length === 0 ? {} : { contested }),
    },
    cookies: reading.cookieNames,
    modes,
    diagnostics: [
      ...diagnose(index, endpoints),
      ...diagnoseProcesses(index, processes),
      ...diagnoseUneven(sets.uneven, set),
      ...diagnoseMachine(set.profile, index, endpoints),
      ...diagnoseConflicts(sets.conflicts, set),
    ],
    leftOut: [
      ...endpoints
        .filter((one) => !isNameable(one))
        .map(({ workload, interface: name }) => ({
          interface: name,
          workload,
          mode: confined[workload] ?? "observe",
        })),
      ...ports
        .filter((one) => !isNameable(one))
        .map(({ interface: name }) => ({ interface: name })),
    ].toSorted((a, b) => compare(a.interface, b.interface)),
    capacity: capacityOf(maps, rows),
    nextChangeAt: reading.nextChangeAt,
  };
}

/** Only addresses that are surely the node's. */
function ownNodeOf(
  index: InventoryIndex,
  id: WorkloadId,
): { readonly node?: readonly IpAddress[] } {
  const workload = index.workloads.get(id);
  const node = workload?.node === undefined ? undefined : index.workloads.get(workload.node);
  if (workload === undefined || node === undefined || !isOwnNode(workload, node)) return {};
  const sure = node.addresses.filter((address) => {
    const place = index.at(address);
    return place.workload === node && place.rivals.length === 0;
  });
  return sure.length === 0 ? {} : { node: sortIps(sure) };
}

const isNameable = (link: { readonly interface: string }): boolean =>
  isPlainInterface(link.interface);

/** `settled`: what holds for the flows that take no part in a rollout counts; else what holds for any. */
export type ModeOf = (identity: Identity, workload: Workload, settled: boolean) => Mode;

/** Workloads of one identity are selected by the same blocks, so they are in one mode. */
export function modesBy({ set, from }: PolicyReading): ModeOf {
  const known = { settled: new Map<Identity, Mode>(), any: new Map<Identity, Mode>() };
  return (identity, workload, settled) => {
    const modes = known[settled ? "settled" : "any"];
    let mode = modes.get(identity);
    if (mode === undefined) {
      modes.set(identity, (mode = modeOf(workload, set, identity, from, settled)));
    }
    return mode;
  };
}

function modesOf(
  index: InventoryIndex,
  identities: IdentityTable,
  find: ModeOf,
  settled: boolean,
): Record<WorkloadId, Mode> {
  const modes: Record<WorkloadId, Mode> = {};
  for (const workload of index.workloads.values()) {
    modes[workload.id] = find(identities.of(workload), workload, settled);
  }
  // On the host's network.
  for (const { id } of index.inventory.workloads) modes[id] ??= "observe";
  return modes;
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
      contestedHelp(workloads, index),
    ),
  );
  return [...unknown, ...contested];
}

/** An address proves nobody: whoever is found here is not taken for whom a file declares by that address alone. */
function contestedHelp(
  ids: readonly WorkloadId[],
  { workloads, inventory }: InventoryIndex,
): string {
  const until = "until one of them gives it up, what any of them would be denied is denied";
  const attached = new Set((inventory.attachments ?? []).map(({ workload }) => workload));
  const isDeclared = (id: WorkloadId): boolean => workloads.get(id)?.source !== undefined;
  const elsewhere = ids.filter((id) => isDeclared(id) && !attached.has(id));
  const here = ids.filter((id) => !isDeclared(id) && attached.has(id));
  if (ids.length !== 2 || elsewhere.length !== 1 || here.length !== 1) return until;
  const kind = workloads.get(here[0]!)?.kind === "container" ? "container" : "netns";
  return `if they are one, say so in the Inventory: give \`${elsewhere[0]}\` a \`${kind}\` in the place of the address; ${until}`;
}

/** By the ids of rules, each pair once. */
function diagnoseConflicts(conflicts: readonly Conflict[], set: PolicySet): Diagnostic[] {
  if (conflicts.length === 0) return [];
  const rules = new Map<string, Rule>();
  for (const { blocks } of set.stages) {
    for (const block of blocks) for (const rule of block.rules) rules.set(rule.id, rule);
  }
  return [...new Map(conflicts.map((one) => [`${one.stricter} ${one.laxer}`, one])).values()]
    .map(({ stricter, laxer }) => {
      const { source, action } = rules.get(stricter)!;
      return createDiagnostic(
        "BH0603",
        source,
        `\`${stricter}\` and \`${laxer}\` have the same priority and disagree`,
        `\`${action}\` is taken, being the stricter; to have it otherwise, give them different priorities`,
      );
    })
    .toSorted((a, b) => compare(a.message, b.message));
}

function capacityOf(sets: readonly MapSet[], rows: HostPolicy["rows"]): Capacity {
  const maps = sets.flatMap((set) => set.maps);
  return {
    subjects: sum(
      sets
        .flatMap(({ subjects, processes }) => [subjects, processes ?? NO_PROCESSES])
        .map(({ egress, ingress }) => egress.length + ingress.length),
    ),
    classes: maps.length,
    rows: rows.length,
    exactEntries: sum(maps.map(({ exact, processes = [] }) => exact.length + processes.length)),
    rangeEntries: sum(maps.map(({ ranges }) => ranges.length)),
    overlayEntries: sum(
      sets.map(({ overlay, processOverlay = [] }) => overlay.length + processOverlay.length),
    ),
    intervals: sum(
      rows.map((row) => sum(row.protocols.map(({ intervals }) => intervals.length)) + 1),
    ),
  };
}

const NO_PROCESSES = { egress: [], ingress: [] };

function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}
