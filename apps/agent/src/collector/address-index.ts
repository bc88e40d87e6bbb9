/**
 * A fixed-size hash table from addresses (family and four words) to small numbers, in typed arrays: the collector asks
 * it for every connection, so it neither allocates nor makes strings. Full means full: `add` says so, nothing is evicted.
 */

const WORDS = 5;

export interface AddressIndex {
  /** The number of the address, or -1. */
  get(family: number, a0: number, a1: number, a2: number, a3: number): number;
  /** False when the table is full. An address that is there keeps its number. */
  add(family: number, a0: number, a1: number, a2: number, a3: number, value: number): boolean;
  readonly size: number;
  clear(): void;
}

/** Spreads one word into a running hash (the mixing step of MurmurHash3, Appleby, public domain algorithm). */
export function mix(hash: number, word: number): number {
  let k = Math.imul(word, 0xcc9e2d51);
  k = (k << 15) | (k >>> 17);
  k = Math.imul(k, 0x1b873593);
  let h = hash ^ k;
  h = (h << 13) | (h >>> 19);
  return (Math.imul(h, 5) + 0xe6546b64) | 0;
}

/** The final avalanche of the same hash. */
export function finish(hash: number): number {
  let h = hash ^ (hash >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** `seed` makes collisions unpredictable for whoever chooses addresses. */
export function createAddressIndex(maxEntries: number, seed: number): AddressIndex {
  const slots = 1 << Math.ceil(Math.log2(Math.max(maxEntries, 8) * 2));
  const mask = slots - 1;
  const keys = new Uint32Array(slots * WORDS);
  const values = new Int32Array(slots).fill(-1);
  let size = 0;

  const slotOf = (family: number, a0: number, a1: number, a2: number, a3: number): number => {
    let slot = finish(mix(mix(mix(mix(seed ^ family, a0), a1), a2), a3)) & mask;
    for (;;) {
      if (values[slot] === -1) return slot;
      const at = slot * WORDS;
      if (
        keys[at] === family &&
        keys[at + 1] === a0 >>> 0 &&
        keys[at + 2] === a1 >>> 0 &&
        keys[at + 3] === a2 >>> 0 &&
        keys[at + 4] === a3 >>> 0
      )
        return slot;
      slot = (slot + 1) & mask;
    }
  };

  return {
    get: (family, a0, a1, a2, a3) => values[slotOf(family, a0, a1, a2, a3)] ?? -1,
    add(family, a0, a1, a2, a3, value) {
      const slot = slotOf(family, a0, a1, a2, a3);
      if (values[slot] !== -1) return true;
      if (size >= maxEntries) return false;
      const at = slot * WORDS;
      keys[at] = family;
      keys[at + 1] = a0;
      keys[at + 2] = a1;
      keys[at + 3] = a2;
      keys[at + 4] = a3;
      values[slot] = value;
      size++;
      return true;
    },
    get size() {
      return size;
    },
    clear() {
      if (size === 0) return;
      values.fill(-1);
      size = 0;
    },
  };
}
