/** The group whose members may read without being root, by its number on this machine. */
import { readFileSync } from "node:fs";

export const READERS = "bulkhead";

/** Undefined where there is no such group. From the file (group(5)): packages make system groups there, and Node asks no other. */
export function readersGroup(file = "/etc/group"): number | undefined {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  for (const line of text.split("\n")) {
    const [name, , number = ""] = line.split(":");
    if (name === READERS && /^\d+$/.test(number)) return Number(number);
  }
  return undefined;
}
