/**
 * Control groups of a test's own, below a first-level one with a random name, and sockets made in them: a socket belongs to
 * the group that its maker was in at that moment, so this process steps in, makes it, and steps out again.
 */
import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { CgroupPath } from "@bulkhead/model";
import { cgroup2Mount } from "../../src/kernel/cgroup2.ts";

export interface ControlGroupsLab {
  /** The first-level group: `/bhp-1a2b3c`. */
  readonly root: CgroupPath;
  /** Makes a group below the root, or another first-level one where the name begins with a slash, and returns its path. */
  add(name: string): CgroupPath;
  /** A group without processes goes at once, whatever sockets were made in it. */
  remove(path: CgroupPath): void;
  /** The folder of a group. */
  folder(path: CgroupPath): string;
  /** What `make` does before it first waits is done in the group. */
  inside<T>(path: CgroupPath, make: () => T): T;
  close(): void;
}

export const createControlGroupsLab = (): ControlGroupsLab => {
  const found = cgroup2Mount();
  if (found === null) throw new Error("this machine has no control groups of version 2");
  const mount = found;
  const home = /^0::(.*)$/m.exec(readFileSync("/proc/self/cgroup", "utf8"))?.[1] ?? "/";
  const root = `/bhp-${randomBytes(4).toString("hex")}`;
  const made: CgroupPath[] = [];
  const folder = (path: CgroupPath): string => join(mount, path);
  const add = (path: CgroupPath): CgroupPath => {
    mkdirSync(folder(path));
    made.push(path);
    return path;
  };
  const enter = (path: CgroupPath): void =>
    writeFileSync(join(folder(path), "cgroup.procs"), `${process.pid}`);
  add(root);
  return {
    root,
    folder,
    add: (name) => add(name.startsWith("/") ? `${root}${name.slice(1)}` : `${root}/${name}`),
    remove(path) {
      rmdirSync(folder(path));
      made.splice(made.lastIndexOf(path), 1);
    },
    inside(path, make) {
      enter(path);
      try {
        return make();
      } finally {
        enter(home);
      }
    },
    close() {
      for (const path of made.splice(0).toReversed()) rmdirSync(folder(path));
    },
  };
};
