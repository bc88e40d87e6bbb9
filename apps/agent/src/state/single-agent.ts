/**
 * One agent a network namespace: two would undo each other's rules. The kernel holds the lock for as long as the
 * process lives, however it ends; the file goes with an orderly end.
 */
import {
  closeSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type Koffi from "koffi";

const LOCK_EX = 2;
const LOCK_NB = 4;

export class SecondAgentError extends Error {
  readonly pid: string;

  constructor(pid: string) {
    super(`another agent (pid ${pid}) already guards this network namespace`);
    this.name = "SecondAgentError";
    this.pid = pid;
  }
}

export interface AgentLock {
  release(): void;
}

/** Throws SecondAgentError when the namespace of this process is taken. */
export function lockNamespace(folder = "/run/bulkhead"): AgentLock {
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  const path = join(folder, `agent-${statSync("/proc/self/ns/net").ino}.lock`);
  const koffi = createRequire(import.meta.url)("koffi") as typeof Koffi;
  const flock = koffi.load("libc.so.6").func("int flock(int, int)") as (
    fd: number,
    how: number,
  ) => number;
  for (;;) {
    // Opened without truncation: until the lock is ours, the pid in it belongs to the other one.
    const file = openSync(path, "a+", 0o600);
    if (flock(file, LOCK_EX | LOCK_NB) !== 0) {
      const pid = readFileSync(file, "utf8").trim();
      closeSync(file);
      throw new SecondAgentError(pid === "" ? "unknown" : pid);
    }
    // Its holder may have taken the file away between our opening and our locking: such a lock keeps nobody out.
    if (!isAt(path, file)) {
      closeSync(file);
      continue;
    }
    ftruncateSync(file);
    writeSync(file, `${process.pid}\n`);
    return {
      release: () => {
        // While it is still locked: whoever opened it meanwhile will find it gone, and open the next one.
        if (isAt(path, file)) rmSync(path);
        closeSync(file);
      },
    };
  }
}

function isAt(path: string, file: number): boolean {
  const named = statSync(path, { throwIfNoEntry: false });
  const opened = fstatSync(file);
  return named?.ino === opened.ino && named.dev === opened.dev;
}
