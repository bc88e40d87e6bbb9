/** `--exclude-window FROM..TO`: a span of time that is not to be learned from. */
import type { TimeWindow } from "@bulkhead/learn";
import { parseMoment } from "../arguments.ts";
import { badInput } from "../failure.ts";

const EXAMPLE = "write it like 3h..1h, or 2026-03-31T17:00..2026-03-31T19:30";

export function parseWindow(text: string, now: number): TimeWindow {
  const parts = text.split("..");
  const [first = "", last = ""] = parts;
  if (parts.length !== 2 || first === "" || last === "") {
    throw badInput(`\`--exclude-window ${text}\` is not a span of time`, EXAMPLE);
  }
  const from = parseMoment(first, now);
  const to = parseMoment(last, now);
  if (from >= to) {
    throw badInput(`\`--exclude-window ${text}\` ends before it begins`, EXAMPLE);
  }
  return { from, to };
}
