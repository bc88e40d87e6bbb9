/**
 * An ingress class as it judges peers on this machine, whose control groups the kernel knows: time-bound decisions by process,
 * then rows by process, then the class itself, by address. Such chains are reached from local hooks only, where packets have
 * sockets. What is looked up is keyed by control group; the same by handle is the record of all, bound or not.
 */
import { MAX_PORT, cgroupLevel } from "@bulkhead/model";
import type {
  ClassId,
  MapSet,
  PolicyMap,
  ProcessOverlayEntry,
  RowDecision,
  RowId,
  WorkloadId,
} from "@bulkhead/model";
import {
  classChain,
  nearChain,
  parseLeaf,
  peerOverlayName,
  peersName,
  rowChain,
  viaChain,
} from "./names.ts";
import type { PeerShape, Tree } from "./names.ts";
import { hasPorts, portLookups } from "./port-lookups.ts";
import { handleKey, workloadOf } from "./process-records.ts";
import type { FoundProcesses } from "./process-records.ts";
import { cgroupElement } from "./process-sets.ts";
import type { Processes } from "./process-sets.ts";
import type { Element, Table, TableBuilder } from "./ruleset.ts";

const SHAPES: readonly PeerShape[] = ["pone", "pwide", "pbare"];

/** Classes of this direction that tell processes apart. */
export const nearClasses = (
  { maps, processOverlay = [] }: Pick<MapSet, "maps" | "processOverlay">,
  { direction }: Tree,
): ReadonlySet<ClassId> =>
  new Set([
    ...maps
      .filter((map) => map.direction === direction && (map.processes ?? []).length > 0)
      .map(({ classId }) => classId),
    ...processOverlay
      .filter((entry) => entry.direction === direction)
      .map(({ classId }) => classId),
  ]);

const range = ([first, last]: readonly [number, number]): string =>
  first === last ? `${first}` : `${first}-${last}`;

const isWhole = ([first, last]: readonly [number, number]): boolean =>
  first === 0 && last === MAX_PORT;

const shapeOf = ({ protocol, ports }: ProcessOverlayEntry): PeerShape => {
  if (isWhole(ports) || !hasPorts(protocol)) return "pbare";
  return ports[0] === ports[1] ? "pone" : "pwide";
};

const restOf = ({ protocol, ports }: ProcessOverlayEntry, shape: PeerShape): string =>
  shape === "pbare" ? ` . ${protocol}` : ` . ${protocol} . ${range(ports)}`;

const writeTimed = (
  table: TableBuilder,
  tree: Tree,
  id: ClassId,
  entries: readonly ProcessOverlayEntry[],
  leaf: (decision: RowDecision) => string,
  processes: Processes,
): readonly string[] => {
  const rules: string[] = [];
  for (const shape of SHAPES) {
    const own = entries.filter((entry) => shapeOf(entry) === shape);
    if (own.length === 0) continue;
    const type = `inet_proto${shape === "pbare" ? "" : " . inet_service"} : verdict`;
    const flags = shape === "pwide" ? ["interval", "timeout"] : ["timeout"];
    const found = own.flatMap((entry) => {
      const process = processes.get(entry.process);
      if (process === undefined) return [];
      const rest = restOf(entry, shape);
      const more = {
        value: `goto ${leaf(entry.decision)}`,
        deadline: entry.deadline,
        // A protocol without ports has one decision, whatever range the entry was written with.
        ...(shape === "pbare" && !isWhole(entry.ports) ? { comment: range(entry.ports) } : {}),
      };
      return [{ process, entry, rest, more }];
    });
    table.set(
      { name: peerOverlayName(tree, id, shape, ""), kind: "map", type: `mark . ${type}`, flags },
      found.map(({ process, rest, more }) => ({
        key: `${handleKey(process.handle)}${rest}`,
        ...more,
      })),
    );
    const levels = Map.groupBy(found, ({ process }) => cgroupLevel(process.cgroup));
    for (const [level, list] of [...levels].toSorted(([a], [b]) => a - b)) {
      const name = table.set(
        {
          name: peerOverlayName(tree, id, shape, level),
          kind: "map",
          type: `cgroupsv2 . ${type}`,
          flags,
        },
        list.map(({ process, rest, more }) => ({
          ...cgroupElement(process.cgroup, rest),
          ...more,
        })),
      );
      const key = `socket cgroupv2 level ${level} . ct protocol`;
      if (shape === "pbare") rules.push(`${key} vmap @${name}`);
      else
        rules.push(
          ...portLookups(
            list.map(({ entry }) => entry.protocol),
            (port) => `${key} . ${port}`,
            `vmap @${name}`,
          ),
        );
    }
  }
  return rules;
};

