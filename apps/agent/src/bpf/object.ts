/**
 * Compiled objects (`bpf/objects/*.o`) into the kernel: maps created or taken over from an earlier load, programs fitted to
 * this kernel and verified. All or nothing: when one program is refused, nothing of the object stays, save pins that were there.
 */
import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { libc } from "../kernel/index.ts";
import { libbpf, type Libbpf, type Native } from "./libbpf.ts";
import { BpfLoadError } from "./load-error.ts";
import { mapOf, type BpfMap } from "./map.ts";
import { ATTACH_KIND, mapKindName, PROGRAM_KIND } from "./numbers.ts";
import { openPinnedMap, pin, unpin } from "./pins.ts";
import { programOf, type BpfProgram } from "./program.ts";

export interface MapWish {
  /** Instead of what the source says. */
  readonly maxEntries?: number;
  /** This one instead of a new one; its shape must be the declared one. */
  readonly reuse?: BpfMap;
  /** For a map of maps declared without the shape of those inside. */
  readonly inner?: BpfMap;
}

export interface LoadOptions {
  readonly file: string;
  /** By the name in the source. */
  readonly maps?: Readonly<Record<string, MapWish>>;
  /** A folder in a bpffs: maps pinned there under their names are taken over, new ones are pinned there. */
  readonly pins?: string;
  /** Only these programs, by the name of the function; all of them otherwise. */
  readonly programs?: readonly string[];
}

export interface BpfObject {
  /** Throws when the object has none of that name. Closed by `close`. */
  map(name: string): BpfMap;
  program(name: string): BpfProgram;
  readonly maps: ReadonlyMap<string, BpfMap>;
  readonly programs: ReadonlyMap<string, BpfProgram>;
  /** Gives back all descriptors; what is pinned or attached stays. */
  close(): void;
}

/** Where a shipped object lies: `shippedObject("netfilter")`. */
export const shippedObject = (name: string): string =>
  fileURLToPath(new URL(`../../../../bpf/objects/${name}.o`, import.meta.url));

/**
 * Throws `BpfLoadError` with what libbpf and the verifier say, `MapDiffersError` when a pinned or given map has another
 * shape, `KernelError` for pins.
 */
export function loadObject(options: LoadOptions): BpfObject {
  const lib = libbpf();
  const what = basename(options.file);
  const { result: object, said } = lib.listening(() => lib.open(options.file, null));
  if (object === null) throw new BpfLoadError(what, lib.errno(), said);
  const taken: BpfMap[] = [];
  try {
    choosePrograms(lib, object, options);
    fitMaps(lib, object, options, taken);
    const { result, said } = lib.listening(() => lib.load(object));
    if (result < 0) throw new BpfLoadError(what, -result, said);
    return handlesOf(lib, object, options);
  } finally {
    for (const map of taken) map.close();
    lib.close(object);
  }
}

function* each(
  next: (object: Native, previous: Native | null) => Native | null,
  object: Native,
): Generator<Native> {
  for (let at = next(object, null); at !== null; at = next(object, at)) yield at;
}

function unknownNames(wanted: readonly string[], there: readonly string[], what: string): void {
  const unknown = wanted.filter((name) => !there.includes(name));
  if (unknown.length > 0)
    throw new Error(`no ${what} ${unknown.join(", ")}; there are ${there.join(", ")}`);
}

/** Sections that libbpf 1.1 knows nothing of, and what they mean. */
const SECTIONS: readonly (readonly [string, number, number])[] = [
  ["netfilter", PROGRAM_KIND.netfilter, ATTACH_KIND.netfilter],
  ["tcx/ingress", PROGRAM_KIND["sched-cls"], ATTACH_KIND["tcx-ingress"]],
  ["tcx/egress", PROGRAM_KIND["sched-cls"], ATTACH_KIND["tcx-egress"]],
];

