/** One `up` or `down` at a time for a state directory. The lock of a process that has died is nobody's. */
import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { cannotRun } from "../failure.ts";
import { makeDirectory, type Layout } from "./layout.ts";
import { markOf, readMark } from "./marks.ts";
import { isAlive } from "./running.ts";

export async function withLock<T>(layout: Layout, work: () => Promise<T>): Promise<T> {
  makeDirectory(layout.run);
  const path = join(layout.run, "lock");
  take(path);
  try {
    return await work();
  } finally {
    rmSync(path, { force: true });
  }
}

function take(path: string): void {
  for (let attempt = 0; ; attempt += 1) {
    try {
      const file = openSync(path, "wx", 0o640);
      writeSync(file, JSON.stringify(markOf(process.pid)));
      closeSync(file);
      return;
    } catch (error) {
      const exists = error instanceof Error && "code" in error && error.code === "EEXIST";
      if (!exists || attempt > 0) throw error;
    }
    const holder = readMark(path);
    if (holder !== undefined && isAlive(holder)) {
      throw cannotRun(
        `another \`up\` or \`down\` is at work, pid ${holder.pid}`,
        "wait for it to end",
      );
    }
    rmSync(path, { force: true });
  }
}
