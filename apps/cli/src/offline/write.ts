/** Answers that are written while they are found: a list of connections may be longer than any string. */
import type { Output } from "../context.ts";
import { writeOut } from "../lines.ts";
import { harmless } from "../ui/style.ts";

const CHUNK = 1 << 16;

/** No faster than they are read: what waits to be taken is held in memory, and by the kernel not without bounds. */
export async function writeLines(out: Output, lines: Iterable<string>): Promise<void> {
  let held = "";
  for (const line of lines) {
    held += line;
    if (held.length < CHUNK) continue;
    await writeOut(out, harmless(held));
    held = "";
  }
  if (held !== "") await writeOut(out, harmless(held));
}
