/** Packets as bytes, for tests: headers built field by field, so that what is expected is written next to what is sent. */
import { parseIp } from "@bulkhead/model";

export function addressBytes(address: string): Buffer {
  const parsed = parseIp(address);
  if (parsed === null) throw new Error(address);
  return Buffer.from(parsed.value.toString(16).padStart(parsed.family === 4 ? 8 : 32, "0"), "hex");
}

export function ports(source: number, destination: number, rest = 4): Buffer {
  const buffer = Buffer.alloc(4 + rest);
  buffer.writeUInt16BE(source, 0);
  buffer.writeUInt16BE(destination, 2);
  return buffer;
}

export function tcp(source: number, destination: number, flags: number): Buffer {
  const buffer = ports(source, destination, 16);
  buffer.writeUInt8(5 << 4, 12);
  buffer.writeUInt8(flags, 13);
  return buffer;
}

export interface Ipv4Options {
  readonly fragmentOffset?: number;
  readonly moreFragments?: boolean;
  readonly options?: Buffer;
  readonly length?: number;
}

export function ipv4(
  source: string,
  destination: string,
  protocol: number,
  payload: Buffer,
  {
    fragmentOffset = 0,
    moreFragments = false,
    options = Buffer.alloc(0),
    length,
  }: Ipv4Options = {},
): Buffer {
  const header = Buffer.alloc(20);
  header.writeUInt8(0x40 | (5 + options.length / 4), 0);
  header.writeUInt16BE(length ?? 20 + options.length + payload.length, 2);
  header.writeUInt16BE((moreFragments ? 0x2000 : 0) | fragmentOffset, 6);
  header.writeUInt8(64, 8);
  header.writeUInt8(protocol, 9);
  addressBytes(source).copy(header, 12);
  addressBytes(destination).copy(header, 16);
  return Buffer.concat([header, options, payload]);
}

export function ipv6(source: string, destination: string, next: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(40);
  header.writeUInt8(0x60, 0);
  header.writeUInt16BE(payload.length, 4);
  header.writeUInt8(next, 6);
  header.writeUInt8(64, 7);
  addressBytes(source).copy(header, 8);
  addressBytes(destination).copy(header, 24);
  return Buffer.concat([header, payload]);
}

/** An extension header of `units` times eight bytes beyond the first. */
export function extension(next: number, units: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(8 + units * 8);
  header.writeUInt8(next, 0);
  header.writeUInt8(units, 1);
  return Buffer.concat([header, payload]);
}

export function fragment(next: number, offset: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt8(next, 0);
  header.writeUInt16BE(offset << 3, 2);
  return Buffer.concat([header, payload]);
}

/** RFC 4302: its length counts words of four bytes, minus two. */
export function authentication(next: number, words: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(words * 4);
  header.writeUInt8(next, 0);
  header.writeUInt8(words - 2, 1);
  return Buffer.concat([header, payload]);
}
