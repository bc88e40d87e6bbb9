/**
 * Which flows take part in a canary: a flow's bucket is a number from 0 to 9999, the same in the kernel and here, and
 * a share of n takes the buckets below n in. The source port is left out, so that whoever tries again stays where it
 * was. The byte form is fixed in `spec/canary-bucket.md`; the hash is lookup3 by Bob Jenkins (public domain, 2006)
 * as Linux has it in `include/linux/jhash.h`.
 */
import { parseIp } from "./ip.ts";
import type { IpAddress } from "./ip.ts";
import type { FlowQuery } from "./decision.ts";
import { ICMP, ICMPV6, SCTP, TCP, UDP } from "./protocol.ts";
import type { ProtocolNumber } from "./protocol.ts";

/** A rollout under way. */
export interface Canary {
  /** 1..2^32-1; chosen when the rollout begins and kept until it ends, so that a larger share holds the smaller one. */
  readonly seed: number;
  /** Of 10,000 buckets so many take part: 1..9999. */
  readonly share: number;
}

/** Buckets, and so the whole of all flows. */
export const CANARY_BUCKETS = 10_000;

const UDPLITE = 136;

/** Protocols whose destination port (for ICMP: type and code) is part of the key. */
export const BUCKET_PORTS: readonly ProtocolNumber[] = [TCP, UDP, SCTP, UDPLITE, ICMP, ICMPV6];

const INITIAL = 0xdeadbeef;
/** The mixing rounds' and the final's rotations, in order. */
const MIX = [4, 6, 8, 16, 19, 4] as const;
const FINAL = [14, 11, 25, 16, 4, 14, 24] as const;

const rotate = (word: number, bits: number): number => (word << bits) | (word >>> (32 - bits));

/** lookup3 (`jhash`) over whole 32-bit words; unsigned. */
export const jhashWords = (words: readonly number[], seed: number): number => {
  const start = (INITIAL + words.length * 4 + seed) | 0;
  let [a, b, c] = [start, start, start];
  const word = (at: number): number => words[at] ?? 0;
  let at = 0;
  for (; words.length - at > 3; at += 3) {
    a = (a + word(at)) | 0;
    b = (b + word(at + 1)) | 0;
    c = (c + word(at + 2)) | 0;
    a = ((a - c) | 0) ^ rotate(c, MIX[0]);
    c = (c + b) | 0;
    b = ((b - a) | 0) ^ rotate(a, MIX[1]);
    a = (a + c) | 0;
    c = ((c - b) | 0) ^ rotate(b, MIX[2]);
    b = (b + a) | 0;
    a = ((a - c) | 0) ^ rotate(c, MIX[3]);
    c = (c + b) | 0;
    b = ((b - a) | 0) ^ rotate(a, MIX[4]);
    a = (a + c) | 0;
    c = ((c - b) | 0) ^ rotate(b, MIX[5]);
    b = (b + a) | 0;
  }
  if (at === words.length) return c >>> 0;
  a = (a + word(at)) | 0;
  b = (b + word(at + 1)) | 0;
  c = (c + word(at + 2)) | 0;
  c = ((c ^ b) - rotate(b, FINAL[0])) | 0;
  a = ((a ^ c) - rotate(c, FINAL[1])) | 0;
  b = ((b ^ a) - rotate(a, FINAL[2])) | 0;
  c = ((c ^ b) - rotate(b, FINAL[3])) | 0;
  a = ((a ^ c) - rotate(c, FINAL[4])) | 0;
  b = ((b ^ a) - rotate(a, FINAL[5])) | 0;
  c = ((c ^ b) - rotate(b, FINAL[6])) | 0;
  return c >>> 0;
};

const swapped = (word: number): number =>
  (((word & 0xff) << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0;

/** An address in network order, read as little-endian words. */
const addressWords = (address: IpAddress): number[] => {
  const parsed = parseIp(address);
  if (parsed === null) throw new TypeError(`\`${address}\` is no address`);
  const words: number[] = [];
  for (let shift = parsed.family === 4 ? 0n : 96n; shift >= 0n; shift -= 32n)
    words.push(swapped(Number((parsed.value >> shift) & 0xffffffffn)));
  return words;
};

/** 0..9999. What the source addressed counts, before any translation: `addressed` where the query knows of one. */
export const canaryBucket = (query: FlowQuery, seed: number): number => {
  const { source, protocol } = query;
  const { destination, port } = query.addressed ?? query;
  const words = [...addressWords(source), ...addressWords(destination), protocol];
  // Two bytes in network order, in front of two that are zero.
  if (BUCKET_PORTS.includes(protocol)) words.push(((port & 0xff) << 8) | (port >>> 8));
  // The kernel's reciprocal_scale: the upper half of a 64-bit product.
  return Math.floor((jhashWords(words, seed) * CANARY_BUCKETS) / 2 ** 32);
};

/** Is the policy of this rollout in force for the flow? */
export const takesPart = (query: FlowQuery, { seed, share }: Canary): boolean =>
  canaryBucket(query, seed) < share;

/** `10%`, `0.5%`, `12.34%`. */
export const formatShare = (share: number): string => `${share / (CANARY_BUCKETS / 100)}%`;

/** The share in buckets, or null where the text is no percentage of two decimals between 0.01 % and 100 %. */
export const parseShare = (text: string): number | null => {
  const parts = /^(\d{1,3})(?:\.(\d{1,2}))?%$/.exec(text);
  if (parts === null) return null;
  const share = Number(parts[1]) * 100 + Number((parts[2] ?? "").padEnd(2, "0"));
  return share >= 1 && share <= CANARY_BUCKETS ? share : null;
};
