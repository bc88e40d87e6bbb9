/** Shape and name of a map, as the kernel tells it (`struct bpf_map_info`). */
import { mapKindName, type MapKind, type Unnamed } from "./numbers.ts";
import { bpfWith, readName } from "./syscall.ts";

export interface MapInfo {
  readonly id: number;
  readonly kind: MapKind | Unnamed;
  readonly keyBytes: number;
  /** As it was declared; per-CPU maps have one such value for each possible processor. */
  readonly valueBytes: number;
  readonly maxEntries: number;
  readonly flags: number;
  /** At most 15 characters. */
  readonly name: string;
}

/** Fills `info` with what the kernel says of the object behind a descriptor; what it does not know stays zero. */
export function readInfo(fd: number, info: Buffer, doing: string): Buffer {
  bpfWith(
    "info",
    (attribute, point) => {
      attribute.writeUInt32LE(fd, 0);
      attribute.writeUInt32LE(info.length, 4);
      point(8, info);
    },
    doing,
  );
  return info;
}

const MAP_INFO_BYTES = 88;

export function mapInfo(fd: number): MapInfo {
  const info = readInfo(fd, Buffer.alloc(MAP_INFO_BYTES), "asking what a map is");
  return {
    kind: mapKindName(info.readUInt32LE(0)),
    id: info.readUInt32LE(4),
    keyBytes: info.readUInt32LE(8),
    valueBytes: info.readUInt32LE(12),
    maxEntries: info.readUInt32LE(16),
    flags: info.readUInt32LE(20),
    name: readName(info, 24),
  };
}
