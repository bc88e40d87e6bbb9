/**
 * Sockets in the name of a process of this machine: the kernel takes a socket for whose control group its maker was in at that
 * moment. So we step into a group below the unit's own, make it, and step out; the rules ask for the unit above. What is made
 * there goes at once, whatever sockets were made in it.
 */
import { mkdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { CgroupPath } from "@bulkhead/model";
import { cgroup2Mount } from "../kernel/cgroup2.ts";
import { PROBE_GROUP } from "../kernel/probe-group.ts";

export class NotRunningError extends Error {
  constructor(unit: CgroupPath) {
    super(`${unit.slice(unit.lastIndexOf("/") + 1)} is not running, and could not be tried`);
  }
}

/** `make` must be synchronous. Absent group: where we are. Throws `NotRunningError` where there is no such group. */
export function insideGroup<T>(unit: CgroupPath | undefined, make: () => T): T {
  if (unit === undefined) return make();
  const mount = cgroup2Mount();
  if (mount === null || statSync(join(mount, unit), { throwIfNoEntry: false }) === undefined)
    throw new NotRunningError(unit);
  const home = join(mount, homeIn(readFileSync("/proc/self/cgroup", "utf8")));
  const guest = join(mount, unit, PROBE_GROUP);
  try {
    mkdirSync(guest);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // Left by a prober that was killed in between.
    if (code === "ENOENT") throw new NotRunningError(unit);
    if (code !== "EEXIST") throw error;
  }
  try {
    moveTo(guest);
    try {
      return make();
    } finally {
      goHome(home);
    }
  } finally {
    rmdirSync(guest);
  }
}

const moveTo = (group: string): void =>
  writeFileSync(join(group, "cgroup.procs"), String(process.pid));

function goHome(home: string): void {
  try {
    moveTo(home);
  } catch (error) {
    // What is made from now on would be the unit's.
    process.stderr.write(`cannot return to the own control group: ${String(error)}\n`);
    process.abort();
  }
}

/** proc(5): of version 2 it is the line of hierarchy 0. */
const homeIn = (text: string): CgroupPath => /^0::(.*)$/m.exec(text)?.[1] ?? "/";
