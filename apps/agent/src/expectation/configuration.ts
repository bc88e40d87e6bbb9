/**
 * Whom workloads are configured to call: environment and arguments of their processes, and files that those name. It is read
 * only where somebody allowed it, and nothing but host, port, scheme and the place leaves this file: a value is gone when its
 * function returns.
 */
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readlinkSync,
  readSync,
  statSync,
  type Stats,
} from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import {
  destinationsIn,
  linesOf,
  type ConfigurationEntry,
  type ConfiguredDestination,
} from "@bulkhead/model";
import type { ConfigurationSource, FoundDependency } from "@bulkhead/wire";
import { isGone, whileItIsThere } from "../discovery/index.ts";

/** Somebody's processes. */
export interface ConfiguredOwner {
  readonly owner: FoundDependency["owner"];
  readonly pids: readonly number[];
}

const LARGEST_ENVIRONMENT = 128 * 1024;
const LARGEST_FILE = 256 * 1024;
/** Of one workload. */
const MOST_PROCESSES = 16;
const MOST_FILES = 8;
const MOST_OF_ONE = 64;
/** Of the machine. */
const MOST = 2000;

const CONFIGURATION_FILE = /\.(?:conf|cfg|cnf|ini|ya?ml|json|toml|properties|env)$/i;
/** In a process's working folder. */
const WELL_KNOWN = [
  ".env",
  "application.properties",
  "application.yml",
  "application.yaml",
  "config.json",
  "config.toml",
  "config.yaml",
  "config.yml",
];

export function readConfiguration(
  owners: readonly ConfiguredOwner[],
  sources: readonly ConfigurationSource[],
  proc = "/proc",
): readonly FoundDependency[] {
  if (sources.length === 0) return [];
  const found: (readonly FoundDependency[])[] = [];
  for (const { owner, pids } of owners) {
    const own = new Map<string, FoundDependency>();
    const files = new Set<string>();
    const note = (
      list: readonly ConfiguredDestination[],
      place: (entry: string) => string,
    ): void => {
      for (const { entry, ...where } of list) {
        const told = place(entry);
        const key = `${where.host} ${where.port ?? ""} ${told}`;
        if (own.size < MOST_OF_ONE && !own.has(key)) own.set(key, { owner, ...where, place: told });
      }
    };
    for (const pid of pids.slice(0, MOST_PROCESSES)) {
      const at = `${proc}/${pid}`;
      if (sources.includes("environment")) {
        note(destinationsIn(environmentOf(at)), (entry) => `environment ${plainName(entry)}`);
      }
      const words = sources.length === 1 && sources[0] === "environment" ? [] : wordsOf(at);
      if (sources.includes("arguments")) {
        note(destinationsIn(argumentsIn(words)), (entry) => `argument ${plainName(entry)}`);
      }
      if (!sources.includes("files")) continue;
      for (const path of filesOf(at, words)) {
        if (files.size >= MOST_FILES || files.has(path)) continue;
        files.add(path);
        note(destinationsIn(linesOf(textOf(at, path))), (entry) => `${plainName(path)} ${entry}`);
      }
    }
    found.push([...own.values()]);
  }
  return inTurns(found);
}

/** Of each owner in turn: whoever starts many processes with long lists must not push others' out of sight. */
export function inTurns(
  found: readonly (readonly FoundDependency[])[],
): readonly FoundDependency[] {
  const all = found.flat();
  if (all.length <= MOST) return all;
  return Array.from({ length: MOST_OF_ONE }, (_, at) => found.flatMap((own) => own[at] ?? []))
    .flat()
    .slice(0, MOST);
}

/** A name is somebody's to choose: it stands in tables and on terminals. */
const plainName = (name: string): string =>
  /^[\w./@:-]{1,200}$/.test(name) ? name : "of a name that cannot be told";

function environmentOf(at: string): readonly ConfigurationEntry[] {
  return readBounded(`${at}/environ`, LARGEST_ENVIRONMENT)
    .split("\0")
    .flatMap((line) => {
      const equals = line.indexOf("=");
      return equals < 1 ? [] : [{ name: line.slice(0, equals), value: line.slice(equals + 1) }];
    });
}

const wordsOf = (at: string): readonly string[] =>
  readBounded(`${at}/cmdline`, LARGEST_ENVIRONMENT).split("\0").slice(0, 256);

