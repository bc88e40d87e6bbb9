/** Socket addresses in the kernel's byte form (`sockaddr_in`, `sockaddr_in6`, `sockaddr_ll`). */
import { parseIp, type IpAddress } from "@bulkhead/model";
import { AF_INET, AF_INET6, AF_PACKET } from "../kernel/libc.ts";

/** Throws for text that is no address. */
export function socketAddress(address: IpAddress, port: number): Buffer {
  const parsed = parseIp(address);
  if (parsed === null) throw new Error(`not an address: ${address}`);
  const buffer = Buffer.alloc(parsed.family === 4 ? 16 : 28);
  buffer.writeUInt16LE(parsed.family === 4 ? AF_INET : AF_INET6, 0);
  buffer.writeUInt16BE(port, 2);
  addressBytes(address).copy(buffer, parsed.family === 4 ? 4 : 8);
  return buffer;
}

/** Four or sixteen bytes in network order. */
export function addressBytes(address: IpAddress): Buffer {
  const parsed = parseIp(address);
  if (parsed === null) throw new Error(`not an address: ${address}`);
  return Buffer.from(parsed.value.toString(16).padStart(parsed.family === 4 ? 8 : 32, "0"), "hex");
}

export function familyOf(address: IpAddress): 4 | 6 {
  const parsed = parseIp(address);
  if (parsed === null) throw new Error(`not an address: ${address}`);
  return parsed.family;
}

export function domainOf(family: 4 | 6): number {
  return family === 4 ? AF_INET : AF_INET6;
}

/** The port in a `sockaddr_in` or `sockaddr_in6`. */
export function portOf(address: Buffer): number {
  return address.readUInt16BE(2);
}

/** The protocol argument of a packet socket is in network order. */
export const packetProtocol = (etherType: number): number =>
  ((etherType & 0xff) << 8) | (etherType >> 8);

export const ETH_P_ALL = 0x0003;
export const ETH_P_IP = 0x0800;
export const ETH_P_IPV6 = 0x86dd;
/** `sll_pkttype` of packets that this machine sends. */
export const PACKET_OUTGOING = 4;

/** Room for a `sockaddr_ll`. */
export function linkAddressBuffer(): Buffer {
  const buffer = Buffer.alloc(20);
  buffer.writeUInt16LE(AF_PACKET, 0);
  return buffer;
}

export function packetTypeOf(address: Buffer): number {
  return address.readUInt8(10);
}
