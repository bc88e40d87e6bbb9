/**
 * IP addresses as text and as numbers, for both families alike.
 * Parsing happens at the edge; inside, an address is its canonical text and, where arithmetic is
 * needed, a bigint. Text forms follow RFC 4291 §2.2 and RFC 5952 (canonical IPv6).
 */

export type IpFamily = 4 | 6;

/** Canonical text of an address: dotted quad, or RFC 5952 IPv6. No zone, no IPv4-mapped IPv6 (those parse to IPv4). */
export type IpAddress = string;

/** One address as a number of its family: 32 bits for IPv4, 128 for IPv6. */
export interface IpValue {
  readonly family: IpFamily;
  readonly value: bigint;
}

const DOT = 46;
const COLON = 58;
const ZERO = 48;
const NINE = 57;
/** The last address of each family. */
export const LAST_ADDRESS = { 4: (1n << 32n) - 1n, 6: (1n << 128n) - 1n } as const;

/**
 * Reads a strict dotted quad in `text[from..]`. Octets with leading zeros are refused: some readers
 * take them for octal, and two meanings of one address are a hole (RFC 6943 §3.1.1).
 * Returns the unsigned 32-bit value, or -1.
 */
const quadFrom = (text: string, from: number): number => {
  let value = 0;
  let octets = 0;
  let at = from;
  const end = text.length;
  while (at < end) {
    const start = at;
    let octet = 0;
    while (at < end) {
      const code = text.charCodeAt(at);
      if (code < ZERO || code > NINE) break;
      octet = octet * 10 + code - ZERO;
      at += 1;
      if (at - start > 3) return -1;
    }
    const digits = at - start;
    if (digits === 0 || octet > 255) return -1;
    if (digits > 1 && text.charCodeAt(start) === ZERO) return -1;
    value = value * 256 + octet;
    octets += 1;
    if (at === end) return octets === 4 ? value : -1;
    if (octets === 4 || text.charCodeAt(at) !== DOT) return -1;
    at += 1;
  }
  return -1;
};

const hexDigit = (code: number): number => {
  if (code >= ZERO && code <= NINE) return code - ZERO;
  const lower = code | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
};

/**
 * Writes the eight 16-bit groups of an IPv6 text (RFC 4291 §2.2, all three forms) into `groups`; false when it is none.
 * Writes in place, because sorting a hundred thousand addresses would otherwise mostly collect garbage.
 */
const readGroups = (text: string, groups: Uint16Array): boolean => {
  const end = text.length;
  if (end < 2 || end > 45) return false;
  let count = 0;
  let gap = -1;
  let at = 0;
  if (text.charCodeAt(0) === COLON) {
    if (text.charCodeAt(1) !== COLON) return false;
    gap = 0;
    at = 2;
  }
  while (at < end) {
    const start = at;
    let group = 0;
    while (at < end) {
      const digit = hexDigit(text.charCodeAt(at));
      if (digit < 0) break;
      group = group * 16 + digit;
      at += 1;
      if (at - start > 4) return false;
    }
    if (at < end && text.charCodeAt(at) === DOT) {
      const quad = quadFrom(text, start);
      if (quad < 0 || count > 6) return false;
      groups[count] = quad >>> 16;
      groups[count + 1] = quad & 0xffff;
      count += 2;
      break;
    }
    if (at === start || count === 8) return false;
    groups[count] = group;
    count += 1;
    if (at === end) break;
    if (text.charCodeAt(at) !== COLON) return false;
    at += 1;
    if (at < end && text.charCodeAt(at) === COLON) {
      if (gap >= 0) return false;
      gap = count;
      at += 1;
    } else if (at === end) {
      return false;
    }
  }
  if (gap < 0) return count === 8;
  if (count > 7) return false;
  const behind = count - gap;
  groups.copyWithin(8 - behind, gap, count);
  groups.fill(0, gap, 8 - behind);
  return true;
};

/** Scratch for one call at a time: nothing here yields while it is in use. */
const SCRATCH = new Uint16Array(8);
const OTHER = new Uint16Array(8);

const groupsOf = (text: string): Uint16Array | null => (readGroups(text, SCRATCH) ? SCRATCH : null);

const isMapped = (g: Uint16Array): boolean =>
  g[5] === 0xffff && g[0] === 0 && g[1] === 0 && g[2] === 0 && g[3] === 0 && g[4] === 0;

const quadText = (value: number): IpAddress =>
  `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`;

const mappedQuad = (g: Uint16Array): number => (g[6] ?? 0) * 65536 + (g[7] ?? 0);

const groupsValue = (g: Uint16Array): bigint => {
  let value = 0n;
  for (let i = 0; i < 8; i += 2) {
    value = (value << 32n) | BigInt((g[i] ?? 0) * 65536 + (g[i + 1] ?? 0));
  }
  return value;
};

/**
 * RFC 5952 §4: lower case, no leading zeros, the longest run of two or more zero groups shortened,
 * the first such run on a tie.
 */