/** `--db-host=db`, `--db-host db`, `-Dspring.datasource.url=…`; a word by itself only where it is a URL. */
export function argumentsIn(words: readonly string[]): readonly ConfigurationEntry[] {
  return words.slice(1).flatMap((word, at): ConfigurationEntry[] => {
    const [, name, value] = /^-{1,2}(?:D(?=\w+\.))?([A-Za-z][\w.-]*)=(.*)$/s.exec(word) ?? [];
    if (name !== undefined && value !== undefined) return [{ name, value }];
    const flag = /^--([A-Za-z][\w.-]*)$/.exec(word)?.[1];
    const next = words[at + 2];
    if (flag !== undefined && next !== undefined && !next.startsWith("-"))
      return [{ name: flag, value: next }];
    const before = words[at];
    const isValue =
      at > 0 && before !== undefined && /^--?[A-Za-z]/.test(before) && !before.includes("=");
    return !isValue && /^(?:jdbc:[a-z]+:|[a-z][a-z0-9+.-]+:\/\/)/i.test(word)
      ? [{ name: "url", value: word, place: `${at + 1}` }]
      : [];
  });
}

/** Those that its arguments name, and those of known names where it stands. */
function filesOf(at: string, words: readonly string[]): readonly string[] {
  // Paths within another root, a container's, may lead anywhere on ours.
  const root = whileItIsThere(() => statSync(`${at}/root`));
  const ours = statSync("/");
  if (root === undefined || root.dev !== ours.dev || root.ino !== ours.ino) return [];
  const cwd = whileItIsThere(() => readlinkSync(`${at}/cwd`));
  const named = words.slice(1).map((word) => word.replace(/^--?[\w.-]+=/, ""));
  const inFolder =
    cwd === undefined || cwd === "/" ? [] : WELL_KNOWN.map((name) => join(cwd, name));
  return [
    ...named.filter((path) => isAbsolute(path) && CONFIGURATION_FILE.test(path)),
    ...inFolder,
  ];
}

/** Only what its process may read itself: else a user could have us look into other people's files. */
function textOf(at: string, path: string): string {
  const user = userOf(at);
  if (user === undefined) return "";
  return readBounded(path, LARGEST_FILE, (file, place) => {
    if (!may(user, file, READ)) return false;
    // Where it lies after all links on the way: behind folders that are closed to its process nothing is its to read.
    for (let folder = dirname(place); ; folder = dirname(folder)) {
      if (!may(user, statSync(folder), SEARCH)) return false;
      if (folder === "/") return true;
    }
  });
}

/** Bits of a mode. */
const [READ, SEARCH] = [4, 1] as const;

type User = Pick<Stats, "uid" | "gid">;

/** By the mode alone; further groups of a process do not count. */
function may({ uid, gid }: User, of: Stats, right: typeof READ | typeof SEARCH): boolean {
  if (uid === 0) return true;
  const shift = of.uid === uid ? 6 : of.gid === gid ? 3 : 0;
  return ((of.mode >> shift) & right) !== 0;
}

/** Who started it: a program that is root's by its file (`sudo`) has its caller's arguments. */
function userOf(at: string): User | undefined {
  const text = readBounded(`${at}/status`, LARGEST_FILE);
  const [uid, gid] = ["Uid", "Gid"].map((key) =>
    new RegExp(`^${key}:\\s+(\\d+)\\s`, "m").exec(text)?.at(1),
  );
  return uid === undefined || gid === undefined
    ? undefined
    : { uid: Number(uid), gid: Number(gid) };
}

/** Empty when it has gone, may not be read, is no file, or is larger than that. */
function readBounded(
  path: string,
  most: number,
  allowed: (file: Stats, place: string) => boolean = () => true,
): string {
  let file: number;
  try {
    // A pipe or a device must not keep us waiting, nor a link lead us elsewhere.
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  } catch (error) {
    if (error instanceof Error && "code" in error) return "";
    throw error;
  }
  try {
    const found = fstatSync(file);
    const place = (): string => readlinkSync(`/proc/self/fd/${file}`);
    if (!found.isFile() || found.size > most || !allowed(found, place())) return "";
    const buffer = Buffer.alloc(most + 1);
    let length = 0;
    for (let read = -1; read !== 0 && length < buffer.length; length += read) {
      read = readSync(file, buffer, length, buffer.length - length, null);
    }
    return length > most ? "" : buffer.toString("utf8", 0, length);
  } catch (error) {
    // Its process ended while it was read.
    if (isGone(error)) return "";
    throw error;
  } finally {
    closeSync(file);
  }
}

/** Processes by the number of their network namespace, for those that are asked for. */
export function pidsByNetns(
  wanted: ReadonlySet<string>,
  pids: readonly number[],
  proc = "/proc",
): ReadonlyMap<string, readonly number[]> {
  const found = new Map<string, number[]>();
  for (const pid of pids) {
    const netns = whileItIsThere(() => readlinkSync(`${proc}/${pid}/ns/net`));
    if (netns === undefined || !wanted.has(netns)) continue;
    const list = found.get(netns) ?? [];
    if (list.length < MOST_PROCESSES) list.push(pid);
    found.set(netns, list);
  }
  return found;
}
