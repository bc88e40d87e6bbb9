/**
 * Which names the system has for network namespaces: files under /run/netns, and, for namespaces that nobody named,
 * a process that lives in one.
 */
import { readdirSync, readlinkSync } from "node:fs";
import { isKernelError } from "../kernel/kernel-error.ts";
import type { NetlinkSocket } from "../kernel/netlink-socket.ts";
import { withNetnsFile } from "../kernel/netns.ts";
import { netnsIdOf, type NetnsId } from "./rtnetlink.ts";

export const NETNS_FOLDER = "/run/netns";

export interface NamedNetns {
  readonly name: string;
  readonly path: string;
}

/** The names that belong to namespaces with a link into ours, by number; of several names for one the first in order. */
export function namedNamespaces(
  socket: NetlinkSocket,
  folder = NETNS_FOLDER,
): ReadonlyMap<NetnsId, NamedNetns> {
  const found = new Map<NetnsId, NamedNetns>();
  for (const name of entriesOf(folder).toSorted()) {
    const path = `${folder}/${name}`;
    const id = netnsIdOfPath(socket, path);
    if (id !== null && !found.has(id)) found.set(id, { name, path });
  }
  return found;
}

/** A process in each of the wanted namespaces, lowest process id first. Reads /proc once; used only when something has no name. */
export function inhabitedNamespaces(
  socket: NetlinkSocket,
  wanted: ReadonlySet<NetnsId>,
): ReadonlyMap<NetnsId, string> {
  const found = new Map<NetnsId, string>();
  const seen = new Set<string>();
  const pids = entriesOf("/proc").filter((name) => /^\d+$/.test(name));
  for (const pid of pids.toSorted((a, b) => Number(a) - Number(b))) {
    if (found.size === wanted.size) break;
    const path = `/proc/${pid}/ns/net`;
    const link = ignoreVanished(() => readlinkSync(path));
    if (link === undefined || seen.has(link)) continue;
    seen.add(link);
    const id = netnsIdOfPath(socket, path);
    if (id !== null && wanted.has(id) && !found.has(id)) found.set(id, path);
  }
  return found;
}

/** Null when the file vanished, is no namespace, or the namespace has no link into ours. */
export function netnsIdOfPath(socket: NetlinkSocket, path: string): NetnsId | null {
  return ignoreVanished(() => withNetnsFile(path, (fd) => netnsIdOf(socket, fd))) ?? null;
}

function entriesOf(folder: string): string[] {
  return ignoreVanished(() => readdirSync(folder)) ?? [];
}

/**
 * Files of namespaces and processes come and go while they are read: that is no error. EINVAL is the kernel's answer for a
 * file that is no namespace (any more), EACCES for processes of others when not root.
 */
function ignoreVanished<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (
      isKernelError(error, "EINVAL") ||
      code === "ENOENT" ||
      code === "ESRCH" ||
      code === "EACCES" ||
      code === "ENOTDIR"
    )
      return undefined;
    throw error;
  }
}
