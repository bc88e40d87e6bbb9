/**
 * Where the one hierarchy of control groups (version 2) is mounted, and what number the kernel has for a group in it. On
 * hybrid systems it lies beside those of version 1, on systems of version 1 alone there is none.
 */
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { CgroupPath } from "@bulkhead/model";

/** A folder of the hierarchy, and where it can be seen. */
export interface Cgroup2Mount {
  readonly root: string;
  readonly point: string;
}

/** Everywhere that it, or a part of it, is mounted. `mountinfo`: text of /proc/self/mountinfo (proc(5)). */
export function cgroup2Mounts(
  mountinfo = readFileSync("/proc/self/mountinfo", "utf8"),
): readonly Cgroup2Mount[] {
  return mountinfo.split("\n").flatMap((line) => {
    const [front = "", back = ""] = line.split(" - ");
    const [, , , root = "", point = ""] = front.split(" ");
    return back.startsWith("cgroup2 ") ? [{ root: unescaped(root), point: unescaped(point) }] : [];
  });
}

/** Null without one. */
export function cgroup2Mount(mountinfo?: string): string | null {
  const found = cgroup2Mounts(mountinfo);
  // A part of it may be mounted elsewhere as well, for a container say.
  return (found.find(({ root }) => root === "/") ?? found[0])?.point ?? null;
}

/** The number by which sockets and packets name the group: the inode of its folder. Undefined when it is gone. */
export function cgroupNumber(mount: string, path: CgroupPath): number | undefined {
  return statSync(join(mount, path), { throwIfNoEntry: false })?.ino;
}

/** Blanks and backslashes are octal there. */
function unescaped(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}
