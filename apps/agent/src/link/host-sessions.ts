/**
 * SSH sessions of this machine and of its workloads: connections a policy must not cut unasked. Daemons in network
 * namespaces that are neither ours nor a workload's are somebody else's, whose addresses may even equal ours.
 */
import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { basename } from "node:path";
import { TCP } from "@bulkhead/model";
import type { HostSession } from "@bulkhead/wire";
import { parseProcNet, TCP_ESTABLISHED } from "./proc-net.ts";

const DAEMONS = new Set(["sshd", "sshd-session", "dropbear"]);

/** `namespaces`: paths of the network namespaces to look in; one that is gone by now holds no session. */
export function sshSessions(namespaces: readonly string[], proc = "/proc"): readonly HostSession[] {
  const ours = new Set(namespaces.flatMap(inodeOf));
  const found = new Map<string, HostSession>();
  for (const pid of readdirSync(proc)) {
    if (!/^\d+$/.test(pid)) continue;
    try {
      const name = programOf(proc, pid);
      if (!DAEMONS.has(name)) continue;
      if (!inodeOf(`${proc}/${pid}/ns/net`).some((inode) => ours.has(inode))) continue;
      for (const session of sessionsOf(proc, pid, name)) {
        found.set(`${session.source} ${session.destination} ${session.port}`, session);
      }
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  }
  return [...found.values()].toSorted((a, b) =>
    a.source < b.source ? -1 : a.source > b.source ? 1 : 0,
  );
}

/** A namespace's identity; nothing when it is gone. */
function inodeOf(path: string): readonly number[] {
  try {
    return [statSync(path).ino];
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}

/** By its file, since a process may call itself whatever it likes; by its name where the file may not be seen. */
function programOf(proc: string, pid: string): string {
  try {
    // After an upgrade the file that still runs is marked deleted.
    return basename(readlinkSync(`${proc}/${pid}/exe`).replace(/ \(deleted\)$/, ""));
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EACCES")) throw error;
    return readFileSync(`${proc}/${pid}/comm`, "utf8").trim();
  }
}

function sessionsOf(proc: string, pid: string, name: string): readonly HostSession[] {
  const inodes = new Set(
    readdirSync(`${proc}/${pid}/fd`).flatMap((fd) => {
      const match = /^socket:\[(\d+)\]$/.exec(readlinkSync(`${proc}/${pid}/fd/${fd}`));
      return match?.[1] === undefined ? [] : [Number(match[1])];
    }),
  );
  const sockets = [
    ...parseProcNet(readFileSync(`${proc}/${pid}/net/tcp`, "utf8"), 4),
    ...parseProcNet(readFileSync(`${proc}/${pid}/net/tcp6`, "utf8"), 6),
  ];
  return sockets
    .filter((socket) => socket.state === TCP_ESTABLISHED && inodes.has(socket.inode))
    .map((socket) => ({
      source: socket.remote,
      destination: socket.local,
      protocol: TCP,
      port: socket.localPort,
      what: `ssh session (${name}, pid ${pid})`,
    }));
}

/** Processes come and go while their files are read. */
function isGone(error: unknown): boolean {
  return (
    error instanceof Error &&
    "code" in error &&
    ["ENOENT", "ESRCH", "EINVAL"].includes(String(error.code))
  );
}
