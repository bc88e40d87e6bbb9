/**
 * The tree of control groups, cut into units: groups of processes that are told apart. What root arranged (slices, runtimes'
 * folders) is looked into; where somebody else may make groups, all below is one unit, because names given there are worth
 * nothing. Units never lie in one another.
 */
import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import type { CgroupPath } from "@bulkhead/model";
import type { UnitForm } from "@bulkhead/wire";
import { PROBE_GROUP } from "../../kernel/probe-group.ts";
import { whileItIsThere } from "./vanishing.ts";

export interface CgroupUnit {
  readonly cgroup: CgroupPath;
  readonly form: UnitForm;
  /** Last part of its path. */
  readonly unit: string;
  /** Of its control group and of all within. */
  readonly numbers: readonly number[];
  /** Its processes in our process namespace, ascending. */
  readonly pids: readonly number[];
  /** Of a user's slice. */
  readonly uid?: number;
  readonly containerId?: string;
}

export interface CgroupTree {
  /** Those with a process in our network namespace, sorted by path. */
  readonly units: readonly CgroupUnit[];
  /** Groups in which units come and go, by path. */
  readonly folders: readonly CgroupPath[];
  /** Units without a process: made a moment ago, or to make sockets in (systemd, for those of socket units). */
  readonly empty: readonly CgroupUnit[];
  /** Every group by its number. */
  readonly paths: ReadonlyMap<number, CgroupPath>;
  /** There are more groups than are looked at. */
  readonly cutShort: boolean;
}

/** A machine with some thousand containers has fewer. */
const MOST_GROUPS = 20_000;
/** In one unit: who may make groups there, a user for one, must neither keep us busy nor crowd out others. */
const MOST_WITHIN = 1_000;
/** Of a unit, to find one in our network. A unit may send some of its own elsewhere, and is not to hide behind them. */
const MOST_ASKED = 1_024;

const USER_SLICE = /^user-(\d+)\.slice$/;
/** Where runtimes put containers when systemd does not do it for them; below kubepods, groups of groups. */
const RUNTIME_FOLDER =
  /^\/(?:docker|libpod_parent|lxc|kubepods(?:\/(?:burstable|besteffort|guaranteed|pod[^/]*))*)$/;
const CONTAINER = [
  /^([0-9a-f]{64})$/,
  /^(?:docker|libpod|cri-containerd|crio|nerdctl)-([0-9a-f]{64})(?:\.scope)?$/,
];

export const OWN_NETNS = "/proc/thread-self/ns/net";

/**
 * `mount`: where the hierarchy is mounted; `netnsPath`: of the network namespace whose processes count; `prober`: who is in groups
 * of others for a moment, and is none of theirs.
 */
