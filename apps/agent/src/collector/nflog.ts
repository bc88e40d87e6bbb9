/**
 * The packet log of netfilter (nfnetlink_log): binding a group, and the shape of its messages. Rules of ours log the first
 * packet of each connection to one group with a prefix that says what happened to it (`log-prefix.ts`).
 */
import { isKernelError, KernelError } from "../kernel/kernel-error.ts";
import {
  attribute,
  nfgenHeader,
  NLMSG_HEADER,
  u16be,
  u32be,
  u8,
} from "../kernel/netlink-message.ts";
import { NETLINK_NETFILTER, openNetlink, type NetlinkSocket } from "../kernel/netlink-socket.ts";
import { decodePacket, looksInverted, swapEnds, type PacketFields } from "./packet.ts";
import { FORWARDED, parsePrefixBytes, type PrefixFields } from "./log-prefix.ts";
import { TCP } from "@bulkhead/model";

const NFNL_SUBSYS_ULOG = 4;
const NFULNL_MSG_PACKET = 0;
const NFULNL_MSG_CONFIG = 1;
const NFULA_CFG_CMD = 1;
const NFULA_CFG_MODE = 2;
const NFULA_CFG_NLBUFSIZ = 3;
const NFULA_CFG_TIMEOUT = 4;
const NFULA_CFG_QTHRESH = 5;
const NFULA_CFG_FLAGS = 6;
const NFULNL_CFG_CMD_BIND = 1;
const NFULNL_COPY_PACKET = 2;
const NFULNL_CFG_F_SEQ = 1;
const NFULA_PAYLOAD = 9;
const NFULA_PREFIX = 10;
const NFULA_SEQ = 12;

export const NFLOG_PACKET_MESSAGE = (NFNL_SUBSYS_ULOG << 8) | NFULNL_MSG_PACKET;

export interface NflogTuning {
  /** Bytes of each packet: enough for IPv6 with a few extension headers and the ports behind them. */
  readonly copyRange: number;
  /** Messages the kernel gathers into one datagram before it hands it over … */
  readonly threshold: number;
  /** … unless this time passes first. Kernel granularity: 10 ms. */
  readonly flushMs: number;
  /** Size of one such datagram; also what a nearly empty one costs in the receive buffer. */
  readonly datagramBytes: number;
}

// Measured on two cores with 300 B a message: larger datagrams gain nothing more, smaller ones cost a wake-up each.
export const NFLOG_TUNING: NflogTuning = {
  copyRange: 128,
  threshold: 100,
  flushMs: 20,
  datagramBytes: 65_536,
};

/** Opens a socket in the current network namespace and binds the group to it. Throws when another reader holds the group. */
export function openNflog(group: number, tuning: NflogTuning = NFLOG_TUNING): NetlinkSocket {
  const socket = openNetlink(NETLINK_NETFILTER);
  const configure = (doing: string, type: number, value: Buffer): void =>
    socket.request(doing, (NFNL_SUBSYS_ULOG << 8) | NFULNL_MSG_CONFIG, nfgenHeader(0, group), [
      attribute(type, value),
    ]);
  try {
    try {
      configure(`binding packet log group ${group}`, NFULA_CFG_CMD, u8(NFULNL_CFG_CMD_BIND));
    } catch (error) {
      // EPERM is the kernel's word both for a group that another socket holds and for a lack of rights.
      if (isKernelError(error, "EPERM", "EBUSY"))
        throw new KernelError(
          "netlink",
          error.errno,
          `packet log group ${group} is read by another process (a second agent?), or this one may not administer the network`,
        );
      throw error;
    }
    // be32 range, mode, padding: the kernel's `struct nfulnl_msg_config_mode` is packed to six bytes.
    configure(
      "setting the copied range",
      NFULA_CFG_MODE,
      Buffer.concat([u32be(tuning.copyRange), u8(NFULNL_COPY_PACKET), u8(0)]),
    );
    configure("setting the datagram size", NFULA_CFG_NLBUFSIZ, u32be(tuning.datagramBytes));
    configure(
      "setting the flush time",
      NFULA_CFG_TIMEOUT,
      u32be(Math.max(1, Math.round(tuning.flushMs / 10))),
    );
    configure("setting the threshold", NFULA_CFG_QTHRESH, u32be(tuning.threshold));
    configure("asking for sequence numbers", NFULA_CFG_FLAGS, u16be(NFULNL_CFG_F_SEQ));
    return socket;
  } catch (error) {
    socket.close();
    throw error;
  }
}

/** What one log message says; reused for every message. */
export interface LogMessage {
  readonly packet: PacketFields;
  readonly prefix: PrefixFields;
  /** The kernel's running number of the message in its group, or -1. */
  sequence: number;
}

/** Where the parts of a log message lie in the view; reused for every message. */
export interface LogParts {
  payloadStart: number;
  payloadEnd: number;
  prefixStart: number;
  prefixEnd: number;
  /** The kernel's running number of the message in its group, or -1. */
  sequence: number;
}

export function emptyLogParts(): LogParts {
  return { payloadStart: 0, payloadEnd: 0, prefixStart: 0, prefixEnd: 0, sequence: -1 };
}

/** False when it is no packet message: the kernel ends each datagram with one of another kind. */
export function findLogParts(view: DataView, start: number, end: number, out: LogParts): boolean {
  if (view.getUint16(start + 4, true) !== NFLOG_PACKET_MESSAGE) return false;
  out.payloadStart = out.payloadEnd = out.prefixStart = out.prefixEnd = 0;
  out.sequence = -1;
  let at = start + NLMSG_HEADER + 4;
  while (at + 4 <= end) {
    const length = view.getUint16(at, true);
    if (length < 4 || at + length > end) break;
    switch (view.getUint16(at + 2, true)) {
      case NFULA_PAYLOAD:
        out.payloadStart = at + 4;
        out.payloadEnd = at + length;
        break;
      case NFULA_PREFIX:
        out.prefixStart = at + 4;
        out.prefixEnd = at + length;
        break;
      case NFULA_SEQ:
        out.sequence = view.getUint32(at + 4);
        break;
    }
    at += (length + 3) & ~3;
  }
  return true;
}

const parts = emptyLogParts();

/**
 * Decodes the message whose netlink header starts at `start`. Result: `ours`, `foreign` (another prefix),
 * `malformed` (our prefix, but no readable packet), or `none` (no packet message).
 */
export function decodeLogMessage(
  view: DataView,
  start: number,
  end: number,
  out: LogMessage,
): "ours" | "foreign" | "malformed" | "none" {
  if (!findLogParts(view, start, end, parts)) return "none";
  out.sequence = parts.sequence;
  if (!parsePrefixBytes(view, parts.prefixStart, parts.prefixEnd, out.prefix)) return "foreign";
  const packet = out.packet;
  if (!decodePacket(view, parts.payloadStart, parts.payloadEnd, packet)) return "malformed";
  if (out.prefix.reply) swapEnds(packet);
  else if (
    packet.protocol === TCP &&
    !packet.opensTcp &&
    out.prefix.verdict === FORWARDED &&
    looksInverted(packet.sourcePort, packet.port)
  )
    swapEnds(packet);
  return "ours";
}
