/**
 * The maps of one policy in the kernel: all that is in them, changes written in the order that a plan asks for, and the one store
 * that brings them into force. Nothing here knows what entries mean.
 */
import { readFileSync } from "node:fs";
import { MAP_NAMES, numberKey } from "@bulkhead/datapath";
import type { Clocks, EbpfChange, EbpfMapId, EbpfRawMaps } from "@bulkhead/datapath";
import type { BpfMap, BpfObject } from "../../bpf/index.ts";
import { isKernelError } from "../../kernel/index.ts";
import { DriverError } from "../driver-error.ts";

/** Fewer than these are written one by one. */
const BATCH = 16;

/** What `bpf_ktime_get_boot_ns` says, to a hundredth of a second, and the wall's clock at that moment. */
export const readClocks = (now: () => number): Clocks => {
  const seconds = readFileSync("/proc/uptime", "latin1").split(" ")[0] ?? "";
  return { boot: BigInt(Math.round(Number(seconds) * 100)) * 10_000_000n, wall: now() };
};

const bytes = (array: Uint8Array): Buffer =>
  Buffer.from(array.buffer, array.byteOffset, array.byteLength);

/** Changes one after another that one call may take. */
const runs = (changes: readonly EbpfChange[]): readonly (readonly EbpfChange[])[] => {
  const found: EbpfChange[][] = [];
  for (const change of changes) {
    const last = found.at(-1);
    const first = last?.[0];
    if (first?.map === change.map && first.value !== null && change.value !== null)
      last?.push(change);
    else found.push([change]);
  }
  return found;
};

/** Arrays have no entry that is not there; an empty one says nothing. */
const takeAway = (map: BpfMap, key: Buffer): void => {
  if (map.info.kind === "array") map.update(key, Buffer.alloc(map.valueBytes));
  else map.delete(key);
};

const writeRun = (map: BpfMap, run: readonly EbpfChange[]): void => {
  if (run.length >= BATCH) {
    const keys = Buffer.concat(run.map(({ key }) => key));
    const values = Buffer.concat(run.flatMap(({ value }) => value ?? []));
    const { refused } = map.updateBatch(keys, values);
    if (refused !== null) throw refused;
    return;
  }
  for (const { key, value } of run)
    if (value === null) takeAway(map, bytes(key));
    else map.update(bytes(key), bytes(value));
};

const refusal = (error: unknown): unknown => {
  if (isKernelError(error, "E2BIG", "ENOSPC", "ENOMEM"))
    return new DriverError("does-not-fit", "a map is full; the old policy stays", [error.message]);
  return isKernelError(error)
    ? new DriverError("refused", "the kernel refused an entry; the old policy stays", [
        error.message,
      ])
    : error;
};

export interface KernelMaps {
  /** All entries, of arrays too. */
  raw(): EbpfRawMaps;
  /** In this order. Throws `DriverError`; what was written by then stays. */
  write(changes: readonly EbpfChange[]): void;
  storeEpoch(epoch: number): void;
  map(id: EbpfMapId): BpfMap;
}

export const kernelMaps = (object: BpfObject): KernelMaps => {
  const map = (id: EbpfMapId): BpfMap => object.map(MAP_NAMES[id]);
  const entries = (id: EbpfMapId) => (id === "counters" ? [] : map(id).entries());
  return {
    map,
    raw: () =>
      // Every map under its name.
      Object.fromEntries(
        Object.keys(MAP_NAMES).map((id) => [id, entries(id as EbpfMapId)]),
      ) as unknown as EbpfRawMaps,
    write(changes) {
      try {
        for (const run of runs(changes)) {
          const [first] = run;
          if (first !== undefined) writeRun(map(first.map), run);
        }
      } catch (error) {
        throw refusal(error);
      }
    },
    storeEpoch: (epoch) => map("epoch").update(bytes(numberKey(0)), bytes(numberKey(epoch))),
  };
};
