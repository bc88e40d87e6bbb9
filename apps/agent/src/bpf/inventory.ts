/**
 * Everything of eBPF that this kernel holds, by number and name, whoever brought it: so that a driver finds what is its own
 * after a restart, and tells what is not. What vanishes while it is being read is left out.
 */
import { KernelError } from "../kernel/index.ts";
import { linkInfo, type LinkInfo } from "./link-info.ts";
import { mapInfo, type MapInfo } from "./map-info.ts";
import type { Command } from "./numbers.ts";
import { programInfo, type ProgramInfo } from "./program.ts";

import { attributeBlock, closeFd, tryBpf } from "./syscall.ts";

const ENOENT = 2;

/** Reads all objects of one sort. Throws `KernelError`: EPERM without CAP_SYS_ADMIN. */
function all<T>(next: Command, open: Command, read: (fd: number) => T): readonly T[] {
  const found: T[] = [];
  const attribute = attributeBlock();
  const one = attributeBlock();
  for (let id = 0; ;) {
    attribute.buffer.writeUInt32LE(id, 0);
    const more = tryBpf(next, attribute);
    if (more === -ENOENT) return found;
    if (more < 0) throw new KernelError(`bpf ${next}`, -more);
    id = attribute.buffer.readUInt32LE(4);
    one.buffer.writeUInt32LE(id, 0);
    const fd = tryBpf(open, one);
    if (fd === -ENOENT) continue;
    if (fd < 0) throw new KernelError(`bpf ${open}`, -fd, `number ${id}`);
    try {
      found.push(read(fd));
    } finally {
      closeFd(fd);
    }
  }
}

export const allPrograms = (): readonly ProgramInfo[] =>
  all("nextProgramId", "programById", programInfo);
export const allMaps = (): readonly MapInfo[] => all("nextMapId", "mapById", mapInfo);
export const allLinks = (): readonly LinkInfo[] => all("nextLinkId", "linkById", linkInfo);
