/** Where everything of one Bulkhead lies, and with which permissions: the directory is its owner's alone. */
import { chmodSync, chownSync, mkdirSync } from "node:fs";
import { join, resolve } from "node:path";

export const DEFAULT_STATE = "/var/lib/bulkhead";

export interface StateDirectory {
  readonly root: string;
  readonly state: string;
  readonly flows: string;
  readonly signingKey: string;
  /** Where flows go, as `bulkhead up` was told; absent where they stay here. */
  readonly flowStore: string;
  /** Held by the one controller of this directory. */
  readonly lock: string;
  /** Where metrics go, as `bulkhead up` was told; absent where nobody asked for any. */
  readonly telemetry: string;
  /** For root: reads and changes. */
  readonly apiSocket: string;
  /** For the group of readers: reads only. */
  readonly readSocket: string;
  readonly agentSocket: string;
}

/** `readers`: the number of the group that may read; absent where there is none. */
export function openStateDirectory(path: string, readers: number | undefined): StateDirectory {
  const root = resolve(path);
  mkdirSync(root, { recursive: true, mode: 0o750 });
  // Members of the directory's group may go through to the socket for reading; all else in it is its owner's alone.
  if (readers !== undefined) chownSync(root, -1, readers);
  chmodSync(root, 0o750);
  const controller = join(root, "controller");
  mkdirSync(controller, { recursive: true, mode: 0o700 });
  return {
    root,
    state: join(controller, "state.sqlite"),
    flows: join(controller, "flows.duckdb"),
    signingKey: join(controller, "signing.key"),
    flowStore: join(root, "flow-store.json"),
    lock: join(controller, "lock.sqlite"),
    telemetry: join(root, "telemetry.json"),
    apiSocket: join(root, "api.sock"),
    readSocket: join(root, "read.sock"),
    agentSocket: join(root, "agent.sock"),
  };
}
