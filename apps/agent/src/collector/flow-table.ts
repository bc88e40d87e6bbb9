/**
 * Folds packets of like connections within one window into one entry each, in memory of a fixed size. What does not fit is
 * refused, never evicted; the caller counts refusals by name. Shares keep one source from filling the table: half of it is
 * divided evenly as guaranteed floors, the other half is open to all, with a ceiling for each.
 *
 * ```
 * capacity  |--- guaranteed: floor per source ---|--- open: first come, each at most a quarter ---|
 * sources     crowd · spoofed · endpoint… (known) · other… (first seen in this window, then the crowd)
 * ```
 */
import { createAddressIndex, finish, mix, type AddressIndex } from "./address-index.ts";
import type { PacketFields } from "./packet.ts";

/** Words of a key: meta, cookie, source, destination, handles of the processes at both ends or 0. */
export const KEY_WORDS = 12;
/** Numbers of an entry, in this order: sourcePort, connections, established, failed, bytes, packets, start, end. */
export const VALUE_NUMBERS = 8;

export const V_SOURCE_PORT = 0;
export const V_CONNECTIONS = 1;
export const V_ESTABLISHED = 2;
export const V_FAILED = 3;
export const V_BYTES = 4;
export const V_PACKETS = 5;
export const V_START = 6;
export const V_END = 7;

/** In the first word of a key. */
export const TRANSLATED = 1 << 6;

const CROWD = 0;
const SPOOFERS = 1;
const FIRST_ENDPOINT = 2;

export interface FlowTableOptions {
  readonly maxKeys: number;
  /** Sources that are no endpoint of ours and still get a share of their own in a window; the rest share one. */
  readonly maxOtherSources: number;
  readonly seed: number;
}

/** The counted part of an entry that `add` accumulates. */
export interface FlowCounts {
  connections: number;
  established: number;
  failed: number;
  bytes: number;
  packets: number;
}

/** Keys and values of one window, `count` entries in order of first sight. */
export interface FlowBatch {
  readonly count: number;
  readonly keys: Uint32Array;
  readonly values: Float64Array;
}

/** Family, verdict, direction, whether the destination is a translated one, protocol and port in one word. */
export function packMeta(
  family: 4 | 6,
  verdict: number,
  direction: number,
  protocol: number,
  port: number,
  translated = false,
): number {
  return (
    ((port << 16) |
      (protocol << 8) |
      (translated ? TRANSLATED : 0) |
      (direction << 4) |
      (verdict << 1) |
      (family === 6 ? 1 : 0)) >>>
    0
  );
}

export class FlowTable {
  /** The key under consideration: fill it with `fillKey` (meta, cookie, source words, destination words), then call `add`. */
  readonly key = new Uint32Array(KEY_WORDS);
  readonly counts: FlowCounts = { connections: 0, established: 0, failed: 0, bytes: 0, packets: 0 };

  readonly #maxKeys: number;
  readonly #maxOther: number;
  readonly #seed: number;
  readonly #mask: number;
  readonly #index: Int32Array;
  readonly #keys: Uint32Array;
  readonly #values: Float64Array;
  #endpoints: AddressIndex;
  readonly #others: AddressIndex;
  #endpointUnits = 0;
  /** Keys each share owner holds in this window: crowd, spoofed, endpoints, others. */
  #held: Int32Array;
  #floor = 0;
  #openHeld = 0;
  #count = 0;

