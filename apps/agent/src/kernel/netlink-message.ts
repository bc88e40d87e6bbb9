/**
 * Netlink's framing: messages of a 16-byte header, a family header and attributes in type-length-value form, aligned
 * to four bytes. Headers are in host order (little-endian on every machine we support), nfnetlink values mostly in
 * network order; the callers know which.
 */
import { Buffer } from "node:buffer";

export const NLMSG_NOOP = 1;
export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;
export const NLMSG_OVERRUN = 4;

export const NLM_F_REQUEST = 1;
export const NLM_F_MULTI = 2;
export const NLM_F_ACK = 4;
/** The dump was interrupted by a change: what came is not one consistent picture. */
export const NLM_F_DUMP_INTR = 0x10;
export const NLM_F_DUMP = 0x300;

export const NLA_TYPE_MASK = 0x3fff;
const NLA_F_NESTED = 0x8000;

export const NLMSG_HEADER = 16;

export interface Attribute {
  readonly type: number;
  readonly value: Buffer | readonly Attribute[];
}

export const attribute = (type: number, value: Attribute["value"]): Attribute => ({ type, value });

export function u8(value: number): Buffer {
  return Buffer.from([value]);
}

export function u16be(value: number): Buffer {
  const buffer = Buffer.alloc(2);
  buffer.writeUInt16BE(value);
  return buffer;
}

export function u32be(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32BE(value);
  return buffer;
}

export function u32le(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32LE(value);
  return buffer;
}

export function i32le(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeInt32LE(value);
  return buffer;
}

/** Encodes attributes one after the other, each padded to four bytes; lists become nested attributes. */
export function encodeAttributes(attributes: readonly Attribute[]): Buffer {
  const parts: Buffer[] = [];
  for (const { type, value } of attributes) {
    const nested = !Buffer.isBuffer(value);
    const payload = nested ? encodeAttributes(value) : value;
    const header = Buffer.alloc(4);
    header.writeUInt16LE(4 + payload.length, 0);
    header.writeUInt16LE(nested ? type | NLA_F_NESTED : type, 2);
    parts.push(header, payload);
    const rest = payload.length % 4;
    if (rest !== 0) parts.push(Buffer.alloc(4 - rest));
  }
  return Buffer.concat(parts);
}

/** One whole request message. */
export function encodeMessage(
  type: number,
  flags: number,
  sequence: number,
  header: Buffer,
  attributes: readonly Attribute[] = [],
): Buffer {
  const payload = Buffer.concat([header, encodeAttributes(attributes)]);
  const message = Buffer.alloc(NLMSG_HEADER + payload.length);
  message.writeUInt32LE(message.length, 0);
  message.writeUInt16LE(type, 4);
  message.writeUInt16LE(flags, 6);
  message.writeUInt32LE(sequence, 8);
  payload.copy(message, NLMSG_HEADER);
  return message;
}

/** `struct nfgenmsg`: family, version 0, resource id. */
export function nfgenHeader(family: number, resource = 0): Buffer {
  return Buffer.from([family, 0, resource >> 8, resource & 0xff]);
}

/** Calls `visit(type, start, end)` for each attribute in `[from, to)`; stops quietly at a malformed one, as the kernel does. */
export function forEachAttribute(
  buffer: Buffer,
  from: number,
  to: number,
  visit: (type: number, start: number, end: number) => void,
): void {
  let at = from;
  while (at + 4 <= to) {
    const length = buffer.readUInt16LE(at);
    if (length < 4 || at + length > to) return;
    visit(buffer.readUInt16LE(at + 2) & NLA_TYPE_MASK, at + 4, at + length);
    at += (length + 3) & ~3;
  }
}

/** The attributes by type, as slices of the buffer; of repeated ones the last. For control traffic, not for hot paths. */
export function attributesOf(
  buffer: Buffer,
  from: number,
  to: number,
): ReadonlyMap<number, Buffer> {
  const found = new Map<number, Buffer>();
  forEachAttribute(buffer, from, to, (type, start, end) =>
    found.set(type, buffer.subarray(start, end)),
  );
  return found;
}

export interface Message {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  /** Bounds of the payload (family header and attributes) in the buffer. */
  readonly start: number;
  readonly end: number;
}

/** The messages of one datagram, in order. */
export function* messagesOf(buffer: Buffer, length: number): Generator<Message> {
  let at = 0;
  while (at + NLMSG_HEADER <= length) {
    const size = buffer.readUInt32LE(at);
    if (size < NLMSG_HEADER || at + size > length) return;
    yield {
      type: buffer.readUInt16LE(at + 4),
      flags: buffer.readUInt16LE(at + 6),
      sequence: buffer.readUInt32LE(at + 8),
      start: at + NLMSG_HEADER,
      end: at + size,
    };
    at += (size + 3) & ~3;
  }
}
