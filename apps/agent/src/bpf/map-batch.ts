/**
 * Many entries of a map in one system call, and all entries of a map. The kernel takes a batch entry by entry: one that is
 * refused in the middle (a full map, a key that is not there) leaves those before it done, and the outcome says how many.
 */
import { KernelError } from "../kernel/index.ts";
import type { MapInfo } from "./map-info.ts";
import type { Command } from "./numbers.ts";
import type { OwnedFd } from "./owned-fd.ts";
import { attributeBlock, fixedMemory, pointTo, tryBpf } from "./syscall.ts";

export interface BatchOutcome {
  /** Entries done, from the first one on. */
  readonly taken: number;
  /** Why the next one was not; null when all were. E2BIG: the map is full. ENOENT: nothing there to delete. */
  readonly refused: KernelError | null;
}

export interface MapEntry {
  readonly key: Buffer;
  readonly value: Buffer;
}

export interface Batches {
  /** `keys` and `values` hold one after the other; what is there already is replaced. */
  updateBatch(keys: Buffer, values: Buffer): BatchOutcome;
  deleteBatch(keys: Buffer): BatchOutcome;
  /**
   * All entries, some thousand at once: keys and values one after the other, in memory that the next chunk overwrites. What
   * changes meanwhile may be missing or seen twice. Throws `KernelError`.
   */
  eachChunk(visit: (count: number, keys: Buffer, values: Buffer) => void): void;
  /** The same, each in memory of its own. */
  entries(): MapEntry[];
  /** All keys, as `entries`, for maps whose values cannot be looked up as well. */
  keys(): Buffer[];
}

const EINVAL = 22;
const ENOENT = 2;
const ENOSPC = 28;
const ENOTSUPP = 524;
const READ_AT_ONCE = 4096;

/** Those of one map; `valueBytes` as in `BpfMap`. */
export function createBatches(owned: OwnedFd, info: MapInfo, valueBytes: number): Batches {
  const { keyBytes, name } = info;

  function change(command: Command, keys: Buffer, values: Buffer | null): BatchOutcome {
    const wanted = keys.length / keyBytes;
    if (!Number.isInteger(wanted) || (values !== null && values.length !== wanted * valueBytes))
      throw new RangeError(`keys and values of a batch for map ${name} do not fit each other`);
    if (wanted === 0) return { taken: 0, refused: null };
    const attribute = attributeBlock();
    pointTo(attribute, 16, keys);
    if (values !== null) pointTo(attribute, 24, values);
    attribute.buffer.writeUInt32LE(wanted, 32);
    attribute.buffer.writeUInt32LE(owned.fd, 36);
    const result = tryBpf(command, attribute);
    if (result >= 0) return { taken: wanted, refused: null };
    const counted = attribute.buffer.readUInt32LE(32);
    // A call that was refused before its first entry leaves the number as it was asked for.
    const taken = counted < wanted ? counted : 0;
    return { taken, refused: new KernelError(`bpf ${command}`, -result, `map ${name}`) };
  }

  function keys(): Buffer[] {
    const found: Buffer[] = [];
    const key = fixedMemory(keyBytes);
    const next = fixedMemory(keyBytes);
    const attribute = attributeBlock();
    attribute.buffer.writeUInt32LE(owned.fd, 0);
    pointTo(attribute, 16, next);
    for (;;) {
      const result = tryBpf("mapNextKey", attribute);
      if (result === -ENOENT) return found;
      if (result < 0) throw new KernelError("bpf mapNextKey", -result, `map ${name}`);
      next.copy(key);
      pointTo(attribute, 8, key);
      found.push(Buffer.from(key.subarray(0, keyBytes)));
    }
  }

  /** One after the other, where the kernel has no batches for this kind of map. */
  function eachByKey(visit: (count: number, keys: Buffer, values: Buffer) => void): void {
    const value = fixedMemory(valueBytes);
    const attribute = attributeBlock();
    attribute.buffer.writeUInt32LE(owned.fd, 0);
    pointTo(attribute, 16, value);
    for (const key of keys()) {
      pointTo(attribute, 8, key);
      const result = tryBpf("mapLookup", attribute);
      if (result === -ENOENT) continue;
      if (result < 0) throw new KernelError("bpf mapLookup", -result, `map ${name}`);
      visit(1, key, value.subarray(0, valueBytes));
    }
  }

  function eachChunk(visit: (count: number, keys: Buffer, values: Buffer) => void): void {
    let room = Math.min(READ_AT_ONCE, info.maxEntries);
    let keyRoom = fixedMemory(room * keyBytes);
    let valueRoom = fixedMemory(room * valueBytes);
    // Where the next call goes on: a bucket for hashes, a key for others.
    const from = fixedMemory(Math.max(4, keyBytes));
    const attribute = attributeBlock();
    pointTo(attribute, 8, from);
    attribute.buffer.writeUInt32LE(owned.fd, 36);
    for (let first = true; ;) {
      pointTo(attribute, 16, keyRoom);
      pointTo(attribute, 24, valueRoom);
      attribute.buffer.writeUInt32LE(room, 32);
      const result = tryBpf("lookupBatch", attribute);
      if (first && (result === -ENOTSUPP || result === -EINVAL)) return eachByKey(visit);
      if (result === -ENOSPC) {
        // A bucket of the hash has more entries than there is room for.
        room *= 2;
        keyRoom = fixedMemory(room * keyBytes);
        valueRoom = fixedMemory(room * valueBytes);
        continue;
      }
      if (result < 0 && result !== -ENOENT)
        throw new KernelError("bpf lookupBatch", -result, `map ${name}`);
      const count = attribute.buffer.readUInt32LE(32);
      if (count > 0)
        visit(
          count,
          keyRoom.subarray(0, count * keyBytes),
          valueRoom.subarray(0, count * valueBytes),
        );
      if (result === -ENOENT) return;
      pointTo(attribute, 0, from);
      first = false;
    }
  }

  function entries(): MapEntry[] {
    const found: MapEntry[] = [];
    eachChunk((count, keys, values) => {
      for (let index = 0; index < count; index++)
        found.push({
          key: Buffer.from(keys.subarray(index * keyBytes, (index + 1) * keyBytes)),
          value: Buffer.from(values.subarray(index * valueBytes, (index + 1) * valueBytes)),
        });
    });
    return found;
  }

  return {
    updateBatch: (keys, values) => change("updateBatch", keys, values),
    deleteBatch: (keys) => change("deleteBatch", keys, null),
    eachChunk,
    entries,
    keys,
  };
}
