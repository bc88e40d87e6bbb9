/**
 * Facts about the files that run: digest, and the package that put them there. They are for people to read, and no part of who
 * a unit is. Files are read slowly in the background, one at a time, and asked about once for as long as they stay the same.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readlinkSync, statSync, type Stats } from "node:fs";
import { open } from "node:fs/promises";
import { promisify } from "node:util";
import type { ExecutableFacts } from "@bulkhead/wire";
import { isGone, whileItIsThere } from "./vanishing.ts";

export interface Executables {
  /** What is known by now of the file that this process runs; what is not is found out for the next time. */
  of(pid: number): ExecutableFacts | undefined;
  /** Resolves when nothing is being found out any more. */
  settled(): Promise<void>;
  stop(): void;
}

export interface ExecutablesOptions {
  /** Asks the system's package manager about paths. */
  readonly packagesOf?: (paths: readonly string[]) => Promise<ReadonlyMap<string, string>>;
  readonly pauseMs?: number;
  readonly proc?: string;
}

interface Known {
  digest?: string;
  package?: string;
}

/** Larger ones are told without a digest. */
const LARGEST = 256 * 1024 * 1024;
/** 5 MB/s at most: a hundredth of a core. */
const CHUNK = 1024 * 1024;
const PAUSE_MS = 200;
const MOST_KNOWN = 4096;
const MOST_WAITING = 512;

export function createExecutables(options: ExecutablesOptions = {}): Executables {
  const { packagesOf = askDpkg, pauseMs = PAUSE_MS, proc = "/proc" } = options;
  const known = new Map<string, Known>();
  const waiting: { readonly pid: number; readonly path: string; readonly key: string }[] = [];
  let working: Promise<void> | undefined;
  const end = new AbortController();
  const { signal: ending } = end;

  const statOf = (pid: number): Stats | undefined =>
    whileItIsThere(() => statSync(`${proc}/${pid}/exe`));

  async function work(): Promise<void> {
    while (waiting.length > 0 && !ending.aborted) {
      const batch = waiting.splice(0);
      // A path says something of the file only where it is the same file from here: a container has paths of its own.
      const ours = batch.filter(
        ({ path, key }) => keyOf(whileItIsThere(() => statSync(path))) === key,
      );
      const packages = await packagesOf(ours.map(({ path }) => path));
      for (const { path, key } of ours) {
        const found = packages.get(path);
        const facts = known.get(key);
        if (found !== undefined && facts !== undefined) facts.package = found;
      }
      for (const { pid, key } of batch) {
        const digest = await digestOf(pid, key);
        const facts = known.get(key);
        if (digest !== undefined && facts !== undefined) facts.digest = digest;
      }
    }
    working = undefined;
  }

  async function digestOf(pid: number, key: string): Promise<string | undefined> {
    const stat = statOf(pid);
    if (stat === undefined || keyOf(stat) !== key || stat.size > LARGEST) return undefined;
    try {
      const file = await open(`${proc}/${pid}/exe`, "r");
      try {
        const hash = createHash("sha256");
        const chunk = Buffer.alloc(CHUNK);
        for (let left = stat.size; left > 0 && !ending.aborted;) {
          const { bytesRead } = await file.read(chunk, 0, CHUNK);
          if (bytesRead === 0) break;
          hash.update(chunk.subarray(0, bytesRead));
          left -= bytesRead;
          await new Promise((resolve) => setTimeout(resolve, pauseMs));
        }
        // Somebody wrote to it meanwhile: of that file nothing was read.
        return ending.aborted || keyOf(statOf(pid)) !== key
          ? undefined
          : `sha256:${hash.digest("hex")}`;
      } finally {
        await file.close();
      }
    } catch (error) {
      if (isGone(error)) return undefined;
      throw error;
    }
  }

  return {
    of(pid) {
      const stat = statOf(pid);
      const path = whileItIsThere(() => readlinkSync(`${proc}/${pid}/exe`));
      const key = keyOf(stat);
      if (stat === undefined || path === undefined || key === undefined) return undefined;
      if (!known.has(key) && waiting.length < MOST_WAITING && !ending.aborted) {
        if (known.size >= MOST_KNOWN) known.clear();
        known.set(key, {});
        waiting.push({ pid, path, key });
        // What cannot be read is one fact less of its process; whoever is asked for next begins anew.
        working ??= work().catch(() => {
          working = undefined;
        });
      }
      return { path, size: stat.size, ...known.get(key) };
    },
    settled: () => working ?? Promise.resolve(),
    stop() {
      end.abort();
    },
  };
}

function keyOf(stat: Stats | undefined): string | undefined {
  if (stat === undefined) return undefined;
  return `${stat.dev}:${stat.ino}:${stat.mtimeMs}:${stat.size}`;
}

/** Names of Debian packages by path; of files that no package owns nothing. Other systems have no such command. */
async function askDpkg(paths: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  if (paths.length === 0) return found;
  // Where /bin is /usr/bin, packages may know their files by either.
  const asked = new Map(
    paths.flatMap((path) =>
      [path, path.replace(/^\/usr(?=\/s?bin\/|\/lib)/, "")].map((one) => [one, path] as const),
    ),
  );
  const answer = await promisify(execFile)("dpkg-query", ["-S", ...asked.keys()], {
    timeout: 10_000,
    maxBuffer: 1 << 22,
  }).catch((error: { readonly stdout?: string }) => ({ stdout: error.stdout ?? "" }));
  return packagesIn(answer.stdout, asked);
}

/** `nginx-core: /usr/sbin/nginx`, `libc6:amd64: /lib/…`; a file of several packages names them all. */
export function packagesIn(
  text: string,
  asked: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const line of text.split("\n")) {
    const [, names = "", path = ""] = /^(\S.*?): (\/.*)$/.exec(line) ?? [];
    const wanted = asked.get(path);
    const [first = ""] = names.split(", ");
    if (wanted !== undefined && !names.startsWith("diversion by "))
      found.set(wanted, first.replace(/:.*$/, ""));
  }
  return found;
}
