/** What a process on this machine uses, from proc(5). */
import { readFileSync } from "node:fs";

export interface ProcessUsage {
  readonly residentBytes: number;
  readonly cpuSeconds: number;
}

/** USER_HZ, which Linux fixes for what it shows to programs (getconf CLK_TCK). */
const TICKS = 100;

/** Undefined when it has gone. */
export function usageOf(pid: number): ProcessUsage | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const resident = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
    // Behind the name, which may hold anything, in parentheses: field 3 and so on.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const [user, system] = [fields[11], fields[12]].map(Number);
    return {
      residentBytes: Number(resident?.[1] ?? 0) * 1024,
      cpuSeconds: ((user ?? 0) + (system ?? 0)) / TICKS,
    };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ESRCH") return undefined;
    throw error;
  }
}
