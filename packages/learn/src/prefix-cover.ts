/**
 * The fewest prefixes that hold all addresses that were seen, and not many more: what an address list becomes in a rule that a
 * person reads. Of IPv6 nothing narrower than /64 is told apart, since hosts change the rest every day (RFC 8981).
 */
import {
  cidrRange,
  formatIp,
  parseIp,
  type Cidr,
  type IpAddress,
  type IpFamily,
  type IpRange,
} from "@bulkhead/model";

const WIDTH = { 4: 32, 6: 128 } as const;
/** Bits of an address that are told apart. */
const UNIT = { 4: 32, 6: 64 } as const;

export interface CoverOptions {
  /** More prefixes than this are no rule that a person reads. */
  readonly most: number;
  /** Of each family, prefixes hold at most so many times what was seen. */
  readonly times: number;
  /** Whether a prefix may stand for what was seen in it. What was seen itself always may. */
  readonly allowed: (range: IpRange) => boolean;
}

export interface Cover {
  readonly cidrs: readonly Cidr[];
  /** How many addresses of IPv4, and networks of 64 bits, were seen, and how many the prefixes hold. */
  readonly seen: number;
  readonly holds: number;
}

/** Undefined: it takes more prefixes than that. */
export function coverAddresses(
  addresses: readonly IpAddress[],
  { most, times, allowed }: CoverOptions,
): Cover | undefined {
  const parts: Cover[] = [];
  for (const family of [4, 6] as const) {
    const units = unitsOf(addresses, family);
    if (units.length === 0) continue;
    const ways = waysOf(treeOf(units, 0), most, isAllowed(family, allowed));
    const way = ways.find((one) => one !== undefined && one.holds <= times * units.length);
    if (way === undefined) return undefined;
    const cidrs = prefixesOf(way)
      .toSorted((a, b) => (a.first < b.first ? -1 : 1))
      .map((node) => cidrOf(family, node));
    parts.push({ cidrs, seen: units.length, holds: way.holds });
  }
  const cidrs = parts.flatMap((part) => part.cidrs);
  if (cidrs.length > most) return undefined;
  const sum = (of: (part: Cover) => number): number =>
    parts.reduce((total, part) => total + of(part), 0);
  return { cidrs, seen: sum(({ seen }) => seen), holds: sum(({ holds }) => holds) };
}

/** Of a prefix, in the same units. */
export function unitsIn(cidr: Cidr): number {
  const { family } = cidrRange(cidr);
  const length = Number(cidr.slice(cidr.lastIndexOf("/") + 1));
  return 2 ** Math.max(0, UNIT[family] - length);
}

function unitsOf(addresses: readonly IpAddress[], family: IpFamily): readonly bigint[] {
  const shift = BigInt(WIDTH[family] - UNIT[family]);
  const values = addresses.flatMap((address) => {
    const parsed = parseIp(address);
    return parsed?.family === family ? [parsed.value >> shift] : [];
  });
  return [...new Set(values)].toSorted((a, b) => (a < b ? -1 : 1));
}

/** A prefix: `first` in units, and how many bits of a unit's number it leaves open. */
interface Node {
  readonly first: bigint;
  readonly open: number;
  readonly halves?: readonly [Node, Node];
}

/** The tree of all prefixes at which what was seen parts. `units`: ascending, and at least one. */
function treeOf(units: readonly bigint[], from: number, until = units.length): Node {
  const first = units[from]!;
  const last = units[until - 1]!;
  if (first === last) return { first, open: 0 };
  const open = (first ^ last).toString(2).length;
  const network = (first >> BigInt(open)) << BigInt(open);
  const middle = network + (1n << BigInt(open - 1));
  let at = from;
  while (units[at]! < middle) at++;
  return { first: network, open, halves: [treeOf(units, from, at), treeOf(units, at, until)] };
}

interface Way {
  readonly holds: number;
  /** One prefix, or what is best in both halves. */
  readonly what: Node | readonly [Way, Way];
}

/** By number of prefixes less one: the way that holds least. */
function waysOf(
  node: Node,
  most: number,
  allowed: (node: Node) => boolean,
): readonly (Way | undefined)[] {
  const whole =
    node.open === 0 || allowed(node) ? { holds: 2 ** node.open, what: node } : undefined;
  const ways: (Way | undefined)[] = [whole];
  if (node.halves === undefined) return ways;
  const [low, high] = node.halves.map((half) => waysOf(half, most - 1, allowed));
  for (const [i, one] of low!.entries()) {
    for (const [j, other] of high!.entries()) {
      if (one === undefined || other === undefined || i + j + 2 > most) continue;
      const holds = one.holds + other.holds;
      const known = ways[i + j + 1];
      if (known === undefined || holds < known.holds)
        ways[i + j + 1] = { holds, what: [one, other] };
    }
  }
  return ways;
}

function prefixesOf({ what }: Way): readonly Node[] {
  return "open" in what ? [what] : what.flatMap(prefixesOf);
}

function isAllowed(family: IpFamily, allowed: CoverOptions["allowed"]): (node: Node) => boolean {
  return (node) => allowed(rangeOf(family, node));
}

function rangeOf(family: IpFamily, { first, open }: Node): IpRange {
  const shift = BigInt(WIDTH[family] - UNIT[family]);
  const start = first << shift;
  return { family, first: start, last: start + (1n << (BigInt(open) + shift)) - 1n };
}

function cidrOf(family: IpFamily, { first, open }: Node): Cidr {
  const shift = BigInt(WIDTH[family] - UNIT[family]);
  return `${formatIp(family, first << shift)}/${UNIT[family] - open}`;
}
