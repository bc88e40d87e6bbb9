/**
 * How a packet seen by a witness is matched with the probe that sent it: by protocol, both addresses, and whatever the
 * protocol has to tell one attempt from another (ports, or the ICMP identifier).
 */
import { ICMP, ICMPV6, TCP, type IpAddress } from "@bulkhead/model";
import { createAddressTexts } from "../collector/flow-records.ts";
import { decodePacket, emptyPacketFields } from "../collector/packet.ts";

export type Sighting = string;

const texts = createAddressTexts();
const fields = emptyPacketFields();

/** `sourcePort`: for ICMP the identifier; for protocols without ports 0. */
export function sightingOf(
  protocol: number,
  source: IpAddress,
  destination: IpAddress,
  sourcePort: number,
  port: number,
): Sighting {
  return `${protocol} ${source} ${destination} ${sourcePort} ${port}`;
}

/** What an IP packet would be the sighting of; null when it cannot be one (unreadable, or a TCP packet that opens nothing). */
export function sightingIn(buffer: Buffer, length: number): Sighting | null {
  const view = new DataView(buffer.buffer, buffer.byteOffset, length);
  if (!decodePacket(view, 0, length, fields)) return null;
  const { protocol, family, transport } = fields;
  if (protocol === TCP && !fields.opensTcp) return null;
  const source = texts.text(family, fields.s0, fields.s1, fields.s2, fields.s3);
  const destination = texts.text(family, fields.d0, fields.d1, fields.d2, fields.d3);
  const isIcmp = protocol === ICMP || protocol === ICMPV6;
  if (isIcmp && transport + 6 > length) return null;
  return sightingOf(
    protocol,
    source,
    destination,
    isIcmp ? view.getUint16(transport + 4) : fields.sourcePort,
    fields.port,
  );
}

/** The same for a raw IPv6 socket, which delivers the transport header alone. */
export function sightingInTransport(
  protocol: number,
  source: IpAddress,
  destination: IpAddress,
  buffer: Buffer,
  length: number,
): Sighting | null {
  switch (protocol) {
    case ICMPV6:
      return length < 6
        ? null
        : sightingOf(protocol, source, destination, buffer.readUInt16BE(4), buffer.readUInt16BE(0));
    case TCP:
      if (length < 14 || (buffer.readUInt8(13) & 0x12) !== 0x02) return null;
      return sightingOf(
        protocol,
        source,
        destination,
        buffer.readUInt16BE(0),
        buffer.readUInt16BE(2),
      );
    default:
      return hasPorts(protocol)
        ? length < 4
          ? null
          : sightingOf(
              protocol,
              source,
              destination,
              buffer.readUInt16BE(0),
              buffer.readUInt16BE(2),
            )
        : sightingOf(protocol, source, destination, 0, 0);
  }
}

const PORT_PROTOCOLS: ReadonlySet<number> = new Set([TCP, 17, 33, 132, 136]);

export function hasPorts(protocol: number): boolean {
  return PORT_PROTOCOLS.has(protocol);
}
