/**
 * Control groups of services, kept while they are stopped: systemd removes a service's group when it stops and takes the one it
 * finds when it starts, so that a known service has its number in the rules before its first packet. Which of them we made is
 * noted by number, and nothing else is ever removed. While no agent is there to make them again, they are held.
 */
import {
  chmodSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { comesBack } from "@bulkhead/model";
import type { CgroupPath, HostPolicy, Mode } from "@bulkhead/model";
import { cgroup2Mount } from "../kernel/cgroup2.ts";
import { bootId } from "../state/since-boot.ts";
import { createGroupHolds, type GroupHolds } from "./group-holds.ts";

/**
 * As many stopped units as a controller remembers. An empty group costs the kernel some ten kilobytes, several times that with
 * controllers, and us a watch and a look whenever any group comes or goes.
 */
export const MOST_KEPT = 512;

const URGENCY: Readonly<Record<Mode, number>> = { enforce: 0, audit: 1, observe: 2 };

/**
 * Services that a change of their group could cost packets: those that are enforced, and whoever is beside them. Users' own are not
 * among them, nor what comes under a new name each time.
 */
export function keptGroups({ processes = [], managed = [] }: HostPolicy): readonly CgroupPath[] {
  return processes
    .filter(
      ({ mode, cgroup }) =>
        isService(cgroup) &&
        (mode === "enforce" || managed.some((slice) => cgroup.startsWith(`${slice}/`))),
    )
    .toSorted((a, b) => URGENCY[a.mode] - URGENCY[b.mode])
    .slice(0, MOST_KEPT)
    .map(({ cgroup }) => cgroup);
}

/** Directly in slices that systemd arranges for the machine. */
function isService(path: CgroupPath): boolean {
  const [first, ...rest] = path.slice(1).split("/");
  const unit = rest.pop();
  if (first === undefined || unit === undefined) return false;
  return (
    first !== "user.slice" &&
    [first, ...rest].every((part) => part.endsWith(".slice")) &&
    unit.endsWith(".service") &&
    comesBack(unit)
  );
}

export interface KeptGroups {
  /** Makes what is missing of this policy's, from now on. */
  keep(policy: HostPolicy): void;
  /** Makes again what has vanished since. A few microseconds for each that is there. */
  renew(): void;
  /** Removes those of ours, of an earlier agent too, that are kept no more and nobody is in; holds none any more. */
  letGo(): void;
  /** From now on nobody removes those that are there, until the next agent lets go of them. The last thing that is done here. */
  hold(): void;
}

export interface KeptGroupsDeps {
  /** Where is noted which are ours. */
  readonly file: string;
  readonly onProblem: (problem: string) => void;
  readonly mount?: string | null;
  readonly holds?: GroupHolds;
  /** Numbers begin again with each boot. */
  readonly boot?: string;
}

interface Note {
  readonly boot: string;
  readonly groups: readonly (readonly [CgroupPath, number])[];
  readonly held?: readonly Held[];
}

/** `lent`: systemd had made it, and somebody was in it. */
interface Held {
  readonly path: CgroupPath;
  readonly number: number;
  readonly lent: boolean;
}

export function createKeptGroups(deps: KeptGroupsDeps): KeptGroups {
  const { file, onProblem, mount = cgroup2Mount(), boot = bootId() } = deps;
  const holds = deps.holds ?? (mount === null ? undefined : createGroupHolds(mount));
  const noted = readNote(file, boot);
  const made = new Map<CgroupPath, number>(noted.groups);
  /** By the agent before us, then by us. */
  let held = noted.held ?? [];
  let isNoted = true;
  let leaving = false;
  let wanted: readonly CgroupPath[] = [];
  let complained = "";

  const complain = (problem: string): void => {
    if (problem !== complained) onProblem(problem);
    complained = problem;
  };

  const note = (): void => {
    isNoted = false;
    const text = JSON.stringify({ boot, groups: [...made], held } satisfies Note);
    writeFileSync(`${file}.new`, text, { mode: 0o600 });
    renameSync(`${file}.new`, file);
    isNoted = true;
  };

  /** With the slices around it. False where somebody other than root may make groups. */
  const make = (where: string, path: CgroupPath): boolean => {
    const above = path.slice(0, path.lastIndexOf("/"));
    const folder = join(where, path);
    const found = statSync(folder, { throwIfNoEntry: false });
    if (found !== undefined) return isRootsOwn(found);
    if (above !== "" && !make(where, above)) return false;
    try {
      mkdirSync(folder);
    } catch (error) {
      // systemd was quicker: then it is its own.
      if ((error as NodeJS.ErrnoException).code === "EEXIST") return true;
      throw error;
    }
    chmodSync(folder, 0o755);
    made.set(path, statSync(folder).ino);
    return true;
  };

  const renew = (): void => {
    if (mount === null || leaving) return;
    const before = made.size === 0 ? "" : [...made.values()].join();
    try {
      for (const path of wanted) make(mount, path);
      complained = "";
    } catch (error) {
      // Who starts in a group of their own making is denied until that is bound, as ever.
      complain(`control groups of stopped services could not be kept: ${String(error)}`);
    }
    if ([...made.values()].join() !== before || !isNoted) attempt(note);
  };

  /** A single group may be gone, and a note may find no room: no reason not to go on with the others, or to put no policy in force. */
  const attempt = (change: () => void): void => {
    try {
      change();
    } catch (error) {
      complain(
        `a control group of a service could not be kept, held or let go of: ${String(error)}`,
      );
    }
  };

  const release = (where: string): void => {
    const still = holds?.held() ?? new Set();
    for (const { path, number, lent } of held) {
      if (still.has(path)) attempt(() => holds?.release(path));
      const folder = join(where, path);
      const isTheSame = statSync(folder, { throwIfNoEntry: false })?.ino === number;
      // systemd could not remove it when its service ended, and will not try again.
      if (lent && isTheSame && !isPopulated(folder)) made.set(path, number);
    }
    held = [];
  };

  return {
    keep(policy) {
      wanted = keptGroups(policy);
      renew();
    },
    renew,
    hold() {
      renew();
      leaving = true;
      if (mount === null || holds === undefined) return;
      const already = holds.held();
      const add = wanted.flatMap((path): Held[] => {
        const folder = join(mount, path);
        const number = statSync(folder, { throwIfNoEntry: false })?.ino;
        if (number === undefined || already.has(path) || hasRunOutOfMemory(folder)) return [];
        return [{ path, number, lent: made.get(path) !== number && isPopulated(folder) }];
      });
      attempt(() => {
        // Whoever is killed in the middle leaves nothing that nobody knows of.
        held = [...held.filter(({ path }) => already.has(path)), ...add];
        note();
        for (const { path } of add) attempt(() => holds.hold(path));
      });
    },
    letGo() {
      if (mount === null || leaving) return;
      let changed = held.length > 0;
      if (changed) release(mount);
      const kept = new Set(wanted);
      // What lies in another before it.
      for (const [path, number] of [...made].toSorted(([a], [b]) => b.length - a.length)) {
        if (kept.has(path) || wanted.some((one) => one.startsWith(`${path}/`))) continue;
        attempt(() => {
          if (!removeOurs(join(mount, path), number)) return;
          made.delete(path);
          changed = true;
        });
      }
      if (changed || !isNoted) attempt(note);
    },
  };
}

const isRootsOwn = ({ uid, mode }: { readonly uid: number; readonly mode: number }): boolean =>
  uid === 0 && (mode & 0o022) === 0;

/** Whether somebody is in it, or in one below (cgroup-v2, "cgroup.events"). */
const isPopulated = (folder: string): boolean =>
  /^populated 1$/m.test(told(folder, "cgroup.events"));

/** It counts those that were ended for it, and systemd would take them for those of the service's next start (256 and later). */
const hasRunOutOfMemory = (folder: string): boolean =>
  /^oom_kill [1-9]/m.test(told(folder, "memory.events"));

/** Nothing where the group has gone, or has no such controller. */
function told(folder: string, file: string): string {
  try {
    return readFileSync(join(folder, file), "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENODEV") return "";
    throw error;
  }
}

/** True when it is no more ours to remove; false while somebody is in it. */
function removeOurs(folder: string, number: number): boolean {
  if (statSync(folder, { throwIfNoEntry: false })?.ino !== number) return true;
  try {
    rmdirSync(folder);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return true;
    if (code === "EBUSY" || code === "ENOTEMPTY") return false;
    throw error;
  }
}

function readNote(file: string, boot: string): Note {
  const none: Note = { boot, groups: [] };
  try {
    const note = JSON.parse(readFileSync(file, "utf8")) as Note;
    return note.boot === boot ? note : none;
  } catch {
    // None yet, or torn: then empty groups stay until the next boot, and that is all.
    return none;
  }
}
