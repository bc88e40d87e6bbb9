/** `--limit NAME=VALUE`: how much of somebody's files is read before it is called too much. */
import { TEXT_LIMITS, type TextLimits } from "@bulkhead/dialects";
import { badInput } from "../failure.ts";
import type { InputLimits } from "../input.ts";
import { nearest } from "../ui/spell.ts";

export interface OfflineLimits {
  readonly input: InputLimits;
  readonly text: TextLimits;
}

const OPTION = "--limit";
/** Whoever names a folder of manifests means all of it. */
const USUAL = {
  files: 50_000,
  "file-size": 100_000_000,
  depth: TEXT_LIMITS.depth,
  aliases: TEXT_LIMITS.aliasedNodes,
  "yaml-size": TEXT_LIMITS.yamlSize,
};
/** What is read goes down so deep, too, and a stack is not without end. */
const DEEPEST = 1000;
type Name = keyof typeof USUAL;
export const LIMIT_NAMES = Object.keys(USUAL) as readonly Name[];
const UNITS: Readonly<Record<string, number>> = { "": 1, k: 1e3, M: 1e6, G: 1e9 };

export function parseLimits(given: readonly string[]): OfflineLimits {
  const limits: Record<Name, number> = { ...USUAL };
  for (const text of given) {
    const [name = "", value = ""] = text.split("=", 2);
    const known = LIMIT_NAMES.find((one) => one === name);
    if (known === undefined) {
      const near = nearest(name, LIMIT_NAMES);
      throw badInput(
        `no limit is called \`${name}\``,
        near === undefined ? `they are ${LIMIT_NAMES.join(", ")}` : `did you mean \`${near}\`?`,
      );
    }
    const [, digits, unit] = /^(\d{1,12})([kMG]?)B?$/.exec(value) ?? [];
    const size = Number(digits) * (UNITS[unit ?? ""] ?? Number.NaN);
    if (!(size > 0)) {
      throw badInput(`\`${text}\` is no limit`, `for example ${OPTION} ${known}=${USUAL[known]}`);
    }
    if (known === "depth" && size > DEEPEST) {
      throw badInput(`\`${text}\` is deeper than anybody can read`, `at most ${DEEPEST}`);
    }
    limits[known] = size;
  }
  return {
    input: { files: limits.files, fileSize: limits["file-size"], option: OPTION },
    text: {
      depth: limits.depth,
      aliasedNodes: limits.aliases,
      yamlSize: limits["yaml-size"],
      option: OPTION,
    },
  };
}
