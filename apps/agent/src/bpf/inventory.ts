/**
 * Everything of eBPF that this kernel holds, by number and name, whoever brought it: so that a driver finds what is its own
 * after a restart, and tells what is not. What vanishes while it is being read is left out.
 */
import { KernelError } from "../kernel/index.ts";
import { linkInfo, type LinkInfo } from "./link-info.ts";
import { linkOf, type BpfLink, type LinkSpec } from "./link.ts";
import { mapOf, type BpfMap } from "./map.ts";
import { mapInfo, type MapInfo } from "./map-info.ts";
import { ATTACH_KIND, type Command } from "./numbers.ts";
import { programInfo, programOf, type BpfProgram, type ProgramInfo } from "./program.ts";

import { attributeBlock, closeFd, pointTo, tryBpf } from "./syscall.ts";

const ENOENT = 2;
const MAX_PROGRAMS = 64;

/**
 * Numbers of the programs at a place, first the one that is asked first, however they came there: also those without links,
 * which `allLinks` does not know. Of hooks of netfilter the kernel tells links only. Throws `KernelError`.
 */
export function programsAt(
  place: Extract<LinkSpec, { readonly kind: "cgroup" | "tcx" }>,
): readonly number[] {
  const ids = Buffer.alloc(MAX_PROGRAMS * 4);
  const attribute = attributeBlock();
  attribute.buffer.writeUInt32LE(place.kind === "cgroup" ? place.fd : place.ifindex, 0);
  attribute.buffer.writeUInt32LE(ATTACH_KIND[place.attach], 4);
  pointTo(attribute, 16, ids);
  attribute.buffer.writeUInt32LE(MAX_PROGRAMS, 24);
  const result = tryBpf("query", attribute);
  // Nobody ever attached anything to this interface.
  if (result === -ENOENT) return [];
  if (result < 0) throw new KernelError("bpf query", -result, place.attach);
  const count = attribute.buffer.readUInt32LE(24);
  return Array.from({ length: count }, (_, index) => ids.readUInt32LE(index * 4));
}

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

function opened<T>(open: Command, id: number, handle: (fd: number) => T): T | null {
  const attribute = attributeBlock();
  attribute.buffer.writeUInt32LE(id, 0);
  const fd = tryBpf(open, attribute);
  if (fd === -ENOENT) return null;
  if (fd < 0) throw new KernelError(`bpf ${open}`, -fd, `number ${id}`);
  return handle(fd);
}

/** By its number; null when there is none. */
export const openMap = (id: number): BpfMap | null => opened("mapById", id, mapOf);
export const openProgram = (id: number): BpfProgram | null => opened("programById", id, programOf);
export const openLink = (id: number): BpfLink | null => opened("linkById", id, linkOf);

/** The maps that a program uses, opened anew; the caller closes them. */
export const mapsOf = (program: BpfProgram): readonly BpfMap[] =>
  program.info.mapIds.flatMap((id) => openMap(id) ?? []);

export const allPrograms = (): readonly ProgramInfo[] =>
  all("nextProgramId", "programById", programInfo);
export const allMaps = (): readonly MapInfo[] => all("nextMapId", "mapById", mapInfo);
export const allLinks = (): readonly LinkInfo[] => all("nextLinkId", "linkById", linkInfo);
