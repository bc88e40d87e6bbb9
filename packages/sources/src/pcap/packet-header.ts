/**
 * The headers of one captured packet: link, network and transport, as far as they tell who talks to whom. Nothing behind the
 * transport header is looked at.
 */
import { formatIp, ICMP, ICMPV6, SCTP, TCP, UDP } from "@bulkhead/model";
import type { IpAddress } from "@bulkhead/model";

export interface PacketHeader {
  /** IPv4 as a number; else the text. */
  readonly source: number | IpAddress;
  readonly destination: number | IpAddress;
  readonly protocol: number;
  readonly sourcePort: number;
  /** Destination port, or ICMP type*256+code. */
  readonly port: number;
  /** Of TCP; 0 elsewhere. */
  readonly flags: number;
  /** Of the network layer, headers and all. */
  readonly bytes: number;
}

const [IPV4, IPV6, ARP, VLAN, QINQ, OLD_QINQ, PPPOE] = [
  0x0800, 0x86dd, 0x0806, 0x8100, 0x88a8, 0x9100, 0x8864,
] as const;
const MOST_TAGS = 4;
const MOST_EXTENSIONS = 10;
/** IPv6 extension headers of one shape: hop-by-hop, routing, destination options, mobility, HIP, shim6. */
const EXTENSIONS = new Set([0, 43, 60, 135, 139, 140]);
const [FRAGMENT, AUTHENTICATION] = [44, 51] as const;
const WITH_PORTS = new Set([TCP, UDP, SCTP, 33, 136]);

/** What it is instead, for what is no packet of a flow; `cut off` where the capture holds too little of it. */
export function readPacketHeader(
  bytes: Uint8Array,
  from: number,
  to: number,
  link: number,
): PacketHeader | string {
  const u16 = (at: number): number => (bytes[at]! << 8) | bytes[at + 1]!;
  switch (link) {
    case 1:
      return to - from < 14 ? "cut off" : readType(bytes, to, u16(from + 12), from + 14);
    case 113:
      return to - from < 16 ? "cut off" : readType(bytes, to, u16(from + 14), from + 16);
    case 276:
      return to - from < 20 ? "cut off" : readType(bytes, to, u16(from), from + 20);
    case 0:
    case 108:
      return readNetwork(bytes, from + 4, to);
    case 12:
    case 14:
    case 101:
    case 228:
    case 229:
      return readNetwork(bytes, from, to);
    default:
      return `link type ${link}`;
  }
}

function readType(
  bytes: Uint8Array,
  to: number,
  first: number,
  next: number,
): PacketHeader | string {
  let type = first;
  let at = next;
  for (let tags = 0; type === VLAN || type === QINQ || type === OLD_QINQ; tags += 1) {
    if (tags === MOST_TAGS) return "too many VLAN tags";
    if (at + 4 > to) return "cut off";
    type = (bytes[at + 2]! << 8) | bytes[at + 3]!;
    at += 4;
  }
  if (type === PPPOE) return readNetwork(bytes, at + 8, to);
  if (type === IPV4 || type === IPV6) return readNetwork(bytes, at, to);
  if (type === ARP) return "ARP";
  return type < 1536 ? "802.3" : `EtherType 0x${type.toString(16).padStart(4, "0")}`;
}

function readNetwork(bytes: Uint8Array, at: number, to: number): PacketHeader | string {
  if (at >= to) return "cut off";
  const version = bytes[at]! >> 4;
  if (version === 4) return readV4(bytes, at, to);
  return version === 6 ? readV6(bytes, at, to) : "neither IPv4 nor IPv6";
}

function readV4(bytes: Uint8Array, at: number, to: number): PacketHeader | string {
  const header = (bytes[at]! & 15) * 4;
  if (header < 20) return "a header too short for IPv4";
  if (at + header > to) return "cut off";
  const u16 = (place: number): number => (bytes[place]! << 8) | bytes[place + 1]!;
  const u32 = (place: number): number => u16(place) * 65_536 + u16(place + 2);
  if ((u16(at + 6) & 0x1fff) !== 0) return "a later fragment";
  const [source, destination] = [u32(at + 12), u32(at + 16)];
  const total = u16(at + 2) || to - at;
  return readTransport(bytes, at + header, to, {
    source,
    destination,
    protocol: bytes[at + 9]!,
    bytes: total,
  });
}

function readV6(bytes: Uint8Array, at: number, to: number): PacketHeader | string {
  if (at + 40 > to) return "cut off";
  const total = 40 + ((bytes[at + 4]! << 8) | bytes[at + 5]!);
  let next = bytes[at + 6]!;
  let place = at + 40;
  for (let count = 0; ; count += 1) {
    const isShaped = EXTENSIONS.has(next);
    if (!isShaped && next !== FRAGMENT && next !== AUTHENTICATION) break;
    if (count === MOST_EXTENSIONS) return "too many extension headers";
    if (place + 8 > to) return "cut off";
    if (next === FRAGMENT && (((bytes[place + 2]! << 8) | bytes[place + 3]!) & 0xfff8) !== 0) {
      return "a later fragment";
    }
    const units = bytes[place + 1]!;
    const length = isShaped ? (units + 1) * 8 : next === FRAGMENT ? 8 : (units + 2) * 4;
    next = bytes[place]!;
    place += length;
  }
  return readTransport(bytes, place, to, {
    source: wideText(bytes, at + 8),
    destination: wideText(bytes, at + 24),
    protocol: next,
    bytes: total,
  });
}

function wideText(bytes: Uint8Array, at: number): IpAddress {
  let value = 0n;
  for (let place = at; place < at + 16; place += 4) {
    const word =
      bytes[place]! * 16_777_216 +
      ((bytes[place + 1]! << 16) | (bytes[place + 2]! << 8) | bytes[place + 3]!);
    value = (value << 32n) | BigInt(word);
  }
  return formatIp(6, value);
}

function readTransport(
  bytes: Uint8Array,
  at: number,
  to: number,
  network: Pick<PacketHeader, "source" | "destination" | "protocol" | "bytes">,
): PacketHeader | string {
  const { protocol } = network;
  const plain = { ...network, sourcePort: 0, port: 0, flags: 0 };
  if (protocol === ICMP || protocol === ICMPV6) {
    return at + 2 > to ? "cut off" : { ...plain, port: (bytes[at]! << 8) | bytes[at + 1]! };
  }
  if (!WITH_PORTS.has(protocol)) return plain;
  if (at + (protocol === TCP ? 14 : 4) > to) return "cut off";
  return {
    ...plain,
    sourcePort: (bytes[at]! << 8) | bytes[at + 1]!,
    port: (bytes[at + 2]! << 8) | bytes[at + 3]!,
    flags: protocol === TCP ? bytes[at + 13]! : 0,
  };
}
