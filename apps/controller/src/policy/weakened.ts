/**
 * Going back can open what is enforced now, to audit or to nothing: nobody types a revision's number and thinks of that. It is told,
 * and has to be meant. Whoever goes back from a change that still waits to be confirmed has meant it.
 */
import { ApiFailure, type PlanAnswer } from "@bulkhead/api";
import { isDeciding } from "@bulkhead/dialects";
import type { HeldResource } from "./candidate.ts";

const SHOWN = 10;

export interface Weakening {
  readonly revision: number;
  readonly before: readonly HeldResource[];
  readonly after: readonly HeldResource[];
  readonly permitted: PlanAnswer["permitted"];
}

/** Throws ApiFailure `opens`. */
export function refuseUnmeant({ revision, before, after, permitted }: Weakening): void {
  const modes = new Map(after.map(({ stored }) => [stored.key, stored.mode]));
  const weakened = before.filter(
    ({ stored: { key, mode } }) =>
      mode === "enforce" &&
      isDeciding(key.slice(0, key.indexOf("/"))) &&
      modes.get(key) !== "enforce",
  );
  if (weakened.length === 0 || permitted.added.length === 0) return;
  const names = weakened.map(
    ({ stored: { key } }) => `\`${key}\` ${modes.has(key) ? "only audits" : "is gone"}`,
  );
  const lines = permitted.added.map(({ from, to, ports }) => `${from} → ${to} ${ports}`);
  throw new ApiFailure(
    "opens",
    `in revision ${revision} ${listed(names, ", ")}, so that going back newly allows ${listed(lines, "; ")}: nothing was changed`,
    {
      help: "`--confirm 60s` goes back and takes that back by itself unless it is confirmed; `--yes` if it is meant",
    },
  );
}

function listed(all: readonly string[], by: string): string {
  const more = all.length > SHOWN ? `${by}and ${all.length - SHOWN} more` : "";
  return `${all.slice(0, SHOWN).join(by)}${more}`;
}
