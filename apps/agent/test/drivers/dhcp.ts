/** Words of DHCP and DHCPv6, just enough to ask a real server for a lease, and to play a false one. */
import { addressBytes } from "../../src/probe/socket-address.ts";
import { checksum, ipv4, ipv6, macBytes, word } from "./wire.ts";

const COOKIE = Buffer.from("63825363", "hex");
const BROADCAST_FLAG = 0x8000;

export const DISCOVER = 1;
export const OFFER = 2;
export const REQUEST = 3;
export const ACK = 5;

export interface Lease {
  readonly op: 1 | 2;
  readonly type: number;
  readonly xid: number;
  readonly mac: string;
  /** The client's address, where it has one already. */
  readonly own?: string;
  readonly offered?: string;
  readonly requested?: string;
  readonly server?: string;
  /** Asks for the answer by broadcast. */
  readonly broadcast?: boolean;
}

const option = (code: number, value: Buffer): Buffer =>
  Buffer.concat([Buffer.from([code, value.length]), value]);

const address = (text: string | undefined): Buffer => addressBytes(text ?? "0.0.0.0");

/** RFC 2131 §2. */
export const dhcp = (lease: Lease): Buffer => {
  const xid = Buffer.alloc(4);
  xid.writeUInt32BE(lease.xid);
  return Buffer.concat([
    Buffer.from([lease.op, 1, 6, 0]),
    xid,
    word(0),
    word(lease.broadcast === true ? BROADCAST_FLAG : 0),
    address(lease.own),
    address(lease.offered),
    address(undefined),
    address(undefined),
    macBytes(lease.mac),
    Buffer.alloc(10 + 64 + 128),
    COOKIE,
    option(53, Buffer.from([lease.type])),
    ...(lease.requested === undefined ? [] : [option(50, address(lease.requested))]),
    ...(lease.server === undefined ? [] : [option(54, address(lease.server))]),
    Buffer.from([255]),
    Buffer.alloc(60),
  ]);
};

/** Type and offered address of a server's message with this number, wherever in the frame it stands. */
export const readDhcp = (frame: Buffer, xid: number): { type: number; offered: string } | null => {
  const mark = Buffer.alloc(8);
  mark.writeUInt32BE(0x02010600);
  mark.writeUInt32BE(xid, 4);
  const at = frame.indexOf(mark);
  if (at < 0 || frame.length < at + 243) return null;
  return {
    type: frame.readUInt8(at + 242),
    offered: [...frame.subarray(at + 16, at + 20)].join("."),
  };
};

export const datagram = (
  source: string,
  destination: string,
  ports: readonly [number, number],
  payload: Buffer,
): Buffer => {
  const header = Buffer.concat([word(ports[0]), word(ports[1]), word(8 + payload.length), word(0)]);
  const body = Buffer.concat([header, payload]);
  if (!source.includes(":")) return ipv4(source, destination, 17, body);
  const pseudo = Buffer.concat([
    addressBytes(source),
    addressBytes(destination),
    Buffer.from([0, 0, body.length >> 8, body.length & 255, 0, 0, 0, 17]),
    body,
  ]);
  body.writeUInt16BE(checksum(pseudo), 6);
  return ipv6(source, destination, 17, 1, body);
};

export const SOLICIT = 1;
export const ADVERTISE = 2;

const option6 = (code: number, value: Buffer): Buffer =>
  Buffer.concat([word(code), word(value.length), value]);

/** RFC 8415 §8, with a client's identifier made of its MAC and one wish for an address. */
export const dhcp6 = (type: number, xid: number, mac: string): Buffer => {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(xid);
  head.writeUInt8(type);
  return Buffer.concat([
    head,
    option6(1, Buffer.concat([word(3), word(1), macBytes(mac)])),
    option6(3, Buffer.concat([Buffer.from([0, 0, 0, 1]), Buffer.alloc(8)])),
    option6(8, word(0)),
  ]);
};

export const isDhcp6 = (frame: Buffer, type: number, xid: number): boolean => {
  const mark = Buffer.alloc(4);
  mark.writeUInt32BE(xid);
  mark.writeUInt8(type);
  return frame.includes(mark);
};
