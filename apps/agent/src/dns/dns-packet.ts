/** From a copied packet to the DNS messages in it: one over UDP, any number with a length in front over TCP. */
import { TCP, UDP } from "@bulkhead/model";
import type { PacketFields } from "../collector/packet.ts";

const DNS_PORT = 53;
const MAX_MESSAGES = 16;

export interface DnsPayload {
  readonly message: Uint8Array;
  /** The copy ends before the message does. */
  readonly cut: boolean;
}

/** Of a packet that came from a resolver; null for any other, and for what is no beginning of a message over TCP. */
export function dnsPayloads(
  view: DataView,
  end: number,
  packet: PacketFields,
): readonly DnsPayload[] | null {
  if (packet.sourcePort !== DNS_PORT) return null;
  const { transport } = packet;
  const bytes = (from: number, to: number): Uint8Array =>
    new Uint8Array(view.buffer, view.byteOffset + from, Math.max(0, Math.min(to, end) - from));
  if (packet.protocol === UDP) {
    if (transport + 8 > end) return null;
    const to = transport + view.getUint16(transport + 4);
    return to < transport + 8 ? null : [{ message: bytes(transport + 8, to), cut: to > end }];
  }
  if (packet.protocol !== TCP || transport + 20 > end) return null;
  const found: DnsPayload[] = [];
  let at = transport + (view.getUint8(transport + 12) >> 4) * 4;
  if (at < transport + 20) return null;
  while (at + 2 <= end && found.length < MAX_MESSAGES) {
    const to = at + 2 + view.getUint16(at);
    found.push({ message: bytes(at + 2, to), cut: to > end });
    at = to;
  }
  return found;
}
