/**
 * Ruleset as found in the kernel → HostPolicy, strictly. The policy is rebuilt from the kernel's own elements and rules
 * alone; then it is compared with what the renderer would have written for the desired policy (or, where none is
 * known, for the rebuilt one), so that nothing the rebuilding does not look at can hide.
 */
import type {
  CanaryMaps,
  ClassId,
  Direction,
  HostPolicy,
  IpAddress,
  MapSet,
  OverlayEntry,
  PolicyMap,
  ProcessOverlayEntry,
  Row,
  WorkloadId,
} from "@bulkhead/model";
import { readCanaryRule } from "./canary-rules.ts";
import { readClass } from "./class-chain.ts";
import { DEADLINE_TOLERANCE, compareRulesets } from "./compare.ts";
import { readEndpoints, readPorts } from "./endpoints.ts";
import { readExemptions } from "./exemptions.ts";
import { HOST, NODE_EXEMPT_RULES } from "./frame.ts";
import { FAMILIES, TREES, classChain, rowChain, subjectsName } from "./names.ts";
import type { Plane, Tree } from "./names.ts";
import { readPeers } from "./process-peers.ts";
import { readJudged, readProcesses } from "./process-records.ts";
import type { FoundProcesses } from "./process-records.ts";
import { renderRuleset } from "./render.ts";
import { readRow } from "./row-chain.ts";
import type { Ruleset, Table } from "./ruleset.ts";
import { toRendered } from "./versions.ts";

export interface ReadBack {
  /** Null when the kernel's tables do not add up to a policy. */
  readonly policy: HostPolicy | null;
  /** Empty iff the kernel holds exactly what it should. */
  readonly differences: readonly string[];
}

/** What a reader cannot make sense of; its message goes to the differences. */
class Unreadable extends Error {}

const idsOf = (table: Table, prefix: string): readonly string[] =>
  [...table.chains.keys()]
    .filter((name) => name.startsWith(prefix))
    .map((name) => name.slice(prefix.length))
    .toSorted();

const readSubjects = (table: Table, tree: Tree): (readonly [IpAddress, string])[] => {
  const prefix = `jump ${classChain(tree, "")}`;
  return FAMILIES.flatMap((family) => {
    const set = table.sets.get(subjectsName(tree, family));
    return [...(set?.elements.values() ?? [])].map(({ key, value }) => {
      if (value?.startsWith(prefix) !== true)
        throw new Unreadable(`element ${key} of map ${subjectsName(tree, family)} names no class`);
      return [key, value.slice(prefix.length)] as const;
    });
  });
};

const readProcessTables = (
  table: Table,
  plane: Plane,
  found: FoundProcesses,
): Pick<MapSet, "processes"> => {
  const read = (direction: Direction): [WorkloadId, ClassId][] => {
    const judged = readJudged(table, { plane, direction }, found);
    if (judged === null) throw new Unreadable(`a process of the ${plane} maps cannot be read`);
    return judged;
  };
  const processes = { egress: read("egress"), ingress: read("ingress") };
  return processes.egress.length + processes.ingress.length === 0 ? {} : { processes };
};

const readPlane = (table: Table, plane: Plane, processes: FoundProcesses): MapSet => {
  const maps: PolicyMap[] = [];
  const overlay: OverlayEntry[] = [];
  const processOverlay: ProcessOverlayEntry[] = [];
  for (const tree of TREES.filter((candidate) => candidate.plane === plane)) {
    for (const id of idsOf(table, classChain(tree, ""))) {
      const found = readClass(table, tree, id);
      const peers = readPeers(table, tree, id, processes);
      if (found === null || peers === null)
        throw new Unreadable(`chain ${classChain(tree, id)} is no class`);
      maps.push(peers.rows.length === 0 ? found.map : { ...found.map, processes: peers.rows });
      overlay.push(...found.overlay);
      processOverlay.push(...peers.overlay);
    }
  }
  return {
    subjects: {
      egress: readSubjects(table, { plane, direction: "egress" }),
      ingress: readSubjects(table, { plane, direction: "ingress" }),
    },
    maps,
    overlay,
    ...readProcessTables(table, plane, processes),
    ...(processOverlay.length === 0 ? {} : { processOverlay }),
  };
};

const readRows = (table: Table): Row[] => {
  const rows = new Map<string, { row: Row; text: string }>();
  for (const tree of TREES) {
    for (const id of idsOf(table, rowChain(tree, ""))) {
      const row = readRow(table, tree, id);
      if (row === null) throw new Unreadable(`chain ${rowChain(tree, id)} is no row`);
      const text = JSON.stringify(row);
      const known = rows.get(id);
      if (known !== undefined && known.text !== text)
        throw new Unreadable(`row ${id} says different things in different chains`);
      rows.set(id, { row, text });
    }
  }
  return [...rows.values()].map(({ row }) => row).toSorted((a, b) => (a.id < b.id ? -1 : 1));
};

const overlayKey = (entry: OverlayEntry | ProcessOverlayEntry): string =>
  JSON.stringify([
    entry.classId,
    entry.direction,
    "peer" in entry ? entry.peer : entry.process,
    entry.protocol,
    entry.ports,
  ]);

