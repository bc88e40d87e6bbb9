/**
 * Processes remembered as (pid, start time), so that a pid the kernel has given to somebody else meanwhile is never
 * signalled. One file a process under STATE/run, written whole or not at all.
 */
import { mkdirSync, readFileSync, readlinkSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

export interface ProcessMark {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat: clock ticks since boot. */
  readonly start: string;
  /** `net:[4026531840]`: the network namespace it guards. */
  readonly netns: string;
}

/** Start time of a live process, or undefined when there is none (a zombie counts as none). */
export function startTimeOf(pid: number): string | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return undefined; // no such process: that is the answer
  }
  // The command name may hold spaces and parentheses: count fields behind the last ')'.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields[0] === "Z" ? undefined : fields[19];
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

export function isAlive(mark: ProcessMark): boolean {
  return startTimeOf(mark.pid) === mark.start;
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

export function signal(mark: ProcessMark, name: NodeJS.Signals): void {
  if (!isAlive(mark)) return;
  try {
    process.kill(mark.pid, name);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

/** Asks processes to end, insists after `patienceMs`, and returns those that are still there. */
export async function endProcesses(
  marks: readonly ProcessMark[],
  patienceMs: number,
): Promise<readonly ProcessMark[]> {
  for (const mark of marks) signal(mark, "SIGTERM");
  if (await allGone(marks, patienceMs)) return [];
  for (const mark of marks) signal(mark, "SIGKILL");
  await allGone(marks, 2000);
  return marks.filter(isAlive);
}

async function allGone(marks: readonly ProcessMark[], patienceMs: number): Promise<boolean> {
  const until = Date.now() + patienceMs;
  while (marks.some(isAlive)) {
    if (Date.now() > until) return false;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return true;
}
