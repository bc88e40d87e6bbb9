/**
 * Up to when connections are known to the controller, over restarts of the agent: those under way that began before are no
 * news to the next one. Losing it tells some twice, never too few; hence no more care than an atomic rename.
 */
import { renameSync, writeFileSync } from "node:fs";
import { readIfThere } from "./agent-directory.ts";

export interface ToldUntil {
  /** Milliseconds since the epoch; 0 when nothing was told yet. */
  readonly before: number;
  note(until: number): void;
}

export function openToldUntil(path: string): ToldUntil {
  return {
    before: numberIn(readIfThere(path)?.toString("utf8") ?? "0"),
    note(until) {
      writeFileSync(`${path}.new`, String(until), { mode: 0o600 });
      renameSync(`${path}.new`, path);
    },
  };
}

const numberIn = (text: string): number => {
  const number = Number(text);
  return Number.isFinite(number) ? number : 0;
};
