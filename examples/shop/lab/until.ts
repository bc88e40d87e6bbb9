/** Waiting for a program to be ready, by using it; on failure, the last words of its log. */
import { existsSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const PATIENCE_MS = 20_000;

export async function until(
  what: string,
  log: string,
  check: () => Promise<boolean>,
): Promise<void> {
  const end = Date.now() + PATIENCE_MS;
  while (!(await check())) {
    if (Date.now() > end) {
      const tail = existsSync(log) ? readFileSync(log, "utf8").trim().split("\n").slice(-5) : [];
      throw new Error(`${what} is not ready after ${PATIENCE_MS / 1000} s\n${tail.join("\n")}`);
    }
    await sleep(25);
  }
}
