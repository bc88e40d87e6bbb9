/**
 * How a chain asks for the destination port of a connection. The port is read from conntrack's tuples (after
 * destination NAT), never from the packet, so that replies and ICMP errors about a connection give the same answer.
 * nft 1.0.6 knows the type of `ct reply proto-src` only after a match on the packet's own protocol, hence one rule
 * a protocol, and two more for the ICMP errors that carry such a connection.
 */
import { ICMP, ICMPV6, SCTP, TCP, UDP } from "@bulkhead/model";
import type { ProtocolNumber } from "@bulkhead/model";

const UDPLITE = 136;

/** Protocols whose connections have 16-bit ports in conntrack and in nft. */
const PORTED: ReadonlySet<ProtocolNumber> = new Set([TCP, UDP, SCTP, UDPLITE]);
const ICMPS: readonly ProtocolNumber[] = [ICMP, ICMPV6];

export const hasPorts = (protocol: ProtocolNumber): boolean =>
  PORTED.has(protocol) || ICMPS.includes(protocol);

const DESTINATION_PORT = "ct reply proto-src";
/** Conntrack keeps ICMP's type and code where others have the destination port: type * 256 + code. */
const TYPE_AND_CODE = "ct original proto-dst";

/**
 * Rules that jump by `verdict` (`vmap @m`) on `key(port)` for connections of the given protocols. Protocols without
 * ports have no rule: what decides them is said by protocol alone.
 */
export const portLookups = (
  protocols: Iterable<ProtocolNumber>,
  key: (port: string) => string,
  verdict: string,
): readonly string[] => {
  const asked = [...new Set(protocols)].filter(hasPorts).toSorted((a, b) => a - b);
  const ported = asked.filter((protocol) => PORTED.has(protocol));
  const errors = ported.flatMap((protocol) =>
    ICMPS.map(
      (icmp) => `meta l4proto ${icmp} ct protocol ${protocol} ${key(DESTINATION_PORT)} ${verdict}`,
    ),
  );
  return [
    ...ported.map((protocol) => `meta l4proto ${protocol} ${key(DESTINATION_PORT)} ${verdict}`),
    ...ICMPS.filter((icmp) => asked.includes(icmp)).map(
      (icmp) => `meta l4proto ${icmp} ct protocol ${icmp} ${key(TYPE_AND_CODE)} ${verdict}`,
    ),
    ...errors,
  ];
};
