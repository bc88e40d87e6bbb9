/**
 * The shape of connection-tracking messages (nfnetlink_conntrack): one connection with both tuples, status, counters and
 * protocol state. Decoded into a reused structure without allocation: DESTROY events come as fast as connections end.
 */
import { SCTP, TCP } from "@bulkhead/model";
import { NLA_TYPE_MASK, NLMSG_HEADER } from "../kernel/netlink-message.ts";
import { emptyPacketFields, type PacketFields } from "./packet.ts";

const NFNL_SUBSYS_CTNETLINK = 1;
const IPCTNL_MSG_CT_NEW = 0;
const IPCTNL_MSG_CT_GET = 1;
const IPCTNL_MSG_CT_DELETE = 2;

export const CONNTRACK_NEW = (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_NEW;
export const CONNTRACK_GET = (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_GET;
export const CONNTRACK_DESTROYED = (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_DELETE;
/** Multicast group of DESTROY events. */
export const NFNLGRP_CONNTRACK_DESTROY = 3;

const CTA_TUPLE_ORIG = 1;
const CTA_TUPLE_REPLY = 2;
const CTA_STATUS = 3;
const CTA_PROTOINFO = 4;
const CTA_COUNTERS_ORIG = 9;
const CTA_COUNTERS_REPLY = 10;
const CTA_ID = 12;
const CTA_TIMESTAMP = 20;

const CTA_TUPLE_IP = 1;
const CTA_TUPLE_PROTO = 2;
const CTA_IP_V4_SRC = 1;
const CTA_IP_V6_SRC = 3;
const CTA_PROTO_NUM = 1;
const CTA_PROTO_SRC_PORT = 2;
const CTA_PROTO_ICMP_TYPE = 5;
const CTA_PROTO_ICMP_CODE = 6;
const CTA_PROTO_ICMPV6_TYPE = 8;
const CTA_PROTO_ICMPV6_CODE = 9;
const CTA_COUNTERS_PACKETS = 1;
const CTA_COUNTERS_BYTES = 2;
const CTA_PROTOINFO_TCP = 1;
const CTA_PROTOINFO_TCP_STATE = 1;
const CTA_PROTOINFO_TCP_FLAGS_ORIGINAL = 4;
const CTA_TIMESTAMP_START = 1;

const IPS_SEEN_REPLY = 2;
const IPS_ASSURED = 4;
const IPS_DST_NAT = 0x20;
const TCP_CONNTRACK_LAST_ACK = 6;
const TCP_CONNTRACK_CLOSE = 8;
/**
 * Both are set by the kernel on connections that it picked up in mid-stream (`tcp_new` in nf_conntrack_proto_tcp.c): who
 * opened them is a guess. Those that were entered because their sockets told bear the second alone.
 */
export const TCP_FLAG_SACK_PERM = 0x02;
export const TCP_FLAG_BE_LIBERAL = 0x08;
const GUESSED = TCP_FLAG_SACK_PERM | TCP_FLAG_BE_LIBERAL;

export interface Connection {
  /** Source as the client sent it, destination and port after DNAT: what the datapath judged. */
  readonly ends: PacketFields;
  id: number;
  /** Told by the destruction of the entry: these numbers are final. */
  final: boolean;
  seenReply: boolean;
  assured: boolean;
  /** The destination is not the one that was addressed. */
  translated: boolean;
  /** TCP only: torn down (by RST). */
  closed: boolean;
  /** TCP only: both sides have closed, or one has reset; a half-closed connection still lives. */
  over: boolean;
  /** TCP only: picked up in mid-stream, and no socket told who opened it. */
  pickedUp: boolean;
  bytes: number;
  packets: number;
  /** Milliseconds since the epoch, 0 when the kernel did not note it. */
  start: number;
}

export function emptyConnection(): Connection {
  return {
    ends: emptyPacketFields(),
    id: 0,
    final: false,
    seenReply: false,
    assured: false,
    translated: false,
    closed: false,
    over: false,
    pickedUp: false,
    bytes: 0,
    packets: 0,
    start: 0,
  };
}

/** Has the connection come about? TCP and SCTP by their handshake (ASSURED), the others by an answer. */
export function isEstablished(connection: Connection): boolean {
  return isHandshaking(connection.ends.protocol) ? connection.assured : connection.seenReply;
}

export function isHandshaking(protocol: number): boolean {
  return protocol === TCP || protocol === SCTP;
}

/** Decodes the message whose netlink header starts at `start`. False when it is no connection or lacks its tuples. */
export function decodeConnection(
  view: DataView,
  start: number,
  end: number,
  out: Connection,
): boolean {
  const type = view.getUint16(start + 4, true);
  if (type !== CONNTRACK_NEW && type !== CONNTRACK_DESTROYED) return false;
  out.final = type === CONNTRACK_DESTROYED;
  out.id = out.bytes = out.packets = out.start = 0;
  out.seenReply = out.assured = out.translated = false;
  out.closed = out.over = out.pickedUp = false;
  const ends = out.ends;
  ends.protocol = -1;
  ends.bytes = 0;
  ends.opensTcp = false;
  let tuples = 0;
  let at = start + NLMSG_HEADER + 4;
  while (at + 4 <= end) {
    const length = view.getUint16(at, true);
    if (length < 4 || at + length > end) break;
    const last = at + length;
    switch (view.getUint16(at + 2, true) & NLA_TYPE_MASK) {
      case CTA_TUPLE_ORIG:
        decodeTuple(view, at + 4, last, ends, true);
        tuples |= 1;
        break;
      case CTA_TUPLE_REPLY:
        decodeTuple(view, at + 4, last, ends, false);
        tuples |= 2;
        break;
      case CTA_STATUS: {
        const status = view.getUint32(at + 4);
        out.seenReply = (status & IPS_SEEN_REPLY) !== 0;
        out.assured = (status & IPS_ASSURED) !== 0;
        out.translated = (status & IPS_DST_NAT) !== 0;
        break;
      }
      case CTA_PROTOINFO:
        decodeProtocolState(view, at + 4, last, out);
        break;
      case CTA_COUNTERS_ORIG:
      case CTA_COUNTERS_REPLY:
        decodeCounters(view, at + 4, last, out);
        break;
      case CTA_ID:
        out.id = view.getUint32(at + 4);
        break;
      case CTA_TIMESTAMP:
        decodeTimestamp(view, at + 4, last, out);
        break;
    }
    at += (length + 3) & ~3;
  }
  return tuples === 3 && ends.protocol >= 0;
}

/** The original tuple gives source, source port and ICMP type; the reply tuple's source is the destination after DNAT. */
function decodeTuple(
  view: DataView,
  from: number,
  to: number,
  ends: PacketFields,
  original: boolean,
): void {
  for (let at = from; at + 4 <= to;) {
    const length = view.getUint16(at, true);
    if (length < 4) return;
    const type = view.getUint16(at + 2, true) & NLA_TYPE_MASK;
    if (type === CTA_TUPLE_IP) decodeTupleAddress(view, at + 4, at + length, ends, original);
    else if (type === CTA_TUPLE_PROTO)
      decodeTupleProtocol(view, at + 4, at + length, ends, original);
    at += (length + 3) & ~3;
  }
}

function decodeTupleAddress(
  view: DataView,
  from: number,
  to: number,
  ends: PacketFields,
  original: boolean,
): void {
  for (let at = from; at + 4 <= to;) {
    const length = view.getUint16(at, true);
    if (length < 4) return;
    const type = view.getUint16(at + 2, true) & NLA_TYPE_MASK;
    const value = at + 4;
    if (type === CTA_IP_V4_SRC) {
      ends.family = 4;
      if (original) {
        ends.s0 = view.getUint32(value);
        ends.s1 = ends.s2 = ends.s3 = 0;
      } else {
        ends.d0 = view.getUint32(value);
        ends.d1 = ends.d2 = ends.d3 = 0;
      }
    } else if (type === CTA_IP_V6_SRC) {
      ends.family = 6;
      if (original) {
        ends.s0 = view.getUint32(value);
        ends.s1 = view.getUint32(value + 4);
        ends.s2 = view.getUint32(value + 8);
        ends.s3 = view.getUint32(value + 12);
      } else {
        ends.d0 = view.getUint32(value);
        ends.d1 = view.getUint32(value + 4);
        ends.d2 = view.getUint32(value + 8);
        ends.d3 = view.getUint32(value + 12);
      }
    }
    at += (length + 3) & ~3;
  }
}

function decodeTupleProtocol(
  view: DataView,
  from: number,
  to: number,
  ends: PacketFields,
  original: boolean,
): void {
  if (original) ends.port = ends.sourcePort = 0;
  for (let at = from; at + 4 <= to;) {
    const length = view.getUint16(at, true);
    if (length < 4) return;
    const value = at + 4;
    switch (view.getUint16(at + 2, true) & NLA_TYPE_MASK) {
      case CTA_PROTO_NUM:
        ends.protocol = view.getUint8(value);
        break;
      case CTA_PROTO_SRC_PORT:
        if (original) ends.sourcePort = view.getUint16(value);
        else ends.port = view.getUint16(value);
        break;
      case CTA_PROTO_ICMP_TYPE:
      case CTA_PROTO_ICMPV6_TYPE:
        if (original) ends.port = (ends.port & 0xff) | (view.getUint8(value) << 8);
        break;
      case CTA_PROTO_ICMP_CODE:
      case CTA_PROTO_ICMPV6_CODE:
        if (original) ends.port = (ends.port & 0xff00) | view.getUint8(value);
        break;
    }
    at += (length + 3) & ~3;
  }
}

function decodeCounters(view: DataView, from: number, to: number, out: Connection): void {
  for (let at = from; at + 12 <= to;) {
    const length = view.getUint16(at, true);
    if (length < 4) return;
    // Two words rather than a BigInt: exact up to 2^53, and nothing is allocated.
    const value = view.getUint32(at + 4) * 4_294_967_296 + view.getUint32(at + 8);
    const type = view.getUint16(at + 2, true) & NLA_TYPE_MASK;
    if (type === CTA_COUNTERS_PACKETS) out.packets += value;
    else if (type === CTA_COUNTERS_BYTES) out.bytes += value;
    at += (length + 3) & ~3;
  }
}

function decodeProtocolState(view: DataView, from: number, to: number, out: Connection): void {
  if (from + 4 > to || (view.getUint16(from + 2, true) & NLA_TYPE_MASK) !== CTA_PROTOINFO_TCP)
    return;
  const last = Math.min(to, from + view.getUint16(from, true));
  for (let at = from + 4; at + 5 <= last;) {
    const length = view.getUint16(at, true);
    if (length < 4) return;
    const type = view.getUint16(at + 2, true) & NLA_TYPE_MASK;
    if (type === CTA_PROTOINFO_TCP_STATE) {
      const state = view.getUint8(at + 4);
      out.closed = state === TCP_CONNTRACK_CLOSE;
      out.over = state >= TCP_CONNTRACK_LAST_ACK && state <= TCP_CONNTRACK_CLOSE;
    } else if (type === CTA_PROTOINFO_TCP_FLAGS_ORIGINAL)
      out.pickedUp = (view.getUint8(at + 4) & GUESSED) === GUESSED;
    at += (length + 3) & ~3;
  }
}

function decodeTimestamp(view: DataView, from: number, to: number, out: Connection): void {
  for (let at = from; at + 12 <= to;) {
    const length = view.getUint16(at, true);
    if (length < 4) return;
    const type = view.getUint16(at + 2, true) & NLA_TYPE_MASK;
    if (type === CTA_TIMESTAMP_START)
      out.start = Math.floor(
        (view.getUint32(at + 4) * 4_294_967_296 + view.getUint32(at + 8)) / 1_000_000,
      );
    at += (length + 3) & ~3;
  }
}
