/**
 * The sockets people reach the controller by, told apart by their permissions alone: whoever opens one has been let in by
 * the kernel, and which one it was says what they may do. No name and no number in a request decides anything.
 *
 *   root ──────────────► api.sock   0600   reads and changes
 *   group `bulkhead` ──► read.sock  0660   reads
 */
import { chmodSync, chownSync, rmSync } from "node:fs";
import type { Server } from "node:http";
import { createAdaptorServer } from "@hono/node-server";
import type { Hono } from "hono";

export interface OpenSocket {
  /** Nobody new is let in; who is idle is let go. */
  close(): void;
  /** Everybody is let go, and the file is removed. */
  end(): void;
}

/** `group` absent: its owner's alone. The mask of this process must keep new files their owner's (umask 077). */
export async function openSocket(
  path: string,
  app: Hono,
  group: number | undefined,
): Promise<OpenSocket> {
  const server = createAdaptorServer({ fetch: app.fetch }) as Server;
  rmSync(path, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, resolve);
  });
  if (group !== undefined) chownSync(path, -1, group);
  chmodSync(path, group === undefined ? 0o600 : 0o660);
  return {
    close() {
      server.close();
      server.closeIdleConnections();
    },
    end() {
      server.closeAllConnections();
      rmSync(path, { force: true });
    },
  };
}
