/** Starting processes that outlive us, under a name. They are ended and looked after as the product does its own. */
import { spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { setPriority } from "node:os";
import { isAlive, startTimeOf, type Running } from "../../../apps/cli/src/process/running.ts";

export { endProcesses, isAlive, startTimeOf } from "../../../apps/cli/src/process/running.ts";

export interface ProcessMark extends Running {
  readonly name: string;
}

export interface StartOptions {
  /** File that takes stdout and stderr. */
  readonly log: string;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
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
