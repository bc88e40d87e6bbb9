/**
 * What this person was last shown by `suggest`, so that the next time it can tell what is new. It is kept in the person's own
 * home, one file for each state directory: two people never disturb each other, and the controller need not know who asks.
 */
import { createHash, randomBytes } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { userInfo } from "node:os";
import { dirname, join, resolve } from "node:path";
import { z } from "zod";

const memorySchema = z.object({ at: z.number(), links: z.array(z.string()) });

export interface Memory {
  /** When it was shown, milliseconds since the epoch. */
  readonly at: number;
  /** Digests of the links that were shown. */
  readonly links: ReadonlySet<string>;
}

export interface Person {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly state: string;
}

export function digestOf(link: string): string {
  return createHash("sha256").update(link).digest("hex").slice(0, 16);
}

/** Undefined where there is no home to keep it in. */
export function memoryFile({ env, state }: Person): string | undefined {
  const { SUDO_USER: behind, HOME: home, XDG_STATE_HOME: states } = env;
  // Behind sudo HOME may be the person's own, where root has no business to leave files: root's home, under the person's name.
  const base =
    behind === undefined || behind === ""
      ? states || (home && join(home, ".local", "state"))
      : join(userInfo().homedir, ".local", "state");
  if (base === undefined || base === "") return undefined;
  const who = digestOf(JSON.stringify([resolve(state), behind ?? ""]));
  return join(base, "bulkhead", `suggest-${who}.json`);
}

/** Null when nothing was shown yet, or when what is there cannot be read as what we wrote. */
export async function recall(file: string): Promise<Memory | null> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  const parsed = memorySchema.safeParse(value);
  return parsed.success ? { at: parsed.data.at, links: new Set(parsed.data.links) } : null;
}

/** Whole or not at all: a second window of the same person may write at the same moment. */
export async function remember(file: string, { at, links }: Memory): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const fresh = `${file}.${randomBytes(4).toString("hex")}`;
  await writeFile(fresh, JSON.stringify({ at, links: [...links].toSorted() }), { mode: 0o600 });
  await rename(fresh, file);
}
