/**
 * The run file: one small JSON file a lab under /run, naming every namespace, process and directory the
 * lab owns. It is written *before* a thing is made where its name is known beforehand, so that whatever
 * a killed run leaves behind can be found and removed by the next one, and nothing else is touched.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isAlive, startTimeOf, type ProcessMark } from "./processes.ts";

export const RUN_DIRECTORY = "/run/bulkhead-demo";
export const PREFIX = "bhd-";

export interface RunRecord {
  readonly id: string;
  /** Who runs the lab; when it is gone and the lab is not kept, the lab is a leftover. */
  readonly owner: ProcessMark;
  readonly kept: boolean;
  readonly directory: string;
  readonly namespaces: readonly string[];
  readonly processes: readonly ProcessMark[];
}

const ID = /^[0-9a-f]{4,16}$/;

function fileOf(id: string): string {
  return join(RUN_DIRECTORY, `${id}.json`);
}

export function writeRun(record: RunRecord): void {
  mkdirSync(RUN_DIRECTORY, { recursive: true, mode: 0o755 });
  const temporary = `${fileOf(record.id)}.tmp`;
  writeFileSync(temporary, JSON.stringify(record, null, 1));
  renameSync(temporary, fileOf(record.id)); // never half a record
}

export function forgetRun(id: string): void {
  rmSync(fileOf(id), { force: true });
}

export function readRuns(): readonly RunRecord[] {
  let files: string[];
  try {
    files = readdirSync(RUN_DIRECTORY);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
  const runs: RunRecord[] = [];
  for (const file of files.filter((name) => name.endsWith(".json")).toSorted()) {
    const record = parseRun(readFileSync(join(RUN_DIRECTORY, file), "utf8"));
    if (record !== undefined) runs.push(record);
  }
  return runs;
}

/** A record whose names are not all of our making is not acted on. */
export function parseRun(text: string): RunRecord | undefined {
  const record = JSON.parse(text) as RunRecord;
  if (!ID.test(record.id)) return undefined;
  const mine = `${PREFIX}${record.id}`;
  if (!record.namespaces.every((name) => name.startsWith(`${mine}-`) && !name.includes("/")))
    return undefined;
  if (!record.directory.endsWith(`/${mine}`)) return undefined;
  return record;
}

export function isLeftover(record: RunRecord): boolean {
  return !record.kept && !isAlive(record.owner);
}

export function ownMark(): ProcessMark {
  const start = startTimeOf(process.pid);
  if (start === undefined) throw new Error("/proc is not mounted: the lab needs it");
  return { name: "owner", pid: process.pid, start };
}
