/**
 * Who is at the other end of an accepted unix socket, by the kernel's word (SO_PEERCRED): process, user and group at
 * the time it connected. gRPC and HTTP servers do not tell, so the descriptor is asked directly.
 */
import type { Socket } from "node:net";
import { libc, SO_PEERCRED, SOL_SOCKET } from "./libc.ts";

export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** Throws `KernelError` (ENOTSOCK, EBADF) for anything that is not a socket; pid 0 when it is not a connected unix socket. */
export function peerCredentials(fd: number): PeerCredentials {
  const value = Buffer.alloc(12);
  libc().getsockopt(fd, SOL_SOCKET, SO_PEERCRED, value);
  return { pid: value.readInt32LE(0), uid: value.readUInt32LE(4), gid: value.readUInt32LE(8) };
}

/** The descriptor beneath a Node socket, or null once it is closed. */
export function descriptorOf(socket: Socket): number | null {
  // Node keeps it in an internal handle and offers no other way.
  const { _handle: handle } = socket as unknown as {
    readonly _handle?: { readonly fd?: number } | null;
  };
  const fd = handle?.fd;
  return fd === undefined || fd < 0 ? null : fd;
}
