/** One address that stands for a stretch of the world. */
import { formatIp, parseIp, rangeContains, type IpAddress, type IpRange } from "@bulkhead/model";

/** For documentation (RFC 5737, RFC 3849): nobody's, and everybody sees that they stand for others. */
const EXAMPLES = ["198.51.100.1", "203.0.113.1", "192.0.2.1", "2001:db8::1"].map((address) => ({
  address,
  value: parseIp(address)!,
}));

export function typicalAddress(range: IpRange): IpAddress {
  const example = EXAMPLES.find(({ value }) => rangeContains(range, value));
  if (example !== undefined) return example.address;
  // The network's own address at its start is seldom somebody's.
  const value = range.first < range.last ? range.first + 1n : range.first;
  return formatIp(range.family, value);
}

/** Those that hold an address for documentation come first, else as they were. */
export function typicalFirst(ranges: readonly IpRange[]): IpRange[] {
  const isTypical = (range: IpRange) => EXAMPLES.some(({ value }) => rangeContains(range, value));
  return [...ranges.filter(isTypical), ...ranges.filter((range) => !isTypical(range))];
}
