/**
 * Connection tracking counts bytes, start times and endings only where it is told to. The collector switches that on in the
 * agent's network namespace and puts back what it found, even if the agent was killed in between: the found
 * values are written to a file before the first change, and a file that is already there wins over what is read now.
 */
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";

const FOLDER = "/proc/sys/net/netfilter";
const WANTED = {
  nf_conntrack_acct: "1",
  nf_conntrack_timestamp: "1",
  nf_conntrack_events: "1",
} as const;
type Setting = keyof typeof WANTED;
const SETTINGS = Object.keys(WANTED) as Setting[];

export interface Accounting {
  /** What was found before the first change. */
  readonly previous: Readonly<Record<Setting, string>>;
  /** Settings that could not be changed (read-only /proc/sys in a container), with the reason. */
  readonly refused: readonly string[];
  /** Puts back what was found and removes the file. */
  restore(): void;
}

/** Puts back what a killed agent found before its first change, if it left a note. In the network namespace of the calling thread. */
export function restoreAccounting(rememberedIn: string): void {
  const previous = remembered(rememberedIn);
  if (previous !== undefined) writeBack(previous);
  rmSync(rememberedIn, { force: true });
}

/** Synchronous on purpose: /proc/sys/net shows the network namespace of the calling thread. */
export function switchOnAccounting(rememberIn?: string): Accounting {
  const previous = (rememberIn === undefined ? undefined : remembered(rememberIn)) ?? readAll();
  if (rememberIn !== undefined) {
    const temporary = `${rememberIn}.new`;
    writeFileSync(temporary, `${JSON.stringify(previous)}\n`, { mode: 0o600 });
    renameSync(temporary, rememberIn);
  }
  const refused: string[] = [];
  for (const setting of SETTINGS) {
    try {
      writeFileSync(`${FOLDER}/${setting}`, WANTED[setting]);
    } catch (error) {
      refused.push(`${setting}: ${(error as Error).message}`);
    }
  }
  return {
    previous,
    refused,
    restore() {
      writeBack(previous);
      if (rememberIn !== undefined) rmSync(rememberIn, { force: true });
    },
  };
}

function writeBack(previous: Readonly<Record<Setting, string>>): void {
  for (const setting of SETTINGS) {
    const current = readFileSync(`${FOLDER}/${setting}`, "utf8").trim();
    if (current !== previous[setting]) writeFileSync(`${FOLDER}/${setting}`, previous[setting]);
  }
}

function readAll(): Record<Setting, string> {
  const read = (setting: Setting) => readFileSync(`${FOLDER}/${setting}`, "utf8").trim();
  return {
    nf_conntrack_acct: read("nf_conntrack_acct"),
    nf_conntrack_timestamp: read("nf_conntrack_timestamp"),
    nf_conntrack_events: read("nf_conntrack_events"),
  };
}

/** The values an earlier run wrote down; undefined when there are none, or when the file was cut short. */
function remembered(file: string): Record<Setting, string> | undefined {
  if (!existsSync(file)) return undefined;
  try {
    const value = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
    if (
      !SETTINGS.every(
        (setting) => typeof value[setting] === "string" && /^\d+$/.test(value[setting]),
      )
    )
      return undefined;
    return value as Record<Setting, string>;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
