/**
 * Reads the ends, protocol and port of one IP packet (RFC 791, RFC 8200) from the first bytes that the kernel logged.
 * Runs once per new connection at full rate, so it fills a reused structure and allocates nothing.
 */
import { ICMP, ICMPV6, SCTP, TCP, UDP } from "@bulkhead/model";

const UDP_LITE = 136;
const DCCP = 33;

// IPv6 extension headers that precede the payload (IANA "IPv6 Extension Header Types").
const HOP_BY_HOP = 0;
const ROUTING = 43;
const FRAGMENT = 44;
const AUTHENTICATION = 51;
const NO_NEXT_HEADER = 59;
const DESTINATION_OPTIONS = 60;
const MOBILITY = 135;
const HIP = 139;
const SHIM6 = 140;
const MAX_EXTENSION_HEADERS = 16;

const TCP_FLAG_SYN = 0x02;
const TCP_FLAG_ACK = 0x10;

/** What a packet says of its flow. Addresses are four big-endian words; IPv4 uses the first and leaves the others 0. */
export interface PacketFields {
  family: 4 | 6;
  protocol: number;
  /** Destination port, ICMP type * 256 + code, or 0. */
  port: number;
  sourcePort: number;
  /** Length on the wire, from the IP header. */
  bytes: number;
  /** Where the transport header starts in the view. */
  transport: number;
  /** TCP with SYN and without ACK: certainly the first packet of a connection, sent by the side that opened it. */
  opensTcp: boolean;
  s0: number;
  s1: number;
  s2: number;
  s3: number;
  d0: number;
  d1: number;
  d2: number;
  d3: number;
}

export function emptyPacketFields(): PacketFields {
  return {
    family: 4,
    protocol: 0,
    port: 0,
    sourcePort: 0,
    bytes: 0,
    transport: 0,
    opensTcp: false,
    s0: 0,
    s1: 0,
    s2: 0,
    s3: 0,
    d0: 0,
    d1: 0,
    d2: 0,
    d3: 0,
  };
}

/** False when the bytes are no IP packet, or end before the header that says protocol and ends. */
export function decodePacket(
  view: DataView,
  start: number,
  end: number,
  out: PacketFields,
): boolean {
  if (start >= end) return false;
  const version = view.getUint8(start) >> 4;
  if (version === 4) return decodeIpv4(view, start, end, out);
  if (version === 6) return decodeIpv6(view, start, end, out);
  return false;
}

function decodeIpv4(view: DataView, start: number, end: number, out: PacketFields): boolean {
  if (start + 20 > end) return false;
  const headerLength = (view.getUint8(start) & 0x0f) * 4;
  if (headerLength < 20) return false;
  out.family = 4;
  out.bytes = view.getUint16(start + 2);
  out.s0 = view.getUint32(start + 12);
  out.d0 = view.getUint32(start + 16);
  out.s1 = out.s2 = out.s3 = out.d1 = out.d2 = out.d3 = 0;
  const fragmentOffset = view.getUint16(start + 6) & 0x1fff;
  return decodeTransport(
    view,
    view.getUint8(start + 9),
    start + headerLength,
    end,
    fragmentOffset !== 0,
    out,
  );
}

function decodeIpv6(view: DataView, start: number, end: number, out: PacketFields): boolean {
  if (start + 40 > end) return false;
  out.family = 6;
  out.bytes = 40 + view.getUint16(start + 4);
  out.s0 = view.getUint32(start + 8);
  out.s1 = view.getUint32(start + 12);
  out.s2 = view.getUint32(start + 16);
  out.s3 = view.getUint32(start + 20);
  out.d0 = view.getUint32(start + 24);
  out.d1 = view.getUint32(start + 28);
  out.d2 = view.getUint32(start + 32);
  out.d3 = view.getUint32(start + 36);
  let next = view.getUint8(start + 6);
  let at = start + 40;
  let laterFragment = false;
  for (let headers = 0; headers < MAX_EXTENSION_HEADERS; headers++) {
    let length: number;
    switch (next) {
      case HOP_BY_HOP:
      case ROUTING:
      case DESTINATION_OPTIONS:
      case MOBILITY:
      case HIP:
      case SHIM6:
        if (at + 2 > end) return false;
        length = (view.getUint8(at + 1) + 1) * 8;
        break;
      case AUTHENTICATION:
        // RFC 4302 counts in words of four bytes, minus two. Policy speaks of what it protects.
        if (at + 2 > end) return false;
        length = (view.getUint8(at + 1) + 2) * 4;
        break;
      case FRAGMENT:
        if (at + 8 > end) return false;
        if ((view.getUint16(at + 2) & 0xfff8) !== 0) laterFragment = true;
        length = 8;
        break;
      case NO_NEXT_HEADER:
        return decodeTransport(view, next, at, end, true, out);
      default:
        return decodeTransport(view, next, at, end, laterFragment, out);
    }
    next = view.getUint8(at);
    at += length;
    if (laterFragment) return decodeTransport(view, next, at, end, true, out);
  }
  return false;
}

/** Later fragments carry no transport header: they keep their protocol and get port 0. */
function decodeTransport(
  view: DataView,
  protocol: number,
  at: number,
  end: number,
  portless: boolean,
  out: PacketFields,
): boolean {
  out.protocol = protocol;
  out.transport = at;
  out.port = 0;
  out.sourcePort = 0;
  out.opensTcp = false;
  if (portless) return true;
  switch (protocol) {
    case TCP:
      if (at + 14 > end) return false;
      out.opensTcp = (view.getUint8(at + 13) & (TCP_FLAG_SYN | TCP_FLAG_ACK)) === TCP_FLAG_SYN;
      out.sourcePort = view.getUint16(at);
      out.port = view.getUint16(at + 2);
      return true;
    case UDP:
    case SCTP:
    case UDP_LITE:
    case DCCP:
      if (at + 4 > end) return false;
      out.sourcePort = view.getUint16(at);
      out.port = view.getUint16(at + 2);
      return true;
    case ICMP:
    case ICMPV6:
      if (at + 2 > end) return false;
      out.port = view.getUint16(at);
      return true;
    default:
      return true;
  }
}

/** Exchanges the two ends: a reply told in its connection's original direction. */
export function swapEnds(fields: PacketFields): void {
  const { s0, s1, s2, s3, sourcePort } = fields;
  fields.s0 = fields.d0;
  fields.s1 = fields.d1;
  fields.s2 = fields.d2;
  fields.s3 = fields.d3;
  fields.d0 = s0;
  fields.d1 = s1;
  fields.d2 = s2;
  fields.d3 = s3;
  if (fields.protocol === ICMP || fields.protocol === ICMPV6) {
    fields.port = requestOf(fields.protocol, fields.port);
    return;
  }
  fields.sourcePort = fields.port;
  fields.port = sourcePort;
}

/** The query type that an ICMP answer belongs to (echo, timestamp, information, address mask; echo and node information in ICMPv6). */
function requestOf(protocol: number, port: number): number {
  const type = port >> 8;
  if (protocol === ICMP) {
    if (type === 0) return 8 << 8;
    if (type === 14 || type === 16 || type === 18) return (type - 1) << 8;
  } else if (type === 129 || type === 140) return (type - 1) << 8;
  return port;
}

/**
 * A TCP packet that conntrack took for a new connection although it is none (picked up in mid-stream) may go either way.
 * Then the side with the port below the range that systems hand out to clients (32768, Linux' `ip_local_port_range`) is the server.
 */
export function looksInverted(sourcePort: number, port: number): boolean {
  return sourcePort !== 0 && sourcePort < 32768 && port >= 32768;
}
