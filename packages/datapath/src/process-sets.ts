/**
 * Processes of this machine as sets that packets are looked up in: keyed by control group, of those that exist (`bindings.ts`).
 * All that a policy names stand beside them, keyed by handle (`process-records.ts`).
 */
import { cgroupLevel } from "@bulkhead/model";
import type {
  CgroupPath,
  ClassId,
  ConfinedProcess,
  HostPolicy,
  ProcessSocket,
  WorkloadId,
} from "@bulkhead/model";
import { BOTH } from "./family.ts";
import {
  MANAGED,
  ELSEWHERE,
  boundName,
  classChain,
  knownName,
  nearChain,
  openPortsName,
  ownedAtName,
  ownedName,
  ownersName,
  placedName,
  processRecord,
  processesName,
} from "./names.ts";
import type { Tree } from "./names.ts";
import { handleKey, writeProcessRecords, writeSocketRecords } from "./process-records.ts";
import type { Element, TableBuilder } from "./ruleset.ts";

/** Known processes by their workload. */
export type Processes = ReadonlyMap<WorkloadId, ConfinedProcess>;

export const processesOf = ({ processes = [] }: HostPolicy): Processes =>
  new Map(processes.map((process) => [process.workload, process]));

const of = (processes: Processes, workload: WorkloadId): ConfinedProcess => {
  const found = processes.get(workload);
  if (found === undefined) throw new Error(`process ${workload} is used but not given`);
  return found;
};

const byLevel = <T>(
  list: readonly T[],
  pathOf: (item: T) => CgroupPath,
): readonly (readonly [number, readonly T[]])[] =>
  [...Map.groupBy(list, (item) => cgroupLevel(pathOf(item)))].toSorted(([a], [b]) => a - b);

/** An element whose key begins with a control group. */
export const cgroupElement = (cgroup: CgroupPath, rest: string, value?: string): Element => ({
  key: `${cgroup}${rest}`,
  cgroup,
  ...(value === undefined ? {} : { value }),
});

/** Levels of all known processes, lowest first. */
export const knownLevels = ({ processes = [] }: HostPolicy): readonly number[] =>
  byLevel(processes, ({ cgroup }) => cgroup).map(([level]) => level);

const writeKnown = (table: TableBuilder, policy: HostPolicy): void => {
  const { processes = [], managed = [] } = policy;
  for (const [level, own] of byLevel(processes, ({ cgroup }) => cgroup))
    table.set(
      { name: knownName(level), kind: "set", type: "cgroupsv2", flags: [] },
      own.map(({ cgroup }) => cgroupElement(cgroup, "")),
    );
  if (managed.length === 0) return;
  table.set(
    { name: MANAGED, kind: "set", type: "cgroupsv2", flags: [] },
    managed.map((path) => cgroupElement(path, "")),
  );
  table.set({ name: ELSEWHERE, kind: "set", type: "cgroupsv2", flags: [] });
};

const writeSockets = (table: TableBuilder, policy: HostPolicy, processes: Processes): void => {
  const { sockets = [] } = policy;
  for (const { family, type } of BOTH) {
    const own = sockets.filter((socket) => socket.family === family);
    const open = own.filter(({ address }) => address === undefined);
    const bound = own.filter(({ address }) => address !== undefined);
    const port = ({ protocol, port: number }: ProcessSocket): string =>
      ` . ${protocol} . ${number}`;
    const place = (socket: ProcessSocket): string => ` . ${socket.address}${port(socket)}`;
    const path = ({ workload }: ProcessSocket): CgroupPath => of(processes, workload).cgroup;
    const key = "inet_proto . inet_service";
    table.set(
      { name: placedName(family), kind: "set", type: `${type} . ${key}`, flags: [] },
      bound.map((socket) => ({ key: place(socket).slice(" . ".length) })),
    );
    // Of every level, so that the first socket that is told of changes no rule.
    for (const level of knownLevels(policy)) {
      const atLevel = (socket: ProcessSocket): boolean => cgroupLevel(path(socket)) === level;
      table.set(
        { name: ownedName(level, family), kind: "set", type: `cgroupsv2 . ${key}`, flags: [] },
        open.filter(atLevel).map((socket) => cgroupElement(path(socket), port(socket))),
      );
      table.set(
        {
          name: ownedAtName(level, family),
          kind: "set",
          type: `cgroupsv2 . ${type} . ${key}`,
          flags: [],
        },
        bound.filter(atLevel).map((socket) => cgroupElement(path(socket), place(socket))),
      );
    }
  }
};

