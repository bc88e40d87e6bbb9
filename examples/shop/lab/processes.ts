/**
 * Starting and ending processes by id. A process is remembered as (pid, start time), so that a pid the
 * kernel has given to somebody else meanwhile is never signalled.
 */
import { spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { setPriority } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";

export interface ProcessMark {
  readonly name: string;
  readonly pid: number;
  /** Field 22 of /proc/PID/stat: clock ticks since boot, unique together with the pid. */
  readonly start: string;
}

export interface StartOptions {
  /** File that takes stdout and stderr. */
  readonly log: string;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
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

export function isAlive(mark: ProcessMark): boolean {
  return startTimeOf(mark.pid) === mark.start;
}

/** Starts a command that outlives us unless ended; output goes to its log file. */
export function startProcess(
  name: string,
  command: readonly string[],
  options: StartOptions,
): ProcessMark {
  const [program, ...args] = command;
  if (program === undefined) throw new Error(`nothing to start for \`${name}\``);
  const log = openSync(options.log, "a");
  try {
    const child = spawn(program, args, {
      detached: true,
      stdio: ["ignore", log, log],
      cwd: options.cwd ?? "/",
      env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LANG: "C.UTF-8", ...options.env },
    });
    child.on("error", () => undefined); // a failed start shows as a missing pid, just below
    if (child.pid === undefined) throw new Error(`could not start \`${program}\` for \`${name}\``);
    child.unref();
    const start = startTimeOf(child.pid);
    if (start === undefined) throw new Error(`\`${name}\` ended at once, see ${options.log}`);
    return { name, pid: child.pid, start };
  } finally {
    closeSync(log);
  }
}

export function signal(mark: ProcessMark, name: NodeJS.Signals): void {
  if (!isAlive(mark)) return;
  try {
    process.kill(mark.pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error; // it ended by itself just now
  }
}

/**
 * Precedence on the processor, as nice values say it (−20 … 19), for a process and its children. Each process started
 * here leads a session, so where the kernel schedules by sessions (sched(7), autogroup) that is what is weighed.
 */
export function setPrecedence(mark: ProcessMark, nice: number): void {
  if (!isAlive(mark)) return;
  const children = readFileSync(`/proc/${mark.pid}/task/${mark.pid}/children`, "utf8");
  for (const pid of [mark.pid, ...children.split(" ").filter(Boolean).map(Number)]) {
    setPriority(pid, nice);
  }
  const group = `/proc/${mark.pid}/autogroup`;
  if (existsSync(group)) writeFileSync(group, String(nice));
}

/** Ends processes: politely first, for good after `patienceMs`. Returns those that are still there. */
export async function endProcesses(
  marks: readonly ProcessMark[],
  patienceMs = 2000,
  polite: NodeJS.Signals = "SIGTERM",
): Promise<readonly ProcessMark[]> {
  for (const mark of marks) signal(mark, polite);
  if (await allGone(marks, patienceMs)) return [];
  for (const mark of marks) signal(mark, "SIGKILL");
  await allGone(marks, 2000);
  return marks.filter(isAlive);
}

async function allGone(marks: readonly ProcessMark[], patienceMs: number): Promise<boolean> {
  const until = Date.now() + patienceMs;
  while (marks.some(isAlive)) {
    if (Date.now() > until) return false;
    await sleep(20);
  }
  return true;
}
