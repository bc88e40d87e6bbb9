/** Answers that are written while they are found: a list of connections may be longer than any string. */
import type { Output } from "../context.ts";
import { harmless } from "../ui/style.ts";

const CHUNK = 1 << 16;

export function writeLines(out: Output, lines: Iterable<string>): void {
  let held = "";
  for (const line of lines) {
    held += line;
    if (held.length < CHUNK) continue;
    out.write(harmless(held));
    held = "";
  }
  if (held !== "") out.write(harmless(held));
}
