/**
 * Connection tracking as far as taking over needs it: which connections are tracked and in which direction, and
 * writing or deleting single entries (nfnetlink_conntrack.h). Entries made here are as the kernel makes them when it
 * picks a connection up in mid-stream, except that the direction is the true one.
 */
import { parseIp, TCP, type IpAddress } from "@bulkhead/model";
import {
  CONNTRACK_DESTROYED,
  CONNTRACK_NEW,
  TCP_FLAG_BE_LIBERAL,
  TCP_FLAG_SACK_PERM,
} from "../collector/conntrack-message.ts";
import { createAddressTexts } from "../collector/flow-records.ts";
import { eachTracked } from "../collector/tracked-connections.ts";
import { isKernelError } from "../kernel/kernel-error.ts";
import {
  attribute,
  nfgenHeader,
  u16be,
  u32be,
  u8,
  type Attribute,
} from "../kernel/netlink-message.ts";
import type { NetlinkSocket } from "../kernel/netlink-socket.ts";
import { connectionKey, reversed, type LiveConnection } from "./origins.ts";

const AF_INET = 2;
const AF_INET6 = 10;
const NLM_F_EXCL = 0x200;
const NLM_F_CREATE = 0x400;

const CTA_TUPLE_ORIG = 1;
const CTA_TUPLE_REPLY = 2;
const CTA_STATUS = 3;
const CTA_PROTOINFO = 4;
const CTA_TIMEOUT = 7;
const CTA_TUPLE_IP = 1;
const CTA_TUPLE_PROTO = 2;
const CTA_IP_V4 = { source: 1, destination: 2 } as const;
const CTA_IP_V6 = { source: 3, destination: 4 } as const;
const CTA_PROTO_NUM = 1;
const CTA_PROTO_SRC_PORT = 2;
const CTA_PROTO_DST_PORT = 3;
const CTA_PROTOINFO_TCP = 1;
const CTA_PROTOINFO_TCP_STATE = 1;
const CTA_PROTOINFO_TCP_FLAGS_ORIGINAL = 4;
const CTA_PROTOINFO_TCP_FLAGS_REPLY = 5;

const TCP_CONNTRACK_ESTABLISHED = 3;
const IPS_SEEN_REPLY = 2;
const IPS_ASSURED = 4;
const IPS_CONFIRMED = 8;
/** The kernel's own times: five days (`nf_conntrack_tcp_timeout_established`), and `nf_conntrack_udp_timeout_stream`. */
const TCP_TIMEOUT_SECONDS = 432_000;
const UDP_TIMEOUT_SECONDS = 120;

/** By key, in the direction that the kernel has; those without address translation of the destination. */
export type Tracked = ReadonlyMap<string, { readonly connection: LiveConnection; guess: boolean }>;

export function trackedConnections(socket: NetlinkSocket, protocols: ReadonlySet<number>): Tracked {
  const texts = createAddressTexts();
  const found = new Map<string, { readonly connection: LiveConnection; guess: boolean }>();
  eachTracked(
    socket,
    ({ ends, pickedUp, over, closed, translated }) => {
      if (!protocols.has(ends.protocol)) return;
      const connection = {
        protocol: ends.protocol,
        source: texts.text(ends.family, ends.s0, ends.s1, ends.s2, ends.s3),
        sourcePort: ends.sourcePort,
        destination: texts.text(ends.family, ends.d0, ends.d1, ends.d2, ends.d3),
        destinationPort: ends.port,
      };
      const guess = pickedUp && !over && !closed && !translated;
      found.set(connectionKey(connection), { connection, guess });
    },
    () => found.clear(),
  );
  return found;
}

