/**
 * Hears of groups that are made or removed in the folders it follows, and of the first process in groups that have none: a group
 * is made before its process is put there. An event says that something moved, never what: that is for others to read.
 */
import { statSync, watch, type FSWatcher } from "node:fs";
import { join } from "node:path";
import type { CgroupPath } from "@bulkhead/model";
import { isGone } from "./vanishing.ts";

export interface FolderWatch {
  /** These from now on. True when one is new: what happened there until now was not heard. */
  follow(folders: readonly CgroupPath[], empty: readonly CgroupPath[]): boolean;
  stop(): void;
}

interface Followed {
  readonly key: string;
  readonly path: CgroupPath;
  /** In it; absent: the folder itself. */
  readonly file?: string;
}

/** Slices and runtimes' folders are few; the kernel's own limit for all of us is far above. */
const MOST_FOLDERS = 2_000;
/** More than are kept for services that do not run (`drivers/kept-groups.ts`). */
const MOST_EMPTY = 1_000;
/** Tells whether there are processes (cgroup-v2, "populated"). */
const EVENTS = "cgroup.events";

export function watchFolders(
  mount: string,
  changed: () => void,
  onProblem: (problem: string) => void,
): FolderWatch {
  /** By number and path: a group that is made again is another one, whose predecessor's watch is dead. */
  const watchers = new Map<string, FSWatcher>();
  let complained = false;

  function start({ key, path, file }: Followed): FSWatcher | undefined {
    // Files in a folder change all the time; groups come and go by name.
    const kind = file === undefined ? "rename" : "change";
    try {
      const watcher = watch(join(mount, path, file ?? ""), { persistent: false }, (event) => {
        if (event === kind) changed();
      });
      watcher.on("error", () => forget(key, watcher));
      return watcher;
    } catch (error) {
      if (isGone(error)) return undefined;
      // Without it the next periodic look finds what is new.
      if (!complained) onProblem(`control groups in ${path} cannot be watched: ${String(error)}`);
      complained = true;
      return undefined;
    }
  }

  function forget(key: string, watcher: FSWatcher): void {
    watcher.close();
    watchers.delete(key);
  }

  function followed(path: CgroupPath, file?: string): readonly Followed[] {
    const found = statSync(join(mount, path), { throwIfNoEntry: false });
    if (found === undefined) return [];
    const key = `${found.ino} ${path} ${file ?? ""}`;
    return [file === undefined ? { key, path } : { key, path, file }];
  }

  return {
    follow(folders, empty) {
      const wanted = [
        ...folders.slice(0, MOST_FOLDERS).flatMap((path) => followed(path)),
        ...empty.slice(0, MOST_EMPTY).flatMap((path) => followed(path, EVENTS)),
      ];
      const keys = new Set(wanted.map(({ key }) => key));
      for (const [key, watcher] of watchers) if (!keys.has(key)) forget(key, watcher);
      let fresh = false;
      for (const one of wanted) {
        if (watchers.has(one.key)) continue;
        const watcher = start(one);
        if (watcher === undefined) continue;
        watchers.set(one.key, watcher);
        fresh = true;
      }
      return fresh;
    },
    stop() {
      for (const watcher of watchers.values()) watcher.close();
      watchers.clear();
    },
  };
}
