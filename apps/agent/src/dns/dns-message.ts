/**
 * Reads one DNS answer (RFC 1035, 3596, 2181): the name that was asked for, and the addresses that it stands for, over
 * aliases where there are some. Whatever a resolver or somebody in between sends comes here: nothing throws, names are
 * bounded, and compression may point backwards only, so that it ends.
 */
import { formatIp, type IpAddress } from "@bulkhead/model";

export interface NamedAddress {
  readonly address: IpAddress;
  /** Seconds: the shortest on the way from the name to the address. */
  readonly ttl: number;
}

export type DnsReading =
  | { readonly kind: "answer"; readonly name: string; readonly addresses: readonly NamedAddress[] }
  /** Well formed, and no address for a name: a question, a refusal, another type. */
  | { readonly kind: "nothing" }
  | { readonly kind: "malformed" };

const HEADER = 12;
const A = 1;
const CNAME = 5;
const AAAA = 28;
const IN = 1;
/** Of a name on the wire, its dots and final length included (RFC 1035 §2.3.4). */
const MAX_NAME = 255;
const MAX_RECORDS = 256;
const MAX_ALIASES = 16;

const NOTHING: DnsReading = { kind: "nothing" };
const MALFORMED: DnsReading = { kind: "malformed" };

/** `cut`: the copy may end before the message does; what stands whole in it is read. */
export function readDnsAnswer(message: Uint8Array, cut = false): DnsReading {
  if (message.length < HEADER) return MALFORMED;
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  const flags = view.getUint16(2);
  // Response, standard query, not truncated (the client asks again by TCP), no error.
  if ((flags & 0xfa0f) !== 0x8000 || view.getUint16(4) !== 1) return NOTHING;
  const question = readName(message, HEADER);
  if (question === null || question.next + 4 > message.length) return MALFORMED;
  const type = view.getUint16(question.next);
  if ((type !== A && type !== AAAA) || view.getUint16(question.next + 2) !== IN) return NOTHING;
  const records = readRecords(view, message, question.next + 4, type, cut);
  if (records === null) return MALFORMED;
  const addresses = follow(question.name, records);
  return addresses.length === 0 ? NOTHING : { kind: "answer", name: question.name, addresses };
}

interface Records {
  readonly aliases: ReadonlyMap<string, { readonly target: string; readonly ttl: number }>;
  readonly addresses: ReadonlyMap<string, readonly NamedAddress[]>;
}

function readRecords(
  view: DataView,
  message: Uint8Array,
  start: number,
  type: number,
  cut: boolean,
): Records | null {
  const count = view.getUint16(6);
  const aliases = new Map<string, { target: string; ttl: number }>();
  const addresses = new Map<string, NamedAddress[]>();
  const found: Records = { aliases, addresses };
  const short = cut ? found : null;
  let at = start;
  for (let index = 0; index < Math.min(count, MAX_RECORDS); index++) {
    const owner = readName(message, at);
    if (owner === null) return short;
    at = owner.next + 10;
    if (at > message.length) return short;
    const kind = view.getUint16(owner.next);
    const inet = view.getUint16(owner.next + 2) === IN;
    const seconds = view.getUint32(owner.next + 4);
    // RFC 2181 §8: with the highest bit set it is none.
    const ttl = seconds > 0x7fff_ffff ? 0 : seconds;
    const data = at;
    at += view.getUint16(owner.next + 8);
    if (at > message.length) return short;
    if (!inet) continue;
    if (kind === CNAME) {
      const target = readName(message, data);
      if (target === null || target.next !== at) return null;
      if (!aliases.has(owner.name)) aliases.set(owner.name, { target: target.name, ttl });
    } else if (kind === type) {
      const address = addressAt(view, data, at - data);
      if (address === null) return null;
      const known = addresses.get(owner.name);
      if (known === undefined) addresses.set(owner.name, [{ address, ttl }]);
      else known.push({ address, ttl });
    }
  }
  return found;
}

function addressAt(view: DataView, at: number, length: number): IpAddress | null {
  if (length === 4) return formatIp(4, BigInt(view.getUint32(at)));
  if (length !== 16) return null;
  return formatIp(6, (view.getBigUint64(at) << 64n) | view.getBigUint64(at + 8));
}

/** Nowhere, and the machine that asks: answers of filters, not places. */
const nowhere = (address: IpAddress): boolean =>
  address === "0.0.0.0" || address === "::" || address === "::1" || address.startsWith("127.");

/** Records that do not belong to the name that was asked for are not believed. */
function follow(name: string, { aliases, addresses }: Records): readonly NamedAddress[] {
  let at = name;
  let ttl = Number.POSITIVE_INFINITY;
  for (let step = 0; step < MAX_ALIASES; step++) {
    const alias = aliases.get(at);
    if (alias === undefined) {
      return (addresses.get(at) ?? [])
        .filter(({ address }) => !nowhere(address))
        .map((one) => ({ address: one.address, ttl: Math.min(ttl, one.ttl) }));
    }
    at = alias.target;
    ttl = Math.min(ttl, alias.ttl);
  }
  return [];
}

interface Name {
  /** Lower case, without the final dot. */
  readonly name: string;
  /** Behind the name, where it stands. */
  readonly next: number;
}

/** Null where it is none, or holds what no host's name does: such text is not for people's terminals. */
function readName(message: Uint8Array, start: number): Name | null {
  let name = "";
  let at = start;
  let next = -1;
  let length = 1;
  // A pointer must go before all that was read of this name: so it can follow only so many.
  let bound = start;
  for (;;) {
    const size = message[at];
    if (size === undefined) return null;
    if (size === 0) {
      return name === "" ? null : { name, next: next < 0 ? at + 1 : next };
    }
    if (size >= 0xc0) {
      const low = message[at + 1];
      if (low === undefined) return null;
      const target = ((size & 0x3f) << 8) | low;
      if (target >= bound) return null;
      if (next < 0) next = at + 2;
      at = bound = target;
      continue;
    }
    length += size + 1;
    if (size > 63 || length > MAX_NAME || at + 1 + size > message.length) return null;
    if (name !== "") name += ".";
    for (let byte = at + 1; byte <= at + size; byte++) {
      const letter = letterOf(message[byte]!);
      if (letter === "") return null;
      name += letter;
    }
    at += size + 1;
  }
}

/** Letters, digits, hyphens, and the underscores of services; in lower case, for case means nothing (RFC 4343). */
function letterOf(byte: number): string {
  if (byte >= 0x41 && byte <= 0x5a) return String.fromCharCode(byte + 0x20);
  const plain =
    (byte >= 0x61 && byte <= 0x7a) ||
    (byte >= 0x30 && byte <= 0x39) ||
    byte === 0x2d ||
    byte === 0x5f;
  return plain ? String.fromCharCode(byte) : "";
}
