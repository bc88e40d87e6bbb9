/** Where everything of one Bulkhead lies, and with which permissions: the directory is its owner's alone. */
import { chmodSync, mkdirSync } from "node:fs";
import { join, resolve } from "node:path";

export const DEFAULT_STATE = "/var/lib/bulkhead";

export interface StateDirectory {
  readonly root: string;
  readonly state: string;
  readonly flows: string;
  readonly signingKey: string;
  readonly apiSocket: string;
  readonly agentSocket: string;
}

export function openStateDirectory(path: string): StateDirectory {
  const root = resolve(path);
  mkdirSync(root, { recursive: true, mode: 0o750 });
  // Members of the directory's group may reach the API socket; keys and data stay with the owner.
  chmodSync(root, 0o750);
  const controller = join(root, "controller");
  mkdirSync(controller, { recursive: true, mode: 0o700 });
  return {
    root,
    state: join(controller, "state.sqlite"),
    flows: join(controller, "flows.duckdb"),
    signingKey: join(controller, "signing.key"),
    apiSocket: join(root, "api.sock"),
    agentSocket: join(root, "agent.sock"),
  };
}
