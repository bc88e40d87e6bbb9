/** Which of the controller's sockets is for whom calls: the one for changes when they may use it, else the one for reading. */
import { accessSync, constants } from "node:fs";
import { join } from "node:path";

export function socketOf(state: string): string {
  const all = join(state, "api.sock");
  const reading = join(state, "read.sock");
  // Root may use both; while a controller starts, the one for reading may be there first.
  if (process.geteuid?.() === 0 || usable(all)) return all;
  // Where neither can be used, the refusal shall name the one that is meant for others.
  return reading;
}

function usable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false; // absent or forbidden: the answer either way
  }
}
