/**
 * Tells when whoever read our output has gone, without writing: what waits for news would otherwise wait on for nobody. Node
 * cannot poll a pipe that it only writes to; `tail` of coreutils does, for the same reason, and lends itself.
 */
import { spawn } from "node:child_process";
import { fstatSync } from "node:fs";

export interface Reader {
  readonly gone: AbortSignal;
  /** Looks no longer. */
  stop(): void;
}

/** Undefined where that is no pipe. Without such a `tail` it is never told. */
export function watchReader(fd: number): Reader | undefined {
  if (!fstatSync(fd).isFIFO()) return undefined;
  const controller = new AbortController();
  // Prints nothing, and ends with us, whatever becomes of us.
  const watcher = spawn("tail", ["-f", "-s", "0.2", `--pid=${process.pid}`, "/dev/null"], {
    stdio: ["ignore", fd, "ignore"],
  });
  watcher.on("error", () => undefined); // there is none: the next flow tells
  watcher.on("exit", (_, signal) => {
    if (signal === "SIGPIPE") controller.abort();
  });
  watcher.unref();
  return { gone: controller.signal, stop: () => void watcher.kill() };
}
