/**
 * Entries of a configuration file, whatever its form: `key = value`, `key: value`, `export KEY=value`, JSON a line, and words as
 * nginx has them. Keys get the names of what they stand in, by section or by indentation. It finds what looks like an entry; it
 * is no parser of any of these forms, and a file that it does not understand yields nothing.
 */
import type { ConfigurationEntry } from "./configured-destination.ts";

const MOST_LINES = 5000;
const LONGEST_LINE = 2048;
const COMMENT = /^\s*(?:#|;|\/\/|--|!)/;
const SECTION = /^\s*\[{1,2}\s*([\w.:-]{1,128})\s*\]{1,2}\s*(?:[#;].*)?$/;
const ENTRY = /^(\s*)(?:-\s+)?(?:export\s+)?["']?([A-Za-z_][\w.-]{0,127})["']?\s*(?:[=:]|=>)(.*)$/;
const OPENING = /^(?:\{|\[|[|>][+-]?\d?|)$/;
/** `proxy_pass http://app:8080;` */
const DIRECTIVE =
  /^\s*(?:proxy_pass|grpc_pass|server|upstream|target|endpoint|url|uri)\s+([a-z][a-z0-9+.-]{1,30}:\/\/[^\s;]+);?\s*$/i;

/** `place` of each: `line 12`. */
export function linesOf(text: string): readonly ConfigurationEntry[] {
  const entries: ConfigurationEntry[] = [];
  const above: { readonly indent: number; readonly name: string }[] = [];
  let section = "";
  for (const [at, line] of text.split(/\r?\n/, MOST_LINES).entries()) {
    if (line.length > LONGEST_LINE || COMMENT.test(line)) continue;
    const place = `line ${at + 1}`;
    const heading = SECTION.exec(line)?.[1];
    if (heading !== undefined) {
      section = heading;
      above.length = 0;
      continue;
    }
    const directive = DIRECTIVE.exec(line);
    if (directive !== null) {
      entries.push({ name: "url", value: directive[1]!, place });
      continue;
    }
    const [, space = "", key, behind = ""] = ENTRY.exec(line) ?? [];
    if (key === undefined) continue;
    // Taken apart by hand: a pattern that may give spaces to either of two places tries all of them.
    const written = behind.trim();
    const rest = written.endsWith(",") ? written.slice(0, -1).trimEnd() : written;
    while (above.length > 0 && above.at(-1)!.indent >= space.length) above.pop();
    if (OPENING.test(rest)) {
      above.push({ indent: space.length, name: key });
      continue;
    }
    const name = [section, ...above.map((one) => one.name), key]
      .filter((one) => one !== "")
      .join(".");
    // Behind a value of one word a comment may stand; in longer ones the same signs may belong to a password.
    const value = /^([^\s"'=]+)\s+[#;](?:\s[^@]*)?$/.exec(rest)?.[1] ?? rest;
    entries.push({ name, value, place });
  }
  return entries;
}
