// Holds a set of source files against the table of rooms and returns every breach, each with its
// place and the reason of the rule it breaks.
import { posix } from "node:path";
import { freeFolders, rooms, type RoomRule } from "./rooms.ts";
import { scan } from "./scan.ts";

export type SourceFile = { readonly path: string; readonly text: string };

/** Names of the packages that each room's package.json declares, by folder. */
export type Declared = Readonly<Record<string, readonly string[]>>;

const scope = "@bulkhead/";

function roomOf(path: string): string {
  const [first = "", second = ""] = path.split("/");
  return freeFolders.includes(first) ? first : `${first}/${second}`;
}

function folderOf(roomName: string): string | undefined {
  return Object.keys(rooms).find((folder) => folder.endsWith(`/${roomName}`));
}

/** Every room that can be reached from `folder` through what the table allows. */
export function reachable(
  folder: string,
  edges: Readonly<Record<string, ReadonlySet<string>>>,
): ReadonlySet<string> {
  const seen = new Set<string>();
  const queue = [...(edges[folder] ?? [])];
  for (const next of queue) {
    if (seen.has(next)) continue;
    seen.add(next);
    queue.push(...(edges[next] ?? []));
  }
  return seen;
}

function packageName(specifier: string): string {
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}

function checkSpecifier(
  file: string,
  folder: string,
  rule: RoomRule,
  specifier: string,
  declared: Declared,
  isTest: boolean,
): string | undefined {
  if (specifier.startsWith(".")) {
    const target = posix.join(posix.dirname(file), specifier);
    if (target.startsWith(`${folder}/`)) return undefined;
    // The catalogues in spec/ belong to every room; they are data, and import nothing.
    if (target.startsWith("spec/") && target.endsWith(".json")) return undefined;
    // Tests may share their helpers and read what lies beside the rooms, but no room's insides.
    if (isTest && freeFolders.includes(target.split("/")[0] ?? "")) return undefined;
    return `reaches out of its room by a path (${specifier}): import the other room by name`;
  }
  if (specifier.startsWith("node:")) {
    return rule.pure && !isTest ? `imports ${specifier}, and the room is pure` : undefined;
  }
  const name = packageName(specifier);
  if (!isTest && !(declared[folder] ?? []).includes(name)) {
    return `imports ${name}, which its package.json does not declare`;
  }
  if (!specifier.startsWith(scope)) return undefined;
  const room = name.slice(scope.length);
  const target = folderOf(room);
  if (isTest) {
    const strangerApp = target?.startsWith("apps/") === true && target !== folder;
    return strangerApp && !rule.mayImport.includes(room)
      ? `tests import the app ${name}`
      : undefined;
  }
  return rule.mayImport.includes(room) ? undefined : `imports ${name}`;
}

function checkFile(
  source: SourceFile,
  declared: Declared,
  edges: Record<string, Set<string>>,
): readonly string[] {
  const folder = roomOf(source.path);
  if (freeFolders.includes(folder)) return [];
  const rule = rooms[folder];
  if (rule === undefined) return [`${source.path}: ${folder} is not in the table of rooms`];
  const isTest = !source.path.startsWith(`${folder}/src/`);
  const { imports, impure } = scan(source.path, source.text);
  const breaches: string[] = [];
  const report = (line: number, what: string): void => {
    breaches.push(`${source.path}:${line}: ${what} (${rule.why})`);
  };
  for (const { specifier, line } of imports) {
    if (specifier === undefined) {
      if (rule.pure && !isTest) report(line, "imports something computed, and the room is pure");
      continue;
    }
    const breach = checkSpecifier(source.path, folder, rule, specifier, declared, isTest);
    if (breach !== undefined) report(line, breach);
    const target = specifier.startsWith(scope)
      ? folderOf(packageName(specifier).slice(scope.length))
      : undefined;
    if (target !== undefined && !isTest) (edges[folder] ??= new Set()).add(target);
  }
  if (rule.pure && !isTest) {
    for (const { what, line } of impure) report(line, `uses ${what}, and the room is pure`);
  }
  return breaches;
}

export function check(sources: readonly SourceFile[], declared: Declared): readonly string[] {
  const edges: Record<string, Set<string>> = {};
  const breaches = sources.flatMap((source) => checkFile(source, declared, edges));
  for (const [folder, rule] of Object.entries(rooms)) {
    const reached = reachable(folder, edges);
    for (const forbidden of rule.neverReaches ?? []) {
      const target = folderOf(forbidden);
      if (target !== undefined && reached.has(target)) {
        breaches.push(`${folder}: reaches ${target} through other rooms (${rule.why})`);
      }
    }
  }
  return breaches;
}
