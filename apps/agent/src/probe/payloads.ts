/**
 * The bytes that probes send where the kernel does not make them: ICMP (RFC 792, RFC 4443), SCTP (RFC 9260), and a
 * datagram for UDP services. Each is valid by its protocol's rules, because connection tracking drops what is not, and
 * harmless to a real service.
 */
import { crc32c } from "./crc32c.ts";

/** Type and code, checksum, identifier, sequence number, and a payload that says whose it is. */
export function icmpMessage(family: 4 | 6, port: number, identifier: number): Buffer {
  const message = Buffer.alloc(8 + 24);
  message.writeUInt8(port >> 8, 0);
  message.writeUInt8(port & 0xff, 1);
  message.writeUInt16BE(identifier, 4);
  message.writeUInt16BE(1, 6);
  message.write("bulkhead probe", 8, "latin1");
  // For ICMPv6 the kernel fills the checksum in, because it covers the addresses.
  if (family === 4) message.writeUInt16BE(internetChecksum(message), 2);
  return message;
}

const INIT = 1;
const INIT_ACK = 2;
const ABORT = 6;

/** The first packet of an association. */
export function sctpInit(sourcePort: number, port: number, tag: number): Buffer {
  return sctpPacket(sourcePort, port, 0, handshakeChunk(INIT, tag));
}

/** The answer to an INIT, or null when the packet is none. Cookies are not needed: the association goes no further. */
export function sctpAnswer(packet: Buffer, tag: number): Buffer | null {
  if (packet.length < 32 || packet.readUInt8(12) !== INIT) return null;
  return sctpPacket(
    packet.readUInt16BE(2),
    packet.readUInt16BE(0),
    packet.readUInt32BE(16),
    handshakeChunk(INIT_ACK, tag),
  );
}

/** Is this an answer of any kind from the far side's SCTP? */
export function isSctpAnswer(packet: Buffer, sourcePort: number, port: number): boolean {
  if (
    packet.length < 16 ||
    packet.readUInt16BE(0) !== port ||
    packet.readUInt16BE(2) !== sourcePort
  )
    return false;
  const chunk = packet.readUInt8(12);
  return chunk === INIT_ACK || chunk === ABORT;
}

function handshakeChunk(type: number, tag: number): Buffer {
  const chunk = Buffer.alloc(20);
  chunk.writeUInt8(type, 0);
  chunk.writeUInt16BE(20, 2);
  chunk.writeUInt32BE(tag, 4);
  chunk.writeUInt32BE(65_536, 8);
  chunk.writeUInt16BE(1, 12);
  chunk.writeUInt16BE(1, 14);
  chunk.writeUInt32BE(tag, 16);
  return chunk;
}

function sctpPacket(sourcePort: number, port: number, verification: number, chunk: Buffer): Buffer {
  const packet = Buffer.concat([Buffer.alloc(12), chunk]);
  packet.writeUInt16BE(sourcePort, 0);
  packet.writeUInt16BE(port, 2);
  packet.writeUInt32BE(verification, 4);
  // RFC 9260 appendix A: the CRC is transmitted least significant byte first.
  packet.writeUInt32LE(crc32c(packet), 8);
  return packet;
}

/** To a socket of our own: a nonce that it sends back. */
export function echoPayload(nonce: number): Buffer {
  const payload = Buffer.from("bulkhead probe 00000000", "latin1");
  payload.write(nonce.toString(16).padStart(8, "0"), 15, "latin1");
  return payload;
}

/**
 * To a real UDP service: an empty datagram, which carries no request in any protocol. DNS servers get a query for the name
 * servers of the root without recursion (RFC 1035), because they answer it, if only with a refusal.
 */
export function servicePayload(
  port: number,
  nonce: number,
): { readonly payload: Buffer; readonly answered: boolean } {
  if (port !== 53) return { payload: Buffer.alloc(0), answered: false };
  const query = Buffer.alloc(17);
  query.writeUInt16BE(nonce & 0xffff, 0);
  query.writeUInt16BE(1, 4);
  query.writeUInt16BE(2, 13);
  query.writeUInt16BE(1, 15);
  return { payload: query, answered: true };
}

/** RFC 1071. */
function internetChecksum(bytes: Buffer): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += bytes.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
