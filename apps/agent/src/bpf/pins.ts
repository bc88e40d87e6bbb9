/**
 * Pins: names in a file system of the kernel's own (bpffs) that keep maps, programs and links when every descriptor is
 * closed. The file system is mounted in a folder of ours, is used only if it is one, and is never one of somebody else.
 */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statfsSync,
  unlinkSync,
} from "node:fs";
import { join } from "node:path";
import { KernelError, libc, UMOUNT_NOFOLLOW } from "../kernel/index.ts";
import { linkOf, type BpfLink } from "./link.ts";
import { mapOf, type BpfMap } from "./map.ts";
import { programOf, type BpfProgram } from "./program.ts";
import { attributeBlock, bpfWith, closeFd, cString, pointTo, tryBpf } from "./syscall.ts";

const BPF_FS_MAGIC = 0xcafe4a11;

const MS_NOSUID = 2;
const MS_NODEV = 4;
const MS_NOEXEC = 8;

/** Is the folder (in) a mounted bpffs? */
export function isBpffs(folder: string): boolean {
  return existsSync(folder) && (statfsSync(folder).type & 0xffffffff) >>> 0 === BPF_FS_MAGIC;
}

/**
 * Makes sure that the folder is a bpffs, mounting one there unless there is; only root may look inside. Pins live as long as
 * the mount: in a mount namespace that ends with this process they end with it (`mountsOutliveUs`). Throws `KernelError`
 * (EPERM), and an `Error` when the folder holds files.
 */
export function mountBpffs(folder: string): void {
  if (isBpffs(folder)) return;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (readdirSync(folder).length > 0)
    throw new Error(`${folder} holds files; a file system for pins is not mounted over them`);
  libc().mount("bpf", folder, MS_NOSUID | MS_NODEV | MS_NOEXEC, "bpf", "mode=0700");
}

/**
 * Is the mount namespace of this process that of the machine (of process 1, where a process namespace has its own)? In one of
 * its own, what it mounts ends with it, and with that all pins: what they keep in force would fail open.
 */
export function mountsOutliveUs(): boolean {
  // Each mount in each namespace has a number of its own. /proc/1/ns/mnt may be closed even to root.
  const [ours, theirs] = ["self", "1"].map(
    (process) =>
      new Set(
        readFileSync(`/proc/${process}/mountinfo`, "utf8")
          .split("\n")
          .map((line) => line.split(" ")[0]),
      ),
  );
  return [...(ours ?? [])].some((mount) => mount !== "" && theirs?.has(mount));
}

/** Removes all pins in the folder and unmounts it; what no descriptor holds ends with that. Nothing to do is success. */
export function unmountBpffs(folder: string): void {
  if (!isBpffs(folder)) return;
  for (const name of pinsIn(folder)) rmSync(join(folder, name), { recursive: true, force: true });
  libc().umount(folder, UMOUNT_NOFOLLOW);
}

/** Keeps a map, program or link under a path in a bpffs. Throws `KernelError`: EEXIST, EPERM outside a bpffs. */
export function pin(object: { readonly fd: number }, path: string): void {
  const text = cString(path);
  bpfWith(
    "pin",
    (attribute, point) => {
      point(0, text);
      attribute.writeUInt32LE(object.fd, 8);
    },
    path,
  );
}

/**
 * False when there was no such pin. The object goes with its last pin and descriptor, some milliseconds later: who wants a link
 * without effect from now on calls its `detach` before.
 */
export function unpin(path: string): boolean {
  try {
    unlinkSync(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}

/** Null when nothing is pinned there. Throws when it is something else than a map. */
export const openPinnedMap = (path: string): BpfMap | null => openPinned(path, "map", mapOf);
export const openPinnedProgram = (path: string): BpfProgram | null =>
  openPinned(path, "prog", programOf);
export const openPinnedLink = (path: string): BpfLink | null => openPinned(path, "link", linkOf);

/** Some kernels put these into every bpffs by themselves (kernel/bpf/preload). */
const PRELOADED: readonly string[] = ["maps.debug", "progs.debug"];

/** Names of what is pinned directly in the folder; none when it is not a bpffs. */
export function pinsIn(folder: string): readonly string[] {
  if (!isBpffs(folder)) return [];
  return readdirSync(folder)
    .filter((name) => !PRELOADED.includes(name))
    .toSorted();
}

const ENOENT = 2;

function openPinned<T>(path: string, sort: string, opened: (fd: number) => T): T | null {
  const text = cString(path);
  const attribute = attributeBlock();
  pointTo(attribute, 0, text);
  const fd = tryBpf("openPinned", attribute);
  if (fd === -ENOENT) return null;
  if (fd < 0) throw new KernelError("bpf openPinned", -fd, path);
  // The kernel tells of any of the three what it is asked for: `anon_inode:bpf-map` is what sets them apart.
  const kind = readlinkSync(`/proc/self/fd/${fd}`);
  if (!kind.endsWith(sort)) {
    closeFd(fd);
    throw new Error(`${path} is no ${sort} but ${kind}`);
  }
  return opened(fd);
}
