/** The last lines of the logs, for a person who has to find out why: messages of pino's JSON lines, others as they are. */
import { readFileSync } from "node:fs";
import { PARTS, type Layout } from "./layout.ts";
import { isNotFound } from "./marks.ts";

const LINES = 5;
/** pino's level of a warning; what is milder does not tell why something failed. */
const WARNING = 40;

export function lastWords(layout: Layout): string {
  return (["supervisor", ...PARTS] as const)
    .flatMap((name) => {
      const lines = readLines(layout.logFile(name)).flatMap(wordsOf).slice(-LINES);
      const distinct = lines.filter((line, index) => line !== lines[index - 1]);
      return distinct.length === 0
        ? []
        : [`${layout.logFile(name)}:`, ...distinct.map((line) => `  ${line}`)];
    })
    .join("\n");
}

export function wordsOf(line: string): readonly string[] {
  if (line.trim() === "") return [];
  if (!line.startsWith("{")) return [line];
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return [line]; // cut short by the end of its writer: still better than nothing
  }
  const { level, msg } = value as { readonly level?: unknown; readonly msg?: unknown };
  return typeof level === "number" && level >= WARNING && typeof msg === "string" ? [msg] : [];
}

function readLines(path: string): readonly string[] {
  try {
    return readFileSync(path, "utf8").split("\n").slice(-200);
  } catch (error) {
    if (isNotFound(error)) return [];
    throw error;
  }
}
