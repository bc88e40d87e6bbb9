/** Where the agent keeps what must outlive it: its key, the pinned key of its controller, the last policy it was given. */
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";

export interface AgentDirectory {
  readonly root: string;
  readonly hostKey: string;
  readonly controllerKey: string;
  readonly policy: string;
  readonly accounting: string;
  readonly selfTest: string;
  readonly told: string;
  readonly groups: string;
  readonly socket: string;
}

export function openAgentDirectory(state: string): AgentDirectory {
  const root = join(resolve(state), "agent");
  mkdirSync(root, { recursive: true, mode: 0o700 });
  return {
    root,
    hostKey: join(root, "host.key"),
    controllerKey: join(root, "controller.pub"),
    policy: join(root, "policy.json"),
    accounting: join(root, "accounting.json"),
    selfTest: join(root, "self-test.json"),
    told: join(root, "told.json"),
    groups: join(root, "groups.json"),
    socket: join(resolve(state), "agent.sock"),
  };
}

/** Replaces a file whole or not at all, also when the machine loses power in between. */
export function writeDurably(path: string, content: string | Uint8Array, mode: number): void {
  const temporary = `${path}.new`;
  const file = openSync(temporary, "w", mode);
  try {
    const bytes = typeof content === "string" ? Buffer.from(content) : content;
    for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
  const folder = openSync(dirname(path), "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

export function readIfThere(path: string): Buffer | null {
  return existsSync(path) ? readFileSync(path) : null;
}
