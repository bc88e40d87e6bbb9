/**
 * The words in which nft speaks of each address family, side by side, so that every rule is written once.
 */
import type { Direction, IpFamily } from "@bulkhead/model";

export interface FamilyWords {
  readonly family: IpFamily;
  readonly type: string;
  /** The connection's true source: before source NAT. */
  readonly source: string;
  /** The connection's true destination: after destination NAT. */
  readonly destination: string;
  /** The packet's own addresses, for packets without a connection. */
  readonly packetSource: string;
  readonly packetDestination: string;
  readonly icmp: number;
}

export const V4: FamilyWords = {
  family: 4,
  type: "ipv4_addr",
  source: "ct original ip saddr",
  destination: "ct reply ip saddr",
  packetSource: "ip saddr",
  packetDestination: "ip daddr",
  icmp: 1,
};

export const V6: FamilyWords = {
  family: 6,
  type: "ipv6_addr",
  source: "ct original ip6 saddr",
  destination: "ct reply ip6 saddr",
  packetSource: "ip6 saddr",
  packetDestination: "ip6 daddr",
  icmp: 58,
};

export const BOTH: readonly FamilyWords[] = [V4, V6];

export const wordsOf = (family: IpFamily): FamilyWords => (family === 4 ? V4 : V6);

/** The other end of a connection, as seen by a subject that sends (egress) or receives (ingress) it. */
export const peerOf = (family: IpFamily, direction: Direction): string => {
  const { source, destination } = wordsOf(family);
  return direction === "egress" ? destination : source;
};
