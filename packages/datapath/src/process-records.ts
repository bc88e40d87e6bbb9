/**
 * The record of the machine's processes in the kernel, bound or not, keyed by handle: nobody looks packets up in it, and everybody
 * may read it. The kernel keeps text only as comments (at most 128 bytes), so long names span several sets.
 */
import { familyOf } from "@bulkhead/model";
import type {
  CgroupPath,
  ClassId,
  ConfinedProcess,
  HostPolicy,
  Mode,
  ProcessHandle,
  ProcessSocket,
  WorkloadId,
} from "@bulkhead/model";
import { decodeName, encodeName } from "./endpoints.ts";
import { BOTH } from "./family.ts";
import { classChain, processRecord } from "./names.ts";
import type { Tree } from "./names.ts";
import type { Table, TableBuilder } from "./ruleset.ts";

/** As nft prints a mark: any 32 bits that nothing else gives a meaning to. */
export const handleKey = (handle: ProcessHandle): string => `0x${handle}`;
const handleOf = (key: string): ProcessHandle => key.slice(2, 10);

const TEXT_CHUNK = 100;
const RECORD = "processes";
const NAMES = "process_name";
const PATHS = "process_path";
const MANAGED_PATHS = "managed_path";

/** Text by key, in as many sets as the longest needs. */
const writeTexts = (
  table: TableBuilder,
  name: string,
  texts: readonly (readonly [string, string])[],
): void => {
  const encoded = texts.map(([key, text]) => [key, encodeName(text)] as const);
  const longest = encoded.reduce((most, [, text]) => Math.max(most, text.length), 1);
  for (let index = 0; index * TEXT_CHUNK < longest; index += 1)
    table.set(
      { name: `${name}${index}`, kind: "set", type: "mark", flags: [] },
      encoded
        .map(
          ([key, text]) => [key, text.slice(index * TEXT_CHUNK, (index + 1) * TEXT_CHUNK)] as const,
        )
        .filter(([, chunk]) => chunk !== "")
        .map(([key, comment]) => ({ key, comment })),
    );
};

const readText = (table: Table, name: string, key: string): string | null => {
  let encoded = "";
  for (let index = 0; ; index += 1) {
    const chunk = table.sets.get(`${name}${index}`)?.elements.get(key)?.comment;
    if (chunk === undefined) break;
    encoded += chunk;
  }
  return decodeName(encoded);
};

const SOCKETS = { 4: "sockets4", 6: "sockets6" } as const;
const SOCKETS_AT = { 4: "socketsat4", 6: "socketsat6" } as const;

export const writeProcessRecords = (
  table: TableBuilder,
  { processes = [], managed = [] }: HostPolicy,
): void => {
  table.set(
    { name: RECORD, kind: "set", type: "mark", flags: [] },
    processes.map(({ handle, mode }) => ({ key: handleKey(handle), comment: mode })),
  );
  const keyed = processes.map((process) => [handleKey(process.handle), process] as const);
  writeTexts(
    table,
    NAMES,
    keyed.map(([key, { workload }]) => [key, workload]),
  );
  writeTexts(
    table,
    PATHS,
    keyed.map(([key, { cgroup }]) => [key, cgroup]),
  );
  if (managed.length > 0)
    writeTexts(
      table,
      MANAGED_PATHS,
      managed.map((path, index) => [`0x${index.toString(16).padStart(8, "0")}`, path]),
    );
};

export const writeSocketRecords = (
  table: TableBuilder,
  { sockets = [] }: HostPolicy,
  handleOfSocket: (socket: ProcessSocket) => ProcessHandle,
): void => {
  const key = "inet_proto . inet_service";
  for (const { family, type } of BOTH) {
    const texts = sockets
      .filter((socket) => socket.family === family)
      .map((socket) => {
        const { address, protocol, port } = socket;
        const place = address === undefined ? "" : ` . ${address}`;
        return {
          open: address === undefined,
          key: `${handleKey(handleOfSocket(socket))}${place} . ${protocol} . ${port}`,
        };
      });
    table.set(
      { name: SOCKETS[family], kind: "set", type: `mark . ${key}`, flags: [] },
      texts.filter(({ open }) => open).map(({ key: text }) => ({ key: text })),
    );
    table.set(
      { name: SOCKETS_AT[family], kind: "set", type: `mark . ${type} . ${key}`, flags: [] },
      texts.filter(({ open }) => !open).map(({ key: text }) => ({ key: text })),
    );
  }
};

export interface FoundProcesses {
  readonly processes: readonly ConfinedProcess[];
  readonly names: ReadonlyMap<ProcessHandle, WorkloadId>;
  readonly managed: readonly CgroupPath[];
  readonly sockets: readonly ProcessSocket[];
}

const MODES: readonly Mode[] = ["observe", "audit", "enforce"];

const readSockets = (
  table: Table,
  names: ReadonlyMap<ProcessHandle, WorkloadId>,
): ProcessSocket[] | null => {
  const found: ProcessSocket[] = [];
  for (const { family } of BOTH) {
    for (const name of [SOCKETS[family], SOCKETS_AT[family]]) {
      for (const { key } of table.sets.get(name)?.elements.values() ?? []) {
        const parts = key.split(" . ");
        const workload = names.get(handleOf(parts[0] ?? ""));
        const [protocol, port] = parts.slice(-2).map(Number);
        if (workload === undefined || protocol === undefined || port === undefined) return null;
        const at = parts.length === 4 ? parts[1] : undefined;
        if (at !== undefined && familyOf(at) !== family) return null;
        found.push({
          workload,
          ...(at === undefined ? {} : { address: at }),
          family,
          protocol,
          port,
        });
      }
    }
  }
  return found;
};

/** Null where a name, path or mode cannot be read. */
export const readProcesses = (table: Table): FoundProcesses | null => {
  const processes: ConfinedProcess[] = [];
  for (const { key, comment } of table.sets.get(RECORD)?.elements.values() ?? []) {
    const mode = MODES.find((known) => known === comment);
    const workload = readText(table, NAMES, key);
    const cgroup = readText(table, PATHS, key);
    if (mode === undefined || workload === null || cgroup === null) return null;
    processes.push({ workload, cgroup, handle: handleOf(key), mode });
  }
  const managed: CgroupPath[] = [];
  for (const { key } of table.sets.get(`${MANAGED_PATHS}0`)?.elements.values() ?? []) {
    const path = readText(table, MANAGED_PATHS, key);
    if (path === null) return null;
    managed.push(path);
  }
  const names = new Map(processes.map(({ handle, workload }) => [handle, workload]));
  const sockets = readSockets(table, names);
  return sockets === null ? null : { processes, names, managed, sockets };
};

/** The workload that a key's handle stands for. */
export const workloadOf = (key: string, { names }: FoundProcesses): WorkloadId | null =>
  names.get(handleOf(key)) ?? null;

/** The processes of one tree; null where one is unknown or led to no class. */
export const readJudged = (
  table: Table,
  tree: Tree,
  found: FoundProcesses,
): [WorkloadId, ClassId][] | null => {
  const prefix = `jump ${classChain(tree, "")}`;
  const judged: [WorkloadId, ClassId][] = [];
  for (const { key, value } of table.sets.get(processRecord(tree))?.elements.values() ?? []) {
    const workload = workloadOf(key, found);
    if (workload === null || value?.startsWith(prefix) !== true) return null;
    judged.push([workload, value.slice(prefix.length)]);
  }
  return judged;
};