  constructor({ maxKeys, maxOtherSources, seed }: FlowTableOptions) {
    const slots = 1 << Math.ceil(Math.log2(maxKeys * 2));
    this.#maxKeys = maxKeys;
    this.#maxOther = maxOtherSources;
    this.#seed = seed;
    this.#mask = slots - 1;
    this.#index = new Int32Array(slots);
    this.#keys = new Uint32Array(maxKeys * KEY_WORDS);
    this.#values = new Float64Array(maxKeys * VALUE_NUMBERS);
    this.#others = createAddressIndex(maxOtherSources, seed);
    this.#endpoints = createAddressIndex(8, seed);
    this.#held = new Int32Array(0);
    this.setEndpoints(this.#endpoints, 0);
  }

  /** Names the addresses (numbered from 0, one number per endpoint) whose share is guaranteed from now on. Call between windows. */
  setEndpoints(addresses: AddressIndex, endpoints: number): void {
    this.#endpoints = addresses;
    this.#endpointUnits = endpoints;
    const units = FIRST_ENDPOINT + endpoints + this.#maxOther;
    this.#held = new Int32Array(units);
    this.#floor = Math.max(1, Math.floor(this.#maxKeys / 2 / units));
  }

  get size(): number {
    return this.#count;
  }

  /** Fills the key for these ends. */
  fillKey(
    ends: PacketFields,
    verdict: number,
    direction: number,
    cookie: number,
    translated: boolean,
    sourceHandle = 0,
    destinationHandle = 0,
  ): void {
    const key = this.key;
    key[0] = packMeta(ends.family, verdict, direction, ends.protocol, ends.port, translated);
    key[1] = cookie;
    key[2] = ends.s0;
    key[3] = ends.s1;
    key[4] = ends.s2;
    key[5] = ends.s3;
    key[6] = ends.d0;
    key[7] = ends.d1;
    key[8] = ends.d2;
    key[9] = ends.d3;
    key[10] = sourceHandle;
    key[11] = destinationHandle;
  }

  /** Adds `counts` to the entry of `key`, making it if there is room for its source. False when there is none. */
  add(sourcePort: number, now: number): boolean {
    const key = this.key;
    const keys = this.#keys;
    let hash = this.#seed;
    for (let word = 0; word < KEY_WORDS; word++) hash = mix(hash, key[word]!);
    let slot = finish(hash) & this.#mask;
    for (;;) {
      const entry = this.#index[slot]! - 1;
      if (entry < 0) break;
      const at = entry * KEY_WORDS;
      let word = 0;
      while (word < KEY_WORDS && keys[at + word] === key[word]) word++;
      if (word === KEY_WORDS) {
        this.#accumulate(entry * VALUE_NUMBERS, now);
        return true;
      }
      slot = (slot + 1) & this.#mask;
    }
    if (!this.#admit()) return false;
    const entry = this.#count++;
    keys.set(key, entry * KEY_WORDS);
    this.#index[slot] = entry + 1;
    const at = entry * VALUE_NUMBERS;
    this.#values.fill(0, at, at + VALUE_NUMBERS);
    this.#values[at + V_SOURCE_PORT] = sourcePort;
    this.#values[at + V_START] = now;
    this.#accumulate(at, now);
    return true;
  }

  #accumulate(at: number, now: number): void {
    const values = this.#values;
    const counts = this.counts;
    values[at + V_CONNECTIONS]! += counts.connections;
    values[at + V_ESTABLISHED]! += counts.established;
    values[at + V_FAILED]! += counts.failed;
    values[at + V_BYTES]! += counts.bytes;
    values[at + V_PACKETS]! += counts.packets;
    values[at + V_END] = now;
  }

  /** May the source of `key` have one more entry? Takes it from the source's floor first, then from the open half. */
  #admit(): boolean {
    if (this.#count >= this.#maxKeys) return false;
    const unit = this.#unit();
    const held = this.#held[unit]!;
    if (held >= this.#floor) {
      const open = this.#maxKeys >> 1;
      if (this.#openHeld >= open || held - this.#floor >= open >> 2) return false;
      this.#openHeld++;
    }
    this.#held[unit] = held + 1;
    return true;
  }

  #unit(): number {
    const key = this.key;
    // Whoever spoofs chooses the source address freely: it must not gain a share by it, nor use up another's.
    if (((key[0]! >> 1) & 7) === 4) return SPOOFERS;
    const family = key[0]! & 1;
    const endpoint = this.#endpoints.get(family, key[2]!, key[3]!, key[4]!, key[5]!);
    if (endpoint >= 0) return FIRST_ENDPOINT + endpoint;
    const others = this.#others;
    const known = others.get(family, key[2]!, key[3]!, key[4]!, key[5]!);
    if (known >= 0) return known;
    const unit = FIRST_ENDPOINT + this.#endpointUnits + others.size;
    return others.add(family, key[2]!, key[3]!, key[4]!, key[5]!, unit) ? unit : CROWD;
  }

  /** Ends the window: copies out what it holds and starts afresh. */
  take(): FlowBatch {
    const count = this.#count;
    const batch = {
      count,
      keys: this.#keys.slice(0, count * KEY_WORDS),
      values: this.#values.slice(0, count * VALUE_NUMBERS),
    };
    this.#index.fill(0);
    this.#held.fill(0);
    this.#others.clear();
    this.#openHeld = 0;
    this.#count = 0;
    return batch;
  }
}
