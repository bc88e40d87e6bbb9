/** The object with its maps, as this process has it open: taken over from the pins that are there, or made and pinned. */
import { join } from "node:path";
import { MAP_NAMES } from "@bulkhead/datapath";
import {
  BpfLoadError,
  MapDiffersError,
  loadObject,
  openPinnedMap,
  pin,
  shippedObject,
} from "../../bpf/index.ts";
import type { BpfObject } from "../../bpf/index.ts";
import { DriverError } from "../driver-error.ts";
import { createHeldTables } from "./held-tables.ts";
import type { HeldTables } from "./held-tables.ts";
import { kernelMaps } from "./kernel-maps.ts";
import type { KernelMaps } from "./kernel-maps.ts";
import type { PinFolder } from "./pin-folder.ts";

export interface OpenMaps {
  readonly object: BpfObject;
  readonly maps: KernelMaps;
  readonly tables: HeldTables;
}

export interface PinnedMaps {
  /** Takes over what is pinned, makes what is not. Throws `DriverError`. */
  open(): OpenMaps;
  /** Only if all of it is pinned, or this process has it open. */
  existing(): OpenMaps | null;
  /** What this process has open; null: nothing. */
  current(): OpenMaps | null;
  /** Sentences for pins that are gone, or are other maps than those in use. */
  differences(): readonly string[];
  /** Reads what is there, next time, and pins what is no longer. */
  forget(): void;
  close(): void;
}

const NAMES = Object.values(MAP_NAMES);

export const createPinnedMaps = (folder: PinFolder, now: () => number): PinnedMaps => {
  let open: OpenMaps | null = null;

  const load = (): OpenMaps => {
    try {
      const object = loadObject({ file: shippedObject("netfilter"), pins: folder.path });
      const maps = kernelMaps(object);
      return { object, maps, tables: createHeldTables(maps, now) };
    } catch (error) {
      if (error instanceof BpfLoadError || error instanceof MapDiffersError)
        throw new DriverError("unsupported", "the programs cannot be loaded", [error.message]);
      throw error;
    }
  };

  const isPinned = (name: string): boolean => {
    const there = openPinnedMap(join(folder.path, name));
    there?.close();
    return there?.info.id === open?.object.map(name).info.id;
  };

  const lost = (): readonly string[] => {
    if (open === null) return [];
    return [...open.object.maps.keys()].filter((name) => name.startsWith("bh_") && !isPinned(name));
  };

  return {
    open: () => (open ??= load()),
    existing() {
      if (open !== null) return open;
      const names = new Set(folder.names());
      if (NAMES.some((name) => !names.has(name))) return null;
      open = load();
      return open;
    },
    current: () => open,
    differences: () => lost().map((name) => `map ${name} is not pinned`),
    forget() {
      open?.tables.forget();
      for (const name of lost()) if (open !== null) repin(open.object, folder, name);
    },
    close() {
      open?.object.close();
      open = null;
    },
  };
};

const repin = (object: BpfObject, folder: PinFolder, name: string): void => {
  folder.make();
  folder.remove(name);
  pin(object.map(name), join(folder.path, name));
};
