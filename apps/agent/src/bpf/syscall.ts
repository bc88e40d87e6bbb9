/**
 * bpf(2) itself: a command and its attribute block, whose layout is that of `union bpf_attr` (include/uapi/linux/bpf.h).
 * Everything but opening object files goes this way, so that neither the version of libbpf nor its conventions matter.
 */
import { KernelError, koffi, libc } from "../kernel/index.ts";
import { COMMAND, type Command } from "./numbers.ts";

/** Long enough for every command used here; the kernel takes a longer block than it knows if the rest is zero. */
const ATTRIBUTE_BYTES = 128;

const SYSCALL_NUMBER: Readonly<Partial<Record<NodeJS.Architecture, number>>> = {
  x64: 321,
  arm64: 280,
};

const EAGAIN = 11;
const MAX_TRIES = 5;

interface Entry {
  readonly call: (number: number, command: number, attribute: bigint, size: number) => number;
  readonly number: number;
  readonly errno: () => number;
  readonly address: (value: Buffer) => bigint;
}

let entry: Entry | undefined;

function entrance(): Entry {
  if (entry !== undefined) return entry;
  const number = SYSCALL_NUMBER[process.arch];
  if (number === undefined) throw new Error(`bpf(2) has no known number on ${process.arch}`);
  const ffi = koffi();
  entry = {
    call: ffi.load("libc.so.6").func("long syscall(long, int, void *, uint32_t)"),
    number,
    errno: () => ffi.errno(),
    address: (value) => ffi.address(value),
  };
  return entry;
}

/** Zeroed memory that never moves. */
export function fixedMemory(bytes: number): Buffer {
  // Not Buffer.alloc: a small array may lie inside the collected heap.
  return Buffer.from(new ArrayBuffer(Math.max(bytes, 8)));
}

/** Where a buffer's bytes are, as long as somebody refers to it: prefer `pointTo`. */
export const addressOf = (buffer: Buffer): bigint => entrance().address(buffer);

/** A block of attributes, with the memory that it points to, by where it does. */
export interface Attribute {
  readonly buffer: Buffer;
  readonly address: bigint;
  readonly kept: Map<number, Buffer>;
}

/** A zeroed one. */
export function attributeBlock(): Attribute {
  const buffer = fixedMemory(ATTRIBUTE_BYTES);
  return { buffer, address: addressOf(buffer), kept: new Map() };
}

/** Writes the address of `to` and keeps it as long as the block: the collector knows nothing of addresses. */
export function pointTo(attribute: Attribute, offset: number, to: Buffer): void {
  attribute.buffer.writeBigUInt64LE(addressOf(to), offset);
  attribute.kept.set(offset, to);
}

/** What the kernel is reading and writing; nothing else may refer to it any more. */
let inCall: Attribute | null = null;

/** What bpf(2) returns (a descriptor, or zero), or the negative error number. For calls whose refusal is an answer. */
export function tryBpf(command: Command, attribute: Attribute): number {
  const { call, number, errno } = entrance();
  for (let tries = 1; ; tries++) {
    inCall = attribute;
    const result = call(number, COMMAND[command], inCall.address, ATTRIBUTE_BYTES);
    inCall = null;
    if (result >= 0) return result;
    const refused = errno();
    // The verifier gives up for a moment when a signal arrives (kernel/bpf/verifier.c).
    if (refused !== EAGAIN || command !== "programLoad" || tries === MAX_TRIES) return -refused;
  }
}

/** As `tryBpf`, and throws `KernelError`; `doing` says what for. */
export function bpf(command: Command, attribute: Attribute, doing?: string): number {
  const result = tryBpf(command, attribute);
  if (result < 0) throw new KernelError(`bpf ${command}`, -result, doing);
  return result;
}

/** Calls with an attribute block that `fill` has written. */
export function bpfWith(
  command: Command,
  fill: (attribute: Buffer, point: (offset: number, to: Buffer) => void) => void,
  doing?: string,
): number {
  const attribute = attributeBlock();
  fill(attribute.buffer, (offset, to) => pointTo(attribute, offset, to));
  return bpf(command, attribute, doing);
}

/** Text as the kernel takes it where it has a fixed size: cut to 15 bytes, zero at the end. */
export function writeName(attribute: Buffer, offset: number, name: string): void {
  attribute.write(name.slice(0, 15), offset, 15, "latin1");
}

export function readName(buffer: Buffer, offset: number): string {
  const end = buffer.indexOf(0, offset);
  return buffer.toString("latin1", offset, Math.min(end, offset + 16));
}

/** A path or licence, with its final zero. */
export const cString = (text: string): Buffer => Buffer.from(`${text}\0`);

export const closeFd = (fd: number): void => libc().close(fd);