export function readCgroupTree(
  mount: string,
  netnsPath = OWN_NETNS,
  proc = "/proc",
  prober?: number,
): CgroupTree {
  const netns = `net:[${statSync(netnsPath).ino}]`;
  const isOurs = (pid: number): boolean =>
    whileItIsThere(() => readlinkSync(`${proc}/${pid}/ns/net`)) === netns;
  // A guard of a namespace that is not the machine's was started from somebody's session, which is no service of that namespace.
  const isGuest = whileItIsThere(() => readlinkSync(`${proc}/1/ns/net`)) !== netns;
  const units: CgroupUnit[] = [];
  const folders: CgroupPath[] = [];
  const empty: CgroupUnit[] = [];
  const paths = new Map<number, CgroupPath>();
  let arranged = 0;
  let within = 0;
  let cutShort = false;

  const note = (path: CgroupPath): boolean => {
    const found = statSync(join(mount, path), { throwIfNoEntry: false });
    if (found === undefined) return false;
    paths.set(found.ino, path);
    // Who may write here may make groups of any name here.
    return found.uid === 0 && (found.mode & 0o022) === 0;
  };

  /** False when there are more than it takes. */
  const gather = (path: CgroupPath, numbers: number[], pids: number[]): boolean => {
    const found = statSync(join(mount, path), { throwIfNoEntry: false });
    if (found === undefined) return true;
    paths.set(found.ino, path);
    numbers.push(found.ino);
    pids.push(...pidsIn(mount, path));
    // A folder's links are itself, the one in its parent, and one from each folder in it: most units have none, and 40 files.
    if (found.nlink === 2) return true;
    if (found.nlink > MOST_WITHIN) return false;
    return groupsIn(mount, path).every((name) => {
      within += 1;
      if (name === PROBE_GROUP && isProbers(mount, `${path}/${name}`, prober)) return true;
      return (
        numbers.length < MOST_WITHIN &&
        within < MOST_GROUPS &&
        gather(`${path}/${name}`, numbers, pids)
      );
    });
  };

  const visit = (path: CgroupPath): void => {
    arranged += 1;
    if (arranged > MOST_GROUPS) {
      cutShort = true;
      return;
    }
    const name = path.slice(path.lastIndexOf("/") + 1);
    const kept = note(path);
    if (kept && (isFolder(path, name) || holdsContainers(mount, path, name))) {
      folders.push(path);
      for (const child of groupsIn(mount, path))
        visit(path === "/" ? `/${child}` : `${path}/${child}`);
      return;
    }
    const numbers: number[] = [];
    const pids: number[] = [];
    const whole = gather(path, numbers, pids);
    if (!whole) cutShort = true;
    const unit = { cgroup: path, ...formOf(path, name), unit: name, numbers };
    if (pids.length === 0 && whole) empty.push({ ...unit, pids });
    else if (isGuest && pids.includes(process.pid)) return;
    else if (!whole || pids.slice(0, MOST_ASKED).some(isOurs))
      units.push({ ...unit, pids: pids.toSorted((a, b) => a - b) });
  };
  visit("/");
  return {
    units: units.toSorted((a, b) => (a.cgroup < b.cgroup ? -1 : 1)),
    folders,
    empty,
    paths,
    cutShort,
  };
}

function isFolder(path: CgroupPath, name: string): boolean {
  if (path === "/" || RUNTIME_FOLDER.test(path)) return true;
  return name.endsWith(".slice") && !isUserSlice(path);
}

/** A runtime may be told to put its containers anywhere (`--cgroup-parent`). What systemd runs may divide itself as it likes. */
function holdsContainers(mount: string, path: CgroupPath, name: string): boolean {
  if (name.endsWith(".service") || name.endsWith(".scope") || isUserSlice(path)) return false;
  if (CONTAINER.some((pattern) => pattern.test(name))) return false;
  return (
    groupsIn(mount, path).some((child) => CONTAINER.some((pattern) => pattern.test(child))) &&
    pidsIn(mount, path).length === 0
  );
}

/** Ours alone: who may divide their own group must not hide behind our name, nor below it. */
function isProbers(mount: string, path: CgroupPath, prober: number | undefined): boolean {
  return pidsIn(mount, path).every((pid) => pid === prober) && groupsIn(mount, path).length === 0;
}

const isUserSlice = (path: CgroupPath): boolean =>
  path.startsWith("/user.slice/") && USER_SLICE.test(path.slice("/user.slice/".length));

function formOf(path: CgroupPath, name: string): Pick<CgroupUnit, "form" | "uid" | "containerId"> {
  if (isUserSlice(path)) return { form: "user", uid: Number(USER_SLICE.exec(name)?.[1]) };
  for (const pattern of CONTAINER) {
    const containerId = pattern.exec(name)?.[1];
    if (containerId !== undefined) return { form: "container", containerId };
  }
  if (name.endsWith(".service")) return { form: "service" };
  return { form: name.endsWith(".scope") ? "scope" : "group" };
}

function groupsIn(mount: string, path: CgroupPath): readonly string[] {
  const entries = whileItIsThere(() => readdirSync(join(mount, path), { withFileTypes: true }));
  return (entries ?? []).filter((entry) => entry.isDirectory()).map(({ name }) => name);
}

/** A group of threads tells no processes. */
function pidsIn(mount: string, path: CgroupPath): readonly number[] {
  const text = whileItIsThere(() => readFileSync(join(mount, path, "cgroup.procs"), "latin1"));
  // Processes of other process namespaces are 0 here.
  return (text ?? "")
    .split("\n")
    .map(Number)
    .filter((pid) => pid > 0);
}