function choosePrograms(lib: Libbpf, object: Native, { programs }: LoadOptions): void {
  const names: string[] = [];
  for (const program of each(lib.nextProgram, object)) {
    const name = lib.programName(program);
    names.push(name);
    if (programs !== undefined) lib.setAutoload(program, programs.includes(name));
    const section = lib.programSection(program);
    const known = SECTIONS.find(([prefix]) => section.startsWith(prefix));
    if (known === undefined) continue;
    lib.setProgramType(program, known[1]);
    lib.setAttachType(program, known[2]);
  }
  unknownNames(programs ?? [], names, "program");
}

function fitMaps(lib: Libbpf, object: Native, options: LoadOptions, taken: BpfMap[]): void {
  const { maps = {}, pins } = options;
  const names: string[] = [];
  for (const map of each(lib.nextMap, object)) {
    const name = lib.mapName(map);
    names.push(name);
    // Pinning is ours to do, whatever the source says of it.
    lib.setPinPath(map, null);
    const wish = maps[name];
    if (wish?.maxEntries !== undefined) lib.setMaxEntries(map, wish.maxEntries);
    if (wish?.inner !== undefined) lib.setInnerMapFd(map, wish.inner.fd);
    let reuse = wish?.reuse ?? null;
    if (reuse === null && pins !== undefined && !lib.isInternal(map)) {
      reuse = openPinnedMap(join(pins, name));
      if (reuse !== null) taken.push(reuse);
    }
    if (reuse === null) continue;
    sameShape(lib, map, name, reuse);
    const result = lib.reuseFd(map, reuse.fd);
    if (result < 0) throw new BpfLoadError(`map ${name}`, -result, "");
  }
  unknownNames(Object.keys(maps), names, "map");
}

/** A map that is there has not the shape that the program was compiled for. */
export class MapDiffersError extends Error {
  override readonly name = "MapDiffersError";
  readonly map: string;

  constructor(map: string, declared: string, found: string) {
    super(`map ${map} is ${found} in the kernel, and ${declared} in the program`);
    this.map = map;
  }
}

function sameShape(lib: Libbpf, map: Native, name: string, there: BpfMap): void {
  const shape = (
    kind: string,
    key: number,
    value: number,
    entries: number,
    flags: number,
  ): string => `a ${kind} of ${entries} entries, ${key} to ${value} bytes, flags ${flags}`;
  const declared = shape(
    mapKindName(lib.mapType(map)),
    lib.keySize(map),
    lib.valueSize(map),
    lib.maxEntries(map),
    lib.mapFlags(map),
  );
  const { kind, keyBytes, valueBytes, maxEntries, flags } = there.info;
  const found = shape(kind, keyBytes, valueBytes, maxEntries, flags);
  if (declared !== found) throw new MapDiffersError(name, declared, found);
}

function handlesOf(lib: Libbpf, object: Native, { pins }: LoadOptions): BpfObject {
  const maps = new Map<string, BpfMap>();
  const programs = new Map<string, BpfProgram>();
  const close = (): void => {
    for (const handle of [...maps.values(), ...programs.values()]) handle.close();
    maps.clear();
    programs.clear();
  };
  const pinned: string[] = [];
  try {
    for (const map of each(lib.nextMap, object)) {
      const handle = mapOf(libc().duplicate(lib.mapFd(map)));
      maps.set(lib.mapName(map), handle);
      if (pins === undefined || lib.isInternal(map)) continue;
      const path = join(pins, lib.mapName(map));
      if (existsSync(path)) continue;
      pin(handle, path);
      pinned.push(path);
    }
    for (const program of each(lib.nextProgram, object)) {
      const fd = lib.programFd(program);
      if (fd >= 0) programs.set(lib.programName(program), programOf(libc().duplicate(fd)));
    }
  } catch (error) {
    for (const path of pinned) unpin(path);
    close();
    throw error;
  }
  const named =
    <T>(of: ReadonlyMap<string, T>, what: string) =>
    (name: string): T => {
      const found = of.get(name);
      if (found === undefined)
        throw new Error(`no ${what} ${name}; there are ${[...of.keys()].join(", ")}`);
      return found;
    };
  return { map: named(maps, "map"), program: named(programs, "program"), maps, programs, close };
}
