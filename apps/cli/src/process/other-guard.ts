/**
 * Whether somebody else's agent has guarded this network namespace all along: then one that was started meanwhile can
 * never have put a rule into the kernel. Read from the lock that agents hold (apps/agent, single-agent.ts).
 */
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { isNotFound } from "./marks.ts";
import { startTimeOf } from "./running.ts";

/** Clocks of files tick coarsely: what was written so shortly before counts as after. */
const MARGIN_MS = 100;

/** True when the holder of the lock took it before `time` and still lives; in doubt false. */
export function guardedByAnotherSince(time: number, folder = "/run/bulkhead"): boolean {
  const path = join(folder, `agent-${statSync("/proc/self/ns/net").ino}.lock`);
  try {
    const taken = statSync(path).mtimeMs;
    const holder = readFileSync(path, "utf8").trim();
    if (!/^\d+$/.test(holder) || startTimeOf(Number(holder)) === undefined) return false;
    return taken < time - MARGIN_MS;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}
