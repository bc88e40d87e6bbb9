/** Where the command line keeps its part of the state directory, and where the programs it starts are. */
import { existsSync, mkdirSync, readdirSync, realpathSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const APPS = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "..");

export const PARTS = ["controller", "agent"] as const;
export type Part = (typeof PARTS)[number];

export const programs: Readonly<Record<Part | "supervisor", string>> = {
  controller: join(APPS, "controller", "src", "main.ts"),
  agent: join(APPS, "agent", "src", "main.ts"),
  supervisor: join(APPS, "cli", "src", "supervisor.ts"),
};

/** Flags every program of ours runs with: a small young generation, for they rest most of the time (`docs/speed.md`). */
export const nodeFlags = ["--disable-warning=ExperimentalWarning", "--max-semi-space-size=2"];

/** Compiled code kept between runs; inside the installation, since whoever may write there may change the code anyway. */
export const compileCache = join(APPS, "..", "node_modules", ".cache", "bulkhead");

export interface Layout {
  readonly root: string;
  readonly run: string;
  readonly log: string;
  readonly apiSocket: string;
  mark(name: Part | "supervisor"): string;
  /** Tells which network namespace may hold rules of ours, until `down` has taken them out. */
  readonly guarded: string;
  logFile(name: Part | "supervisor"): string;
  /** Where flows go, as `up` was told. */
  readonly flowStore: string;
  /** Where metrics go, as `up` was told. */
  readonly telemetry: string;
}

export function layoutOf(state: string): Layout {
  const root = resolve(state);
  return {
    root,
    run: join(root, "run"),
    log: join(root, "log"),
    apiSocket: join(root, "api.sock"),
    mark: (name) => join(root, "run", `${name}.pid`),
    guarded: join(root, "run", "guarded"),
    flowStore: join(root, "flow-store.json"),
    telemetry: join(root, "telemetry.json"),
    logFile: (name) => join(root, "log", `${name}.log`),
  };
}

/**
 * Makes a directory and those above it. Not Node's own `recursive`: where a file system refuses with ENOENT although the
 * parent is there, as /proc does, that never ends.
 */
export function makeDirectory(path: string): void {
  if (existsSync(path)) return;
  const parent = dirname(path);
  if (parent !== path) makeDirectory(parent);
  mkdirSync(path, { mode: 0o750 });
}

/**
 * The directory on the way to `root`, or `root` itself, that somebody other than root or this user could replace: keys and
 * sockets in it would be theirs. Undefined when there is none.
 */
export function strangersDirectory(root: string): string | undefined {
  const mine = [0, process.geteuid?.() ?? 0];
  const own = realpathSync(root);
  for (let path = own; ; path = dirname(path)) {
    const { uid, mode } = statSync(path);
    // In a sticky directory such as /tmp, entries are their owners'.
    const sticky = path !== own && (mode & 0o1000) !== 0;
    if (!mine.includes(uid) || ((mode & 0o002) !== 0 && !sticky)) return path;
    if (dirname(path) === path) return undefined;
  }
}

/** A directory with this file in it is ours to use and to purge; `/var` named by mistake is not. */
const MARKER = "bulkhead-state";

/** What is ours in a state directory. */
export const OURS = [
  MARKER,
  "controller",
  "agent",
  "run",
  "log",
  "api.sock",
  "read.sock",
  "agent.sock",
  "flow-store.json",
  "telemetry.json",
];

export function isStateDirectory(root: string): boolean {
  return existsSync(join(root, MARKER));
}

/** Claims an empty directory, or one that holds nothing but our own; false when it belongs to somebody else. */
export function claimStateDirectory(root: string): boolean {
  if (!statSync(root).isDirectory()) return false;
  if (isStateDirectory(root)) return true;
  if (readdirSync(root).some((name) => !OURS.includes(name))) return false;
  writeFileSync(
    join(root, MARKER),
    "This directory belongs to Bulkhead; `bulkhead down --purge` removes it.\n",
  );
  return true;
}
