/**
 * Prefixes and ranges of addresses. A range is the general form, a prefix the one people write; both are of one family.
 */
import {
  familyOf,
  formatIp,
  LAST_ADDRESS,
  parseIp,
  type IpAddress,
  type IpFamily,
  type IpValue,
} from "./ip.ts";

/** Canonical text `address/length` with all host bits zero. */
export type Cidr = `${string}/${number}`;

/** A closed range of addresses of one family, `first <= last`. */
export interface IpRange {
  readonly family: IpFamily;
  readonly first: bigint;
  readonly last: bigint;
}

export interface ParsedCidr {
  readonly cidr: Cidr;
  readonly range: IpRange;
  /** The text had bits set below the prefix length; `cidr` and `range` have them cleared. */
  readonly hadHostBits: boolean;
}

const MAPPED_PREFIX = 0xffffn;
const WIDTH = { 4: 32, 6: 128 } as const;

const hostMask = (family: IpFamily, length: number): bigint =>
  (1n << BigInt(WIDTH[family] - length)) - 1n;

const lengthOf = (text: string): number => (/^(?:0|[1-9]\d{0,2})$/.test(text) ? Number(text) : -1);

/** `address/length`; host bits are cleared and told. A bare address is refused: say `/32` or `/128`. */
export const parseCidr = (text: string): ParsedCidr | null => {
  const slash = text.indexOf("/");
  if (slash < 0) return null;
  const ip = parseIp(text.slice(0, slash));
  let length = lengthOf(text.slice(slash + 1));
  if (ip === null || length < 0) return null;
  let { family, value } = ip;
  if (family === 4 && text.includes(":")) {
    // An IPv4-mapped prefix: its length counts from the IPv6 side.
    if (length > 128) return null;
    if (length >= 96) length -= 96;
    else {
      family = 6;
      value |= MAPPED_PREFIX << 32n;
    }
  }
  if (length > WIDTH[family]) return null;
  const mask = hostMask(family, length);
  const first = value & ~mask;
  return {
    cidr: `${formatIp(family, first)}/${length}`,
    range: { family, first, last: first | mask },
    hadHostBits: first !== value,
  };
};

/** A prefix, or an address for itself alone, as several dialects let people write it. */
export const parseCidrOrAddress = (text: string): ParsedCidr | null =>
  parseCidr(text) ?? parseCidr(`${text}/${text.includes(":") ? 128 : 32}`);

/** The prefix of this address alone. */
export const hostCidr = (address: IpAddress): Cidr => `${address}/${WIDTH[familyOf(address)]}`;

/** The addresses of a canonical prefix; throws on text that is none. */
export const cidrRange = (cidr: Cidr): IpRange => {
  const parsed = parseCidr(cidr);
  if (parsed === null) throw new RangeError(`\`${cidr}\` is not a prefix`);
  return parsed.range;
};

/** The shortest list of prefixes that covers exactly the range, ascending. */
export const rangeToCidrs = (range: IpRange): Cidr[] => {
  const { family, last } = range;
  const width = WIDTH[family];
  const out: Cidr[] = [];
  let first = range.first;
  while (first <= last) {
    let bits = 0;
    while (bits < width) {
      const block = (1n << BigInt(bits + 1)) - 1n;
      if ((first & block) !== 0n || first + block > last) break;
      bits += 1;
    }
    out.push(`${formatIp(family, first)}/${width - bits}`);
    first += 1n << BigInt(bits);
  }
  return out;
};

export const rangeContains = (range: IpRange, ip: IpValue): boolean =>
  range.family === ip.family && range.first <= ip.value && ip.value <= range.last;

/** Does `outer` hold every address of `inner`? */
export const rangeCovers = (outer: IpRange, inner: IpRange): boolean =>
  outer.family === inner.family && outer.first <= inner.first && inner.last <= outer.last;

export const cidrCovers = (outer: Cidr, inner: Cidr): boolean =>
  rangeCovers(cidrRange(outer), cidrRange(inner));

/** All addresses of a family: `0.0.0.0/0` or `::/0`. */
export const wholeRange = (family: IpFamily): IpRange => ({
  family,
  first: 0n,
  last: LAST_ADDRESS[family],
});