/** False when it is tracked already. `sure`: its direction is known, not guessed. */
export function track(socket: NetlinkSocket, connection: LiveConnection, sure: boolean): boolean {
  const tcp = connection.protocol === TCP;
  try {
    socket.request(
      "tracking a connection",
      CONNTRACK_NEW,
      nfgenHeader(familyOf(connection.source)),
      [
        attribute(CTA_TUPLE_ORIG, tupleOf(connection)),
        attribute(CTA_TUPLE_REPLY, tupleOf(reversed(connection))),
        attribute(CTA_STATUS, u32be(IPS_SEEN_REPLY | IPS_ASSURED | IPS_CONFIRMED)),
        attribute(CTA_TIMEOUT, u32be(tcp ? TCP_TIMEOUT_SECONDS : UDP_TIMEOUT_SECONDS)),
        ...(tcp
          ? [
              tcpState(
                attribute(CTA_PROTOINFO_TCP_STATE, u8(TCP_CONNTRACK_ESTABLISHED)),
                ...tcpFlags(sure),
              ),
            ]
          : []),
      ],
      undefined,
      NLM_F_CREATE | NLM_F_EXCL,
    );
    return true;
  } catch (error) {
    if (isKernelError(error, "EEXIST")) return false;
    throw error;
  }
}

/** Notes that the direction of a tracked TCP connection is known. Nothing, when it has gone by itself. */
export function vouch(socket: NetlinkSocket, connection: LiveConnection): void {
  try {
    socket.request(
      "vouching for a connection",
      CONNTRACK_NEW,
      nfgenHeader(familyOf(connection.source)),
      [attribute(CTA_TUPLE_ORIG, tupleOf(connection)), tcpState(...tcpFlags(true))],
    );
  } catch (error) {
    if (!isKernelError(error, "ENOENT")) throw error;
  }
}

/** False when it has gone by itself. */
export function untrack(socket: NetlinkSocket, connection: LiveConnection): boolean {
  try {
    socket.request(
      "forgetting a connection",
      CONNTRACK_DESTROYED,
      nfgenHeader(familyOf(connection.source)),
      [attribute(CTA_TUPLE_ORIG, tupleOf(connection))],
    );
    return true;
  } catch (error) {
    if (isKernelError(error, "ENOENT")) return false;
    throw error;
  }
}

const tcpState = (...state: readonly Attribute[]): Attribute =>
  attribute(CTA_PROTOINFO, [attribute(CTA_PROTOINFO_TCP, state)]);

/** `struct nf_ct_tcp_flags`: flags and the mask of those meant. Windows that were never seen cannot be judged. */
function tcpFlags(sure: boolean): readonly Attribute[] {
  const mask = TCP_FLAG_BE_LIBERAL | TCP_FLAG_SACK_PERM;
  const flags = Buffer.from([sure ? TCP_FLAG_BE_LIBERAL : mask, mask]);
  return [
    attribute(CTA_PROTOINFO_TCP_FLAGS_ORIGINAL, flags),
    attribute(CTA_PROTOINFO_TCP_FLAGS_REPLY, flags),
  ];
}

function familyOf(address: IpAddress): number {
  return address.includes(":") ? AF_INET6 : AF_INET;
}

function tupleOf(connection: LiveConnection): readonly Attribute[] {
  const types = connection.source.includes(":") ? CTA_IP_V6 : CTA_IP_V4;
  return [
    attribute(CTA_TUPLE_IP, [
      attribute(types.source, bytesOf(connection.source)),
      attribute(types.destination, bytesOf(connection.destination)),
    ]),
    attribute(CTA_TUPLE_PROTO, [
      attribute(CTA_PROTO_NUM, u8(connection.protocol)),
      attribute(CTA_PROTO_SRC_PORT, u16be(connection.sourcePort)),
      attribute(CTA_PROTO_DST_PORT, u16be(connection.destinationPort)),
    ]),
  ];
}

function bytesOf(address: IpAddress): Buffer {
  const parsed = parseIp(address);
  if (parsed === null) throw new Error(`\`${address}\` is no address`);
  const digits = parsed.family === 4 ? 8 : 32;
  return Buffer.from(parsed.value.toString(16).padStart(digits, "0"), "hex");
}
