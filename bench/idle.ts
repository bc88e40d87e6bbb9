/**
 * What controller and agent cost while nothing happens: their share of memory and of a core over a minute beside the shop at
 * rest, against a Node program in the same run that only waits.
 */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { withGuardedShop } from "./guarded-shop.ts";

export interface IdleCost {
  /** MiB: resident, and proportional where pages are shared with other programs. */
  readonly residentMiB: number;
  readonly ownMiB: number;
  /** Per cent of one core. */
  readonly corePercent: number;
}

export interface IdleBench {
  readonly controller: IdleCost;
  readonly agent: IdleCost;
  readonly waiting: IdleCost;
}

const SETTLE_MS = 20_000;
const MEASURE_MS = 60_000;
/** `getconf CLK_TCK`, which Linux has at 100 everywhere. */
const TICKS_A_SECOND = 100;

/** Needs root. Leaves nothing behind. */
export async function benchIdle(measureMs = MEASURE_MS): Promise<IdleBench> {
  return withGuardedShop(async ({ lab, controller, agent }) => {
    const program = "setInterval(() => undefined, 1e9)";
    const waiting = spawn(process.execPath, ["-e", program], { stdio: "ignore" });
    // Its scrapes are the one thing that begins by itself in a shop without customers.
    const restless = lab.record.processes.filter(({ name }) => name === "metrics");
    for (const { pid } of restless) process.kill(pid, "SIGSTOP");
    try {
      const pids = [controller, agent, waiting.pid ?? 0] as const;
      await sleep(SETTLE_MS);
      const before = pids.map(ticksOf);
      const start = performance.now();
      await sleep(measureMs);
      const seconds = (performance.now() - start) / 1000;
      const cost = (index: 0 | 1 | 2): IdleCost => {
        const pid = pids[index];
        const ticks = ticksOf(pid) - (before[index] ?? 0);
        return {
          ...memoryOf(pid),
          corePercent: (100 * ticks) / TICKS_A_SECOND / seconds,
        };
      };
      return { controller: cost(0), agent: cost(1), waiting: cost(2) };
    } finally {
      for (const { pid } of restless) process.kill(pid, "SIGCONT");
      waiting.kill();
    }
  });
}

/** User and system time of all threads, and of children that have ended (`nft`). */
function ticksOf(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index]), 0);
}

function memoryOf(pid: number): Pick<IdleCost, "residentMiB" | "ownMiB"> {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const mib = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text)?.[1]) / 1024;
  return { residentMiB: mib("Rss"), ownMiB: mib("Pss") };
}
