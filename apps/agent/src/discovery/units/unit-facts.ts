/**
 * What runs in a unit, for people who ask: its processes with their users, and the file that its main process runs. Told on
 * request only, since it changes all the time, and since a process chooses its name itself: nothing goes by it.
 */
import { readFileSync } from "node:fs";
import type { UnitFacts } from "@bulkhead/wire";
import { printable } from "../../processes/socket-holders.ts";
import type { CgroupUnit } from "./cgroup-tree.ts";
import type { Executables } from "./executables.ts";
import type { UserName } from "./users.ts";
import { whileItIsThere } from "./vanishing.ts";

/** Of one unit. */
const MOST_LOOKED_AT = 256;
const MOST_TOLD = 16;

interface Running {
  readonly pid: number;
  readonly name: string;
  readonly parent: number;
  readonly uid: number;
}

export function factsOf(
  { cgroup, pids }: CgroupUnit,
  users: UserName,
  executables: Executables,
  proc = "/proc",
): UnitFacts {
  const running = pids.slice(0, MOST_LOOKED_AT).flatMap((pid) => lookAt(proc, pid) ?? []);
  const inside = new Set(pids);
  // Whoever was not started by another of the unit began it; the lowest number did so first.
  const main = running.find(({ parent }) => !inside.has(parent)) ?? running[0];
  const executable = main === undefined ? undefined : executables.of(main.pid);
  const nameOf = (uid: number): string => users(uid) ?? String(uid);
  return {
    cgroup,
    count: pids.length,
    processes: running
      .slice(0, MOST_TOLD)
      .map(({ pid, name, uid }) => ({ pid, name, user: nameOf(uid) })),
    users: [...new Set(running.map(({ uid }) => nameOf(uid)))].toSorted(),
    ...(executable === undefined
      ? {}
      : { executable: { ...executable, path: printable(executable.path) } }),
  };
}

/** From /proc/PID/status (proc(5)): the effective user. */
function lookAt(proc: string, pid: number): Running | undefined {
  const text = whileItIsThere(() => readFileSync(`${proc}/${pid}/status`, "latin1"));
  if (text === undefined) return undefined;
  const field = (name: string): string =>
    new RegExp(`^${name}:\\s*(.*)$`, "m").exec(text)?.[1] ?? "";
  return {
    pid,
    name: printable(field("Name")),
    parent: Number(field("PPid")),
    uid: Number(field("Uid").split(/\s+/)[1]),
  };
}
