/**
 * Network namespaces: doing one synchronous thing inside another one, and telling namespaces apart. Only the calling
 * thread moves, and it always moves back: if that should ever fail, the process ends rather than work on in the wrong place.
 */
import { closeSync, fstatSync, openSync } from "node:fs";
import { CLONE_NEWNET, libc } from "./libc.ts";

/** Identity of a network namespace: device and inode of its file. Stable while anything holds the namespace. */
export type NetnsIdentity = `${number}:${number}`;

/** Opens a namespace file and gives the descriptor to `use`; it is closed afterwards. Throws what `open` throws (ENOENT when it vanished). */
export function withNetnsFile<T>(path: string, use: (fd: number) => T): T {
  const fd = openSync(path, "r");
  try {
    return use(fd);
  } finally {
    closeSync(fd);
  }
}

export function netnsIdentity(fd: number): NetnsIdentity {
  const { dev, ino } = fstatSync(fd);
  return `${dev}:${ino}`;
}

/** The namespace the calling thread is in. */
export function currentNetns(): NetnsIdentity {
  return withNetnsFile("/proc/thread-self/ns/net", netnsIdentity);
}

function goHome(home: number): void {
  try {
    libc().setns(home, CLONE_NEWNET);
  } catch (error) {
    process.stderr.write(`cannot return to the own network namespace: ${String(error)}\n`);
    process.abort();
  }
}

/**
 * Runs `work` with the calling thread inside the namespace. `work` must be synchronous and must start neither threads nor
 * asynchronous file or DNS work: whatever outlives it would stay, or be served, in the wrong namespace. Sockets it opens stay there by intent.
 */
export function insideNetns<T>(path: string, work: () => T): T {
  return withNetnsFile("/proc/thread-self/ns/net", (home) =>
    withNetnsFile(path, (target) => {
      libc().setns(target, CLONE_NEWNET);
      let result: T;
      try {
        result = work();
      } finally {
        goHome(home);
      }
      if (result instanceof Promise)
        throw new Error("asynchronous work cannot be done inside a network namespace");
      return result;
    }),
  );
}

/**
 * A new namespace, held by the returned descriptor alone: it goes with everything in it when the descriptor is closed,
 * also by the end of this process, however it ends.
 */
export function createNetns(): number {
  return withNetnsFile("/proc/thread-self/ns/net", (home) => {
    libc().unshare(CLONE_NEWNET);
    try {
      return openSync("/proc/thread-self/ns/net", "r");
    } finally {
      goHome(home);
    }
  });
}

/** Moves the calling thread into the namespace for good: for worker threads that belong there. */
export function enterNetns(path: string): void {
  withNetnsFile(path, (target) => libc().setns(target, CLONE_NEWNET));
}
