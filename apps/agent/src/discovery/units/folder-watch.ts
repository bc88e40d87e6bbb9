/**
 * Hears of groups that are made or removed in the folders it follows, of nothing else. An event says that something moved,
 * never what: what is there now is for others to read.
 */
import { watch, type FSWatcher } from "node:fs";
import { join } from "node:path";
import type { CgroupPath } from "@bulkhead/model";
import { isGone } from "./vanishing.ts";

export interface FolderWatch {
  /** These folders from now on. True when one is new: what was made in it until now was not heard. */
  follow(folders: readonly CgroupPath[]): boolean;
  stop(): void;
}

/** Slices and runtimes' folders are few; the kernel's own limit for all of us is far above. */
const MOST_FOLDERS = 2_000;

export function watchFolders(
  mount: string,
  changed: () => void,
  onProblem: (problem: string) => void,
): FolderWatch {
  const watchers = new Map<CgroupPath, FSWatcher>();
  let complained = false;

  function start(folder: CgroupPath): FSWatcher | undefined {
    try {
      // Files in it change all the time; groups come and go by name.
      const watcher = watch(join(mount, folder), { persistent: false }, (event) => {
        if (event === "rename") changed();
      });
      watcher.on("error", () => {
        watcher.close();
        watchers.delete(folder);
      });
      return watcher;
    } catch (error) {
      if (isGone(error)) return undefined;
      // Without it the next periodic look finds what is new.
      if (!complained) onProblem(`control groups in ${folder} cannot be watched: ${String(error)}`);
      complained = true;
      return undefined;
    }
  }

  return {
    follow(folders) {
      const wanted = new Set(folders.slice(0, MOST_FOLDERS));
      for (const [folder, watcher] of watchers)
        if (!wanted.has(folder)) {
          watcher.close();
          watchers.delete(folder);
        }
      let fresh = false;
      for (const folder of wanted) {
        if (watchers.has(folder)) continue;
        const watcher = start(folder);
        if (watcher === undefined) continue;
        watchers.set(folder, watcher);
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
