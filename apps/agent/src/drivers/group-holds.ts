/**
 * Holds control groups where they are while nobody is there to make them again: a folder that is a mount point cannot be removed
 * (rmdir(2), EBUSY), and systemd takes that as it takes a group that somebody is still in. Each is mounted upon itself, so that
 * everything in it stays what and where it was. What is held is read from the kernel, whoever held it. Who has another view of mounts
 * than systemd holds nothing.
 */
import { join } from "node:path";
import type { CgroupPath } from "@bulkhead/model";
import { cgroup2Mounts } from "../kernel/cgroup2.ts";
import { libc, MNT_DETACH, MS_BIND, UMOUNT_NOFOLLOW } from "../kernel/libc.ts";

export interface GroupHolds {
  /** Those that are held now. */
  held(): ReadonlySet<CgroupPath>;
  hold(path: CgroupPath): void;
  release(path: CgroupPath): void;
}

/** `mount`: where control groups of version 2 are. */
export function createGroupHolds(mount: string): GroupHolds {
  return {
    held() {
      const found = cgroup2Mounts().flatMap(({ root, point }): CgroupPath[] => {
        if (!point.startsWith(`${mount}/`)) return [];
        const path: CgroupPath = `/${point.slice(mount.length + 1)}`;
        // Something else may be mounted there, by somebody else.
        return root.endsWith(path) ? [path] : [];
      });
      return new Set(found);
    },
    hold(path) {
      const folder = join(mount, path);
      libc().mount(folder, folder, MS_BIND);
    },
    release: (path) => libc().umount(join(mount, path), MNT_DETACH | UMOUNT_NOFOLLOW),
  };
}
