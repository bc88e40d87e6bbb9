/**
 * Throw-away control groups (version 2) for tests: made under one random name at the root of the hierarchy, and removed
 * together, also when the process ends early. Whoever is still inside is moved to the root before.
 */
import { randomBytes } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { cgroup2Mount, cgroupNumber } from "../src/kernel/index.ts";

const PAUSE = new Int32Array(new SharedArrayBuffer(4));

export interface TestCgroups {
  /** Where the hierarchy is mounted. */
  readonly mount: string;
  /** Path of the group that all the others lie in. */
  readonly root: string;
  /** Makes `ROOT/NAME`, with those above it, and returns its path in the hierarchy. */
  add(name: string): string;
  numberOf(path: string): number;
  put(pid: number, path: string): void;
  /** With its processes moved out first; those in it are removed as well. */
  remove(path: string): void;
  close(): void;
}

export function createCgroups(prefix: string, suffix = ""): TestCgroups {
  const mount = cgroup2Mount();
  if (mount === null) throw new Error("this machine has no cgroup2");
  const root = `/${prefix}-${randomBytes(3).toString("hex")}${suffix}`;
  const made = new Set<string>();
  const put = (pid: number, path: string): void =>
    writeFileSync(join(mount, path, "cgroup.procs"), String(pid));
  const addPath = (path: string): void => {
    if (path === "/" || existsSync(join(mount, path))) return;
    addPath(dirname(path));
    mkdirSync(join(mount, path));
    made.add(path);
  };
  const removeOne = (path: string): void => {
    made.delete(path);
    const folder = join(mount, path);
    if (!existsSync(folder)) return;
    // Whoever is about to end may still be counted for a moment: it is at home at the root meanwhile.
    for (let tries = 0; ; tries++) {
      for (const pid of readFileSync(join(folder, "cgroup.procs"), "utf8").split("\n")) {
        if (pid !== "") moveOut(Number(pid));
      }
      try {
        rmdirSync(folder);
        return;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EBUSY" || tries > 2000) throw error;
        Atomics.wait(PAUSE, 0, 0, 5);
      }
    }
  };
  const moveOut = (pid: number): void => {
    try {
      put(pid, "/");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  };
  /** An agent may have made some too, for units that it has seen there. */
  const within = (path: string): readonly string[] =>
    existsSync(join(mount, path))
      ? readdirSync(join(mount, path), { withFileTypes: true })
          .filter((entry) => entry.isDirectory())
          .flatMap(({ name }) => [...within(`${path}/${name}`), `${path}/${name}`])
      : [];
  const remove = (path: string): void => {
    for (const one of [...within(path), path]) removeOne(one);
  };
  const close = (): void => {
    remove(root);
    process.off("exit", close);
  };
  process.on("exit", close);
  addPath(root);
  return {
    mount,
    root,
    add(name) {
      const path = join(root, name);
      addPath(path);
      return path;
    },
    numberOf(path) {
      const number = cgroupNumber(mount, path);
      if (number === undefined) throw new Error(`no control group ${path}`);
      return number;
    },
    put,
    remove,
    close,
  };
}
