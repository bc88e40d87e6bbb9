/** Many prefixes of one family in a line: what they leave out, if that is shorter, or how many they are and the largest. */
import { cidrRange, rangeToCidrs, wholeRange, type Cidr, type IpRange } from "@bulkhead/model";

/** More would hide the rest of a line. */
const MOST = 4;

export const isOfIpv4 = (prefix: string): boolean => !prefix.includes(":");

/** All of one family, disjoint. */
export function folded(prefixes: readonly Cidr[]): string {
  if (prefixes.length <= MOST) return prefixes.join(", ");
  const left = between(prefixes.map(cidrRange)).flatMap(rangeToCidrs);
  const everybody = isOfIpv4(prefixes[0]!) ? "0.0.0.0/0" : "::/0";
  if (left.length <= MOST) return `${everybody} but ${left.join(", ")}`;
  const lengthOf = (prefix: string): number => Number(prefix.split("/")[1]);
  const largest = prefixes.toSorted((a, b) => lengthOf(a) - lengthOf(b)).slice(0, MOST);
  return `${prefixes.length} prefixes, ${largest.join(", ")} the largest`;
}

/** What of the family they leave out. */
function between(ranges: readonly IpRange[]): readonly IpRange[] {
  const { family, first, last } = wholeRange(ranges[0]!.family);
  const left: IpRange[] = [];
  let next = first;
  for (const range of ranges.toSorted((a, b) => (a.first < b.first ? -1 : 1))) {
    if (range.first > next) left.push({ family, first: next, last: range.first - 1n });
    next = range.last + 1n;
  }
  return next > last ? left : [...left, { family, first: next, last }];
}
