/**
 * Processes known by pid and start time, so that a pid the kernel has given to somebody else meanwhile is never taken for
 * them, nor signalled.
 */
import { readFileSync } from "node:fs";

export interface Running {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat: clock ticks since boot, unique together with the pid. */
  readonly start: string;
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

export function isAlive({ pid, start }: Running): boolean {
  return startTimeOf(pid) === start;
}

export function signal(one: Running, name: NodeJS.Signals): void {
  if (!isAlive(one)) return;
  try {
    process.kill(one.pid, name);
  } catch (error) {
    // It ended by itself just now.
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

/** Asks processes to end, insists after `patienceMs`, and returns those that are still there. */
export async function endProcesses<T extends Running>(
  all: readonly T[],
  patienceMs: number,
  polite: NodeJS.Signals = "SIGTERM",
): Promise<readonly T[]> {
  for (const one of all) signal(one, polite);
  if (await allGone(all, patienceMs)) return [];
  for (const one of all) signal(one, "SIGKILL");
  await allGone(all, 2000);
  return all.filter(isAlive);
}

async function allGone(all: readonly Running[], patienceMs: number): Promise<boolean> {
  const until = Date.now() + patienceMs;
  while (all.some(isAlive)) {
    if (Date.now() > until) return false;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return true;
}