/**
 * Writes the chain that `nearChain` names; only for classes that tell processes apart. `exempt`: rules that end what is exempt for
 * its address, in a second chain: to a process of the machine nobody is.
 */
export const writeNear = (
  table: TableBuilder,
  tree: Tree,
  map: PolicyMap,
  overlay: readonly ProcessOverlayEntry[],
  leaf: (decision: RowDecision) => string,
  processes: Processes,
  exempt: readonly string[],
): void => {
  const id = map.classId;
  const rules = [...writeTimed(table, tree, id, overlay, leaf, processes)];
  const rows = (map.processes ?? []).flatMap(([workload, row]) => {
    const process = processes.get(workload);
    return process === undefined ? [] : [{ process, value: `goto ${rowChain(tree, row)}` }];
  });
  if (rows.length > 0) {
    table.set(
      { name: peersName(tree, id, ""), kind: "map", type: "mark : verdict", flags: [] },
      rows.map(({ process, value }) => ({ key: handleKey(process.handle), value })),
    );
    const levels = Map.groupBy(rows, ({ process }) => cgroupLevel(process.cgroup));
    for (const [level, list] of [...levels].toSorted(([a], [b]) => a - b)) {
      const name = table.set(
        { name: peersName(tree, id, level), kind: "map", type: "cgroupsv2 : verdict", flags: [] },
        list.map(({ process, value }) => cgroupElement(process.cgroup, "", value)),
      );
      rules.push(`socket cgroupv2 level ${level} vmap @${name}`);
    }
  }
  table.chain(nearChain(tree, id), [...rules, `goto ${classChain(tree, id)}`]);
  if (exempt.length > 0)
    table.chain(viaChain(tree, id), [...rules, ...exempt, `goto ${classChain(tree, id)}`]);
};

export interface FoundPeers {
  readonly rows: readonly (readonly [WorkloadId, RowId])[];
  readonly overlay: readonly ProcessOverlayEntry[];
}

const readTimed = (
  { key, value, comment, deadline }: Element,
  tree: Tree,
  classId: ClassId,
  found: FoundProcesses,
): ProcessOverlayEntry | null => {
  const [handle = "", protocol, ports] = key.split(" . ");
  const process = workloadOf(handle, found);
  const leaf = parseLeaf((value ?? "").replace(/^goto /, ""));
  if (process === null || leaf === null || deadline === undefined) return null;
  const [first, last = first] = (ports ?? comment ?? `0-${MAX_PORT}`).split("-").map(Number);
  if (protocol === undefined || first === undefined || last === undefined) return null;
  return {
    classId,
    direction: tree.direction,
    process,
    protocol: Number(protocol),
    ports: [first, last],
    decision: { verdict: leaf.verdict, cookie: leaf.cookie },
    deadline,
  };
};

/** What a class says of processes as peers; null where a record is none of ours. */
export const readPeers = (
  table: Table,
  tree: Tree,
  id: ClassId,
  found: FoundProcesses,
): FoundPeers | null => {
  const prefix = `goto ${rowChain(tree, "")}`;
  const rows: [WorkloadId, RowId][] = [];
  for (const { key, value } of table.sets.get(peersName(tree, id, ""))?.elements.values() ?? []) {
    const workload = workloadOf(key, found);
    if (workload === null || value?.startsWith(prefix) !== true) return null;
    rows.push([workload, value.slice(prefix.length)]);
  }
  const overlay: ProcessOverlayEntry[] = [];
  for (const shape of SHAPES) {
    const set = table.sets.get(peerOverlayName(tree, id, shape, ""));
    for (const element of set?.elements.values() ?? []) {
      const entry = readTimed(element, tree, id, found);
      if (entry === null) return null;
      overlay.push(entry);
    }
  }
  return { rows, overlay };
};