const adopt = <T extends OverlayEntry | ProcessOverlayEntry>(
  found: readonly T[],
  desired: readonly T[],
): T[] => {
  const wanted = new Map(desired.map((entry) => [overlayKey(entry), entry.deadline]));
  return found.map((entry) => {
    const deadline = wanted.get(overlayKey(entry));
    return deadline !== undefined && Math.abs(deadline - entry.deadline) <= DEADLINE_TOLERANCE
      ? { ...entry, deadline }
      : entry;
  });
};

/** Timeouts read a little late: a deadline within the tolerance of the desired one is the desired one. */
const adoptDeadlines = (found: MapSet, desired: MapSet): MapSet => ({
  ...found,
  overlay: adopt(found.overlay, desired.overlay),
  ...(found.processOverlay === undefined
    ? {}
    : { processOverlay: adopt(found.processOverlay, desired.processOverlay ?? []) }),
});

/** The rollout that the hooks tell flows apart for. */
const readCanary = (table: Table, processes: FoundProcesses): CanaryMaps | null => {
  for (const rule of table.chains.get("forward_fresh")?.rules ?? []) {
    const found = readCanaryRule(rule);
    if (found !== null) return { ...found, maps: readPlane(table, "canary", processes) };
  }
  return null;
};

const withDeadlines = (found: CanaryMaps, desired: CanaryMaps | undefined): CanaryMaps =>
  desired === undefined ? found : { ...found, maps: adoptDeadlines(found.maps, desired.maps) };

const rebuild = (ruleset: Ruleset, desired: HostPolicy | null): HostPolicy => {
  const table = ruleset.inet;
  if (table === undefined) throw new Unreadable("table inet bulkhead is missing");
  const endpoints = readEndpoints(table);
  if (endpoints === null) throw new Unreadable("the endpoints' notes cannot be read");
  const ports = readPorts(table);
  if (ports === null) throw new Unreadable("the bridges' ports cannot be read");
  const known = readProcesses(table);
  if (known === null) throw new Unreadable("the processes' notes cannot be read");
  const canary = readCanary(table, known);
  const { dns, contested } = readExemptions(table);
  const live = readPlane(table, "live", known);
  const shadow = readPlane(table, "shadow", known);
  return {
    revision: desired?.revision ?? 0,
    endpoints,
    ports,
    hostAddresses: FAMILIES.flatMap((family) => [
      ...(table.sets.get(HOST[family])?.elements.keys() ?? []),
    ]),
    ...(known.processes.length === 0 ? {} : { processes: known.processes }),
    ...(known.managed.length === 0 ? {} : { managed: known.managed }),
    ...(known.sockets.length === 0 ? {} : { sockets: known.sockets }),
    live: desired === null ? live : adoptDeadlines(live, desired.live),
    ...(canary === null ? {} : { canary: withDeadlines(canary, desired?.canary) }),
    shadow: desired === null ? shadow : adoptDeadlines(shadow, desired.shadow),
    rows: readRows(table),
    profile: {
      nodeExempt: ["input", "source", "live_to"].some((name) =>
        table.chains.get(name)?.rules.includes(NODE_EXEMPT_RULES[0] as string),
      ),
      hairpinExempt: table.chains.has("hairpin"),
      ...(dns === undefined ? {} : { dns }),
    },
    ...(contested === undefined ? {} : { contested }),
  };
};

/**
 * `desired` is the policy applied last, or null when unknown; `readAt` when the listing was made (ms since the epoch).
 * `expected` may give what the renderer writes for `desired`, to spare rendering it again; `bind` what of the rendered is there.
 */
export const readRuleset = (
  found: Ruleset,
  desired: HostPolicy | null,
  readAt: number,
  expected?: Ruleset,
  bind: (rendered: Ruleset, policy: HostPolicy) => Ruleset = (rendered) => rendered,
): ReadBack => {
  const ruleset = toRendered(found);
  let policy: HostPolicy | null = null;
  const unreadable: string[] = [];
  try {
    policy = rebuild(ruleset, desired);
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    unreadable.push(error.message);
  }
  const reference = desired ?? policy;
  if (reference === null) return { policy, differences: unreadable };
  const differences = compareRulesets(
    ruleset,
    expected ?? bind(renderRuleset(reference, ""), reference),
    readAt,
  );
  return { policy, differences: differences.length > 0 ? differences : unreadable };
};

const aliveAt = (set: MapSet, now: number): MapSet => ({
  ...set,
  overlay: set.overlay.filter(({ deadline }) => deadline > now),
  ...(set.processOverlay === undefined
    ? {}
    : { processOverlay: set.processOverlay.filter(({ deadline }) => deadline > now) }),
});

/** The policy as the kernel should hold it at `now`: without the time-bound decisions that have passed. */
export const effectiveAt = (policy: HostPolicy, now: number): HostPolicy => ({
  ...policy,
  live: aliveAt(policy.live, now),
  shadow: aliveAt(policy.shadow, now),
  ...(policy.canary === undefined
    ? {}
    : { canary: { ...policy.canary, maps: aliveAt(policy.canary.maps, now) } }),
});
