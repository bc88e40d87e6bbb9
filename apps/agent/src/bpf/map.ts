/**
 * Maps: the memory that programs share with this process. Keys and values are bytes in the layout of the C side; what they
 * mean is for others to say. All operations are system calls on one descriptor, which `close` gives back; a map that is
 * pinned or used by a program outlives it.
 */
import { readFileSync } from "node:fs";
import { KernelError } from "../kernel/index.ts";
import { createBatches, type Batches } from "./map-batch.ts";
import { mapInfo, type MapInfo } from "./map-info.ts";
import { ownedFd, type OwnedFd } from "./owned-fd.ts";
import { MAP_KIND, type Command, type MapKind } from "./numbers.ts";
import {
  attributeBlock,
  bpfWith,
  closeFd,
  fixedMemory,
  pointTo,
  tryBpf,
  writeName,
} from "./syscall.ts";

/** Of an update: whatever is there, only if nothing is, only if something is. */
export type UpdateMode = "any" | "new" | "existing";

const UPDATE_FLAGS: Readonly<Record<UpdateMode, bigint>> = { any: 0n, new: 1n, existing: 2n };

export interface BpfMap extends Batches, OwnedFd {
  readonly info: MapInfo;
  /**
   * Bytes of one value as `lookup` gives and `update` takes it: the declared size, but for per-CPU maps that size rounded
   * up to 8, times the number of possible processors (`possibleCpus`).
   */
  readonly valueBytes: number;
  /** The value, in memory of its own; null when there is none. */
  lookup(key: Buffer): Buffer | null;
  /** Into `value`, at least `valueBytes` long; false when there is none. */
  lookupInto(key: Buffer, value: Buffer): boolean;
  /** Throws `KernelError`: E2BIG or ENOSPC when full, EEXIST and ENOENT by mode. */
  update(key: Buffer, value: Buffer, mode?: UpdateMode): void;
  /** False when there was none. */
  delete(key: Buffer): boolean;
  /** What is there and takes it out, in one step; null when there is none. */
  take(key: Buffer): Buffer | null;
  /**
   * For maps of maps and arrays of programs, where a descriptor is written and the object's number is read back. An array of
   * programs is emptied when its last descriptor and pin are gone, whoever still uses it.
   */
  put(key: Buffer, object: { readonly fd: number }, mode?: UpdateMode): void;
}

export interface MapSpec {
  readonly kind: MapKind;
  /** Letters, digits, `_` and `.`; the kernel keeps 15 of them. */
  readonly name: string;
  readonly keyBytes: number;
  readonly valueBytes: number;
  readonly maxEntries: number;
  /** `BPF_F_*`. An LPM trie gets the one it must have (BPF_F_NO_PREALLOC) by itself. */
  readonly flags?: number;
  /** For maps of maps: one of the shape that those inside have. */
  readonly inner?: BpfMap;
}

export const BPF_F_NO_PREALLOC = 1;

/** Throws `KernelError`: EINVAL for a shape that the kernel does not take, ENOMEM or E2BIG for one too large, EPERM. */
export function createMap(spec: MapSpec): BpfMap {
  const flags = (spec.flags ?? 0) | (spec.kind === "lpm-trie" ? BPF_F_NO_PREALLOC : 0);
  const fd = bpfWith(
    "mapCreate",
    (attribute) => {
      attribute.writeUInt32LE(MAP_KIND[spec.kind], 0);
      attribute.writeUInt32LE(spec.keyBytes, 4);
      attribute.writeUInt32LE(spec.valueBytes, 8);
      attribute.writeUInt32LE(spec.maxEntries, 12);
      attribute.writeUInt32LE(flags, 16);
      attribute.writeUInt32LE(spec.inner?.fd ?? 0, 20);
      writeName(attribute, 28, spec.name);
    },
    `creating the map ${spec.name}`,
  );
  return mapOf(fd);
}

/** Takes over a descriptor; it is closed if it is none of a map. */
export function mapOf(fd: number): BpfMap {
  let info: MapInfo;
  try {
    info = mapInfo(fd);
  } catch (error) {
    closeFd(fd);
    throw error;
  }
  return mapWith(fd, info);
}

const ENOENT = 2;