/** Everything about processes that does not depend on a look-up tree. */
export const writeProcesses = (table: TableBuilder, policy: HostPolicy): void => {
  const processes = processesOf(policy);
  writeKnown(table, policy);
  writeSockets(table, policy, processes);
  writeProcessRecords(table, policy);
  writeSocketRecords(table, policy, ({ workload }) => of(processes, workload).handle);
};

/** Which class judges a process, in one tree. */
export type Judged = readonly (readonly [WorkloadId, ClassId])[];

export const judgedLevels = (judged: Judged, processes: Processes): readonly number[] =>
  byLevel(judged, ([workload]) => of(processes, workload).cgroup).map(([level]) => level);

/** The maps that lead a tree's processes to their classes; nothing where it judges none. */
export const writeJudged = (
  table: TableBuilder,
  tree: Tree,
  judged: Judged,
  processes: Processes,
): void => {
  if (judged.length === 0) return;
  table.set(
    { name: processRecord(tree), kind: "map", type: "mark : verdict", flags: [] },
    judged.map(([workload, id]) => ({
      key: handleKey(of(processes, workload).handle),
      value: `jump ${classChain(tree, id)}`,
    })),
  );
  for (const [level, own] of byLevel(judged, ([workload]) => of(processes, workload).cgroup)) {
    const paths = own.map(([workload, id]) => [of(processes, workload).cgroup, id] as const);
    table.set(
      { name: processesName(tree, level), kind: "map", type: "cgroupsv2 : verdict", flags: [] },
      paths.map(([path, id]) => cgroupElement(path, "", `jump ${classChain(tree, id)}`)),
    );
    if (tree.plane === "live")
      table.set(
        { name: boundName(tree, level), kind: "set", type: "cgroupsv2", flags: [] },
        paths.map(([path]) => cgroupElement(path, "")),
      );
  }
};

/**
 * Who owns a socket of this machine: to the class that judges what comes to it over loopback. The owner of a socket on one address
 * stands before the owner of the port everywhere, also where nobody judges the former.
 */
export const writeOwners = (
  table: TableBuilder,
  tree: Tree,
  judged: Judged,
  sockets: readonly ProcessSocket[],
  near: ReadonlySet<ClassId>,
): void => {
  const classes = new Map(judged);
  const value = ({ workload }: ProcessSocket): string => {
    const id = classes.get(workload);
    if (id === undefined) return "return";
    return `goto ${near.has(id) ? nearChain(tree, id) : classChain(tree, id)}`;
  };
  const key = "inet_proto . inet_service";
  for (const { family, type } of BOTH) {
    const own = sockets.filter((socket) => socket.family === family);
    table.set(
      {
        name: ownersName(tree, family),
        kind: "map",
        type: `${type} . ${key} : verdict`,
        flags: [],
      },
      own
        .filter(({ address }) => address !== undefined)
        .map((socket) => ({
          key: `${socket.address} . ${socket.protocol} . ${socket.port}`,
          value: value(socket),
        })),
    );
    table.set(
      { name: openPortsName(tree, family), kind: "map", type: `${key} : verdict`, flags: [] },
      own
        .filter(({ address }) => address === undefined)
        .map((socket) => ({
          key: `${socket.protocol} . ${socket.port}`,
          value: value(socket),
        })),
    );
  }
};
