/**
 * Programs in the kernel: what one is, and loading one from instructions that this process wrote itself (feature probes,
 * tests). Programs compiled from C come from an object file (`object.ts`).
 */
import { readInfo } from "./map-info.ts";
import {
  ATTACH_KIND,
  PROGRAM_KIND,
  programKindName,
  type AttachKind,
  type ProgramKind,
  type Unnamed,
} from "./numbers.ts";
import {
  attributeBlock,
  bpfWith,
  closeFd,
  cString,
  addressOf,
  fixedMemory,
  pointTo,
  readName,
  tryBpf,
  writeName,
} from "./syscall.ts";
import { BpfLoadError } from "./load-error.ts";
import { ownedFd, type OwnedFd } from "./owned-fd.ts";

export interface ProgramInfo {
  readonly id: number;
  readonly kind: ProgramKind | Unnamed;
  /** At most 15 characters. */
  readonly name: string;
  /** Digest of the instructions as they were loaded, 16 hexadecimal digits; the numbers of maps do not count. */
  readonly tag: string;
  /** Numbers of the maps that it uses. */
  readonly mapIds: readonly number[];
  /** Nanoseconds since boot. */
  readonly loadedAt: bigint;
  /** How often it ran and how long in all, while statistics were on (`countRuns`). */
  readonly runs: bigint;
  readonly nanoseconds: bigint;
}

export interface BpfProgram extends OwnedFd {
  readonly info: ProgramInfo;
}

const PROGRAM_INFO_BYTES = 232;
const MAX_MAPS = 64;

export function programInfo(fd: number): ProgramInfo {
  const maps = fixedMemory(MAX_MAPS * 4);
  const info = Buffer.alloc(PROGRAM_INFO_BYTES);
  info.writeUInt32LE(MAX_MAPS, 52);
  info.writeBigUInt64LE(addressOf(maps), 56);
  readInfo(fd, info, "asking what a program is");
  const count = Math.min(info.readUInt32LE(52), MAX_MAPS);
  return {
    kind: programKindName(info.readUInt32LE(0)),
    id: info.readUInt32LE(4),
    tag: info.toString("hex", 8, 16),
    loadedAt: info.readBigUInt64LE(40),
    mapIds: Array.from({ length: count }, (_, index) => maps.readUInt32LE(index * 4)),
    name: readName(info, 64),
    nanoseconds: info.readBigUInt64LE(192),
    runs: info.readBigUInt64LE(200),
  };
}

/** Takes over a descriptor; it is closed if it is none of a program. */
export function programOf(fd: number): BpfProgram {
  try {
    const info = programInfo(fd);
    const owned = ownedFd(fd, `program ${info.name}`);
    return {
      get fd() {
        return owned.fd;
      },
      info,
      close: owned.close,
    };
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

export interface InstructionsSpec {
  readonly kind: ProgramKind;
  /** Where it is going to be attached: the verifier's rules differ. Programs for netfilter have no choice. */
  readonly attach?: AttachKind;
  readonly name: string;
  /** From `instructions.ts`. */
  readonly instructions: Buffer;
  readonly licence?: string;
}

const LOG_BYTES = 1 << 20;

/** Throws `BpfLoadError` with what the verifier says. */
export function loadInstructions(spec: InstructionsSpec): BpfProgram {
  const licence = cString(spec.licence ?? "GPL");
  const attribute = attributeBlock();
  const { buffer } = attribute;
  buffer.writeUInt32LE(PROGRAM_KIND[spec.kind], 0);
  buffer.writeUInt32LE(spec.instructions.length / 8, 4);
  pointTo(attribute, 8, spec.instructions);
  pointTo(attribute, 16, licence);
  writeName(buffer, 48, spec.name);
  const place = spec.kind === "netfilter" ? "netfilter" : spec.attach;
  if (place !== undefined) buffer.writeUInt32LE(ATTACH_KIND[place], 68);
  const result = tryBpf("programLoad", attribute);
  if (result >= 0) return programOf(result);
  // Again, now for its words: asked for at once they would cost each load a megabyte.
  const log = fixedMemory(LOG_BYTES);
  buffer.writeUInt32LE(1, 24);
  buffer.writeUInt32LE(LOG_BYTES, 28);
  pointTo(attribute, 32, log);
  const again = tryBpf("programLoad", attribute);
  if (again >= 0) return programOf(again);
  const end = log.indexOf(0);
  throw new BpfLoadError(spec.name, -result, log.toString("utf8", 0, end));
}

/**
 * The kernel counts the runs of all programs, and their time, until `close`, or the end of this process: some ten nanoseconds
 * more for each run meanwhile.
 */
export function countRuns(): { close(): void } {
  return ownedFd(
    bpfWith("enableStatistics", () => undefined),
    "counting",
  );
}
