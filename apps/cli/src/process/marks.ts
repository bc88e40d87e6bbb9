/** Processes of ours remembered on disk: one file a process under STATE/run, written whole or not at all. */
import { mkdirSync, readFileSync, readlinkSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { startTimeOf, type Running } from "./running.ts";

export interface ProcessMark extends Running {
  /** `net:[4026531840]`: the network namespace it guards. */
  readonly netns: string;
}

export function networkNamespace(pid: number | "self" = "self"): string {
  return readlinkSync(`/proc/${pid}/ns/net`);
}

export function markOf(pid: number): ProcessMark | undefined {
  const start = startTimeOf(pid);
  if (start === undefined) return undefined;
  try {
    return { pid, start, netns: networkNamespace(pid) };
  } catch {
    return undefined; // it ended between the two looks
  }
}

export function writeMark(path: string, mark: ProcessMark): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o750 });
  writeFileSync(`${path}.new`, `${JSON.stringify(mark)}\n`, { mode: 0o640 });
  renameSync(`${path}.new`, path);
}

/** Undefined when there is no such file, or none that makes sense. */
export function readMark(path: string): ProcessMark | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
  return parseMark(text);
}

export function parseMark(text: string): ProcessMark | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined; // not ours, or damaged: then it marks nothing
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { pid, start, netns } = value as Partial<Record<keyof ProcessMark, unknown>>;
  if (typeof pid !== "number" || !Number.isInteger(pid) || pid <= 1) return undefined;
  if (typeof start !== "string" || typeof netns !== "string") return undefined;
  return { pid, start, netns };
}

export function removeMark(path: string): void {
  rmSync(path, { force: true });
}

export function isNotFound(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
