/** Protocols by the names that logs use, or by number. */
import { ICMP, ICMPV6, SCTP, TCP, UDP, type ProtocolNumber } from "@bulkhead/model";

const NAMES: ReadonlyMap<string, ProtocolNumber> = new Map([
  ["tcp", TCP],
  ["udp", UDP],
  ["icmp", ICMP],
  ["icmp6", ICMPV6],
  ["icmpv6", ICMPV6],
  ["sctp", SCTP],
  ["dccp", 33],
  ["gre", 47],
  ["udplite", 136],
  ["ipip", 4],
]);

export function protocolOf(value: unknown): ProtocolNumber | undefined {
  if (typeof value === "number") return isNumber(value) ? value : undefined;
  if (typeof value !== "string") return undefined;
  const known = NAMES.get(value.toLowerCase());
  if (known !== undefined) return known;
  return /^\d{1,3}$/.test(value) && isNumber(Number(value)) ? Number(value) : undefined;
}

function isNumber(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= 255;
}
