/**
 * How what is told again and again is told once: sets that remember which connections were logged lately, and chains that end
 * a packet whose kind is among them. Whatever is not logged is counted.
 */
import { BOTH } from "./family.ts";
import type { FamilyWords } from "./family.ts";
import type { TableBuilder } from "./ruleset.ts";

const each = (write: (words: FamilyWords) => string): readonly string[] => BOTH.map(write);

/** Distinct keys that a quieting set remembers; what does not fit is counted, not logged. */
export const QUIET_SIZE = 65_535;
/** A key is logged once in this time. */
export const QUIET_INTERVAL = "2s";

export type QuietName = "quiet_drop" | "quiet_reject" | "quiet_audit";

/** `ip saddr . ip daddr . …` of both families, for the sets that remember what was logged. */
export const packetKey = ({ packetSource, packetDestination }: FamilyWords, rest: string): string =>
  `${packetSource} . ${packetDestination} . meta l4proto${rest}`;

export const PORTED = "meta l4proto { 6, 17, 132 }";

/** Returns to the caller for the first packet of a key in an interval, and ends every other one with `verdict`. */
export const writeQuiet = (
  table: TableBuilder,
  name: QuietName,
  plane: "live" | "shadow",
  verdict: string,
): void => {
  const set = (kind: string, { family }: FamilyWords): string => `${plane}_${kind}${family}`;
  const seen = table.counter(`${plane}_suppressed`);
  const full = table.counter(`${plane}_overflowed`);
  const look = (words: FamilyWords, kind: string, rest: string): string =>
    `${packetKey(words, rest)} @${set(kind, words)} counter name "${seen}" ${verdict}`;
  const add = (words: FamilyWords, kind: string, rest: string): string =>
    `add @${set(kind, words)} { ${packetKey(words, rest)} } return`;
  const port = " . th dport";
  table.chain(name, [
    // An error about a denied connection is denied with it, and is no news of its own.
    ...(plane === "live"
      ? [`meta l4proto { 1, 58 } ct state related counter name "${seen}" drop`]
      : []),
    ...each((words) => `${PORTED} ${look(words, "seen", port)}`),
    ...each((words) => `${PORTED} ${add(words, "seen", port)}`),
    `${PORTED} counter name "${full}" ${verdict}`,
    ...each((words) => look(words, "seenbare", "")),
    ...each((words) => add(words, "seenbare", "")),
    `counter name "${full}" ${verdict}`,
  ]);
};

export const writeQuietSets = (table: TableBuilder, plane: "live" | "shadow"): void => {
  for (const { family, type } of BOTH) {
    for (const [kind, rest] of [
      ["seen", " . inet_service"],
      ["seenbare", ""],
    ] as const) {
      table.set({
        name: `${plane}_${kind}${family}`,
        kind: "set",
        type: `${type} . ${type} . inet_proto${rest}`,
        flags: ["dynamic", "timeout"],
        size: QUIET_SIZE,
        timeout: QUIET_INTERVAL,
      });
    }
  }
};