function mapWith(fd: number, info: MapInfo): BpfMap {
  const valueBytes = lookedUpBytes(info);
  const key = fixedMemory(info.keyBytes);
  const value = fixedMemory(valueBytes);
  const attribute = attributeBlock();
  attribute.buffer.writeUInt32LE(fd, 0);
  pointTo(attribute, 8, key);
  pointTo(attribute, 16, value);
  // A deletion that names a value is refused.
  const deletion = attributeBlock();
  deletion.buffer.writeUInt32LE(fd, 0);
  pointTo(deletion, 8, key);
  const failed = (command: Command, errno: number): KernelError =>
    new KernelError(`bpf ${command}`, errno, `map ${info.name}`);
  const setKey = (from: Buffer): void => {
    if (from.length !== info.keyBytes)
      throw new RangeError(
        `a key of map ${info.name} has ${info.keyBytes} bytes, not ${from.length}`,
      );
    key.set(from);
  };
  const flagged = (flags: bigint): void => void attribute.buffer.writeBigUInt64LE(flags, 24);
  /** False for "there is none". */
  const found = (command: Command, block = attribute): boolean => {
    flagged(0n);
    const result = tryBpf(command, block);
    if (result === -ENOENT) return false;
    if (result < 0) throw failed(command, -result);
    return true;
  };
  const owned = ownedFd(fd, `map ${info.name}`);
  const map: BpfMap = {
    get fd() {
      return owned.fd;
    },
    info,
    valueBytes,
    lookup(of) {
      setKey(of);
      return found("mapLookup") ? Buffer.from(value.subarray(0, valueBytes)) : null;
    },
    lookupInto(of, into) {
      setKey(of);
      if (!found("mapLookup")) return false;
      value.copy(into, 0, 0, valueBytes);
      return true;
    },
    update(of, to, mode = "any") {
      setKey(of);
      if (to.length !== valueBytes)
        throw new RangeError(
          `a value of map ${info.name} has ${valueBytes} bytes, not ${to.length}`,
        );
      value.set(to);
      flagged(UPDATE_FLAGS[mode]);
      const result = tryBpf("mapUpdate", attribute);
      if (result < 0) throw failed("mapUpdate", -result);
    },
    delete(of) {
      setKey(of);
      return found("mapDelete", deletion);
    },
    take(of) {
      setKey(of);
      return found("mapLookupAndDelete") ? Buffer.from(value.subarray(0, valueBytes)) : null;
    },
    put(of, object, mode) {
      const descriptor = Buffer.alloc(4);
      descriptor.writeUInt32LE(object.fd);
      map.update(of, descriptor, mode);
    },
    ...createBatches(owned, info, valueBytes),
    close() {
      // What is asked of it from now on, the kernel refuses (EBADF).
      for (const block of [attribute, deletion]) block.buffer.writeInt32LE(-1, 0);
      owned.close();
    },
  };
  return map;
}

const PER_CPU: ReadonlySet<string> = new Set([
  "per-cpu-hash",
  "per-cpu-array",
  "lru-per-cpu-hash",
] satisfies MapKind[]);

function lookedUpBytes({ kind, valueBytes }: MapInfo): number {
  return PER_CPU.has(kind) ? slotBytes(valueBytes) * possibleCpus() : valueBytes;
}

/** What one processor's value takes in a per-CPU value. */
const slotBytes = (declared: number): number => Math.ceil(declared / 8) * 8;

let cpus: number | undefined;

/** Processors that this kernel may ever have, and so the number of values in an entry of a per-CPU map. */
export function possibleCpus(): number {
  cpus ??= highestCpu(readFileSync("/sys/devices/system/cpu/possible", "latin1")) + 1;
  return cpus;
}

/** Of a list like `0-3,8-11`. */
function highestCpu(list: string): number {
  const last = /(\d+)\s*$/.exec(list)?.[1];
  if (last === undefined) throw new Error(`no list of processors: \`${list.trim()}\``);
  return Number(last);
}

/** One value for each possible processor, without copying. */
export function perCpuValues(map: BpfMap, value: Buffer): readonly Buffer[] {
  const step = slotBytes(map.info.valueBytes);
  return Array.from({ length: value.length / step }, (_, cpu) =>
    value.subarray(cpu * step, cpu * step + map.info.valueBytes),
  );
}