const groupsText = (g: Uint16Array): IpAddress => {
  if (isMapped(g)) return `::ffff:${quadText(mappedQuad(g))}`;
  let best = -1;
  let bestLength = 1;
  for (let i = 0; i < 8; i += 1) {
    if (g[i] !== 0) continue;
    let j = i;
    while (j < 8 && g[j] === 0) j += 1;
    if (j - i > bestLength) {
      best = i;
      bestLength = j - i;
    }
    i = j;
  }
  const hex = (from: number, to: number): string => {
    let out = "";
    for (let i = from; i < to; i += 1) out += (i > from ? ":" : "") + (g[i] ?? 0).toString(16);
    return out;
  };
  return best < 0 ? hex(0, 8) : `${hex(0, best)}::${hex(best + bestLength, 8)}`;
};

const valueGroups = (value: bigint): Uint16Array => {
  for (let i = 0; i < 8; i += 2) {
    const word = Number((value >> BigInt(96 - i * 16)) & 0xffffffffn);
    SCRATCH[i] = word >>> 16;
    SCRATCH[i + 1] = word & 0xffff;
  }
  return SCRATCH;
};

const isV6Text = (text: string): boolean => text.indexOf(":") >= 0;

/** Any textual form of one address; IPv4-mapped IPv6 becomes IPv4. No zones, no surrounding space. */
export const parseIp = (text: string): IpValue | null => {
  if (!isV6Text(text)) {
    const quad = quadFrom(text, 0);
    return quad < 0 ? null : { family: 4, value: BigInt(quad) };
  }
  const groups = groupsOf(text);
  if (groups === null) return null;
  return isMapped(groups)
    ? { family: 4, value: BigInt(mappedQuad(groups)) }
    : { family: 6, value: groupsValue(groups) };
};

/** Canonical text of a number of that family; throws on a number that does not fit. */
export const formatIp = (family: IpFamily, value: bigint): IpAddress => {
  if (value < 0n || value > LAST_ADDRESS[family]) {
    throw new RangeError(`${value} is not an IPv${family} address`);
  }
  return family === 4 ? quadText(Number(value)) : groupsText(valueGroups(value));
};

/** The one canonical text of an address, or null. Costs no bigint arithmetic. */
export const canonicalIp = (text: string): IpAddress | null => {
  if (!isV6Text(text)) return quadFrom(text, 0) < 0 ? null : text;
  const groups = groupsOf(text);
  if (groups === null) return null;
  return isMapped(groups) ? quadText(mappedQuad(groups)) : groupsText(groups);
};

export const isIp = (text: string): boolean => canonicalIp(text) !== null;

export const familyOf = (address: IpAddress): IpFamily => (isV6Text(address) ? 6 : 4);

/** Order of two canonical addresses: IPv4 before IPv6, then by value. Throws on text that is no address. */
export const compareIp = (a: IpAddress, b: IpAddress): number => {
  if (a === b) return 0;
  const a6 = isV6Text(a);
  if (a6 !== isV6Text(b)) return a6 ? 1 : -1;
  if (!a6) {
    const left = quadFrom(a, 0);
    const right = quadFrom(b, 0);
    if (left < 0 || right < 0) throw new RangeError(`\`${left < 0 ? a : b}\` is not an address`);
    return left < right ? -1 : left > right ? 1 : 0;
  }
  if (!readGroups(a, SCRATCH) || !readGroups(b, OTHER)) {
    throw new RangeError(`\`${isIp(a) ? b : a}\` is not an address`);
  }
  for (let i = 0; i < 8; i += 1) {
    const difference = (SCRATCH[i] ?? 0) - (OTHER[i] ?? 0);
    if (difference !== 0) return difference < 0 ? -1 : 1;
  }
  return 0;
};

/**
 * Sorted and without duplicates, in the order of `compareIp`. Every address is parsed once, so this is
 * the way to sort many: a comparator parses each one twenty times.
 */
export const sortIps = (addresses: readonly IpAddress[]): IpAddress[] => {
  const quads: number[] = [];
  const wide: { readonly key: string; readonly text: IpAddress }[] = [];
  for (const address of addresses) {
    if (!isV6Text(address)) {
      const quad = quadFrom(address, 0);
      if (quad < 0) throw new RangeError(`\`${address}\` is not an address`);
      quads.push(quad);
      continue;
    }
    const groups = groupsOf(address);
    if (groups === null) throw new RangeError(`\`${address}\` is not an address`);
    if (isMapped(groups)) quads.push(mappedQuad(groups));
    else wide.push({ key: String.fromCharCode(...groups), text: groupsText(groups) });
  }
  // Short lists are the usual ones (a workload's addresses); a typed array only pays for long ones.
  const sorted =
    quads.length < 64 ? quads.toSorted((a, b) => a - b) : Float64Array.from(quads).toSorted();
  wide.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  const out: IpAddress[] = [];
  let last = -1;
  for (const quad of sorted) {
    if (quad !== last) out.push(quadText(quad));
    last = quad;
  }
  let lastKey = "";
  for (const { key, text } of wide) {
    if (key !== lastKey) out.push(text);
    lastKey = key;
  }
  return out;
};
