/**
 * Which connections a source has told of before, for sources that tell of one again and again (every interval, at every
 * interface, in both directions). Fixed memory: two tables of numbers, of which the older is forgotten when the newer is full;
 * a connection forgotten counts as new.
 */

/** Of either kind, so many are remembered at least. */
const REMEMBERED = 131_072;
/** Bits of a connection's state. */
export const ANSWERED = 1;
export const REFUSED = 2;

interface Table {
  readonly first: Uint32Array;
  readonly second: Uint32Array;
  readonly last: Float64Array;
  readonly state: Uint8Array;
  used: number;
}

export class KnownConnections {
  readonly #slots: number;
  readonly #most: number;
  #young: Table;
  #old: Table;
  /** Slot in `#young` that the last `meet` or `find` ended at. */
  #at = 0;

  constructor(remembered = REMEMBERED) {
    this.#most = remembered;
    // At most half full, so that a search ends soon.
    this.#slots = 2 ** Math.ceil(Math.log2(remembered * 2));
    // Most files are small, and need neither.
    this.#young = EMPTY;
    this.#old = EMPTY;
  }

  /** Is it known? If so it is the one that `last` and `state` are about. */
  find(a: number, b: number, c: number): boolean {
    const first = mix(a, b, c) | 1;
    const second = mix(c ^ 0x9e3779b9, a, b) >>> 0;
    return this.#search(first >>> 0, second);
  }

  /** As `find`, and it is known from now on. */
  meet(a: number, b: number, c: number): boolean {
    const first = (mix(a, b, c) | 1) >>> 0;
    const second = mix(c ^ 0x9e3779b9, a, b) >>> 0;
    if (this.#search(first, second)) return true;
    this.#insert(first, second, Number.NEGATIVE_INFINITY, 0);
    return false;
  }

  get last(): number {
    return this.#young.last[this.#at]!;
  }
  set last(time: number) {
    this.#young.last[this.#at] = time;
  }
  get state(): number {
    return this.#young.state[this.#at]!;
  }
  set state(bits: number) {
    this.#young.state[this.#at] = bits;
  }

  #search(first: number, second: number): boolean {
    const young = slotOf(this.#young, first, second);
    this.#at = young;
    if (this.#young.first[young] !== 0) return true;
    const old = slotOf(this.#old, first, second);
    if (this.#old.first[old] === 0) return false;
    this.#insert(first, second, this.#old.last[old]!, this.#old.state[old]!);
    return true;
  }

  #insert(first: number, second: number, last: number, state: number): void {
    if (this.#young === EMPTY) this.#young = makeTable(this.#slots);
    if (this.#young.used >= this.#most) {
      const forgotten = this.#old === EMPTY ? makeTable(this.#slots) : this.#old;
      this.#old = this.#young;
      forgotten.first.fill(0);
      forgotten.used = 0;
      this.#young = forgotten;
    }
    const at = slotOf(this.#young, first, second);
    this.#young.first[at] = first;
    this.#young.second[at] = second;
    this.#young.last[at] = last;
    this.#young.state[at] = state;
    this.#young.used += 1;
    this.#at = at;
  }
}

function makeTable(slots: number): Table {
  return {
    first: new Uint32Array(slots),
    second: new Uint32Array(slots),
    last: new Float64Array(slots),
    state: new Uint8Array(slots),
    used: 0,
  };
}

/** In which nothing is found, and nothing is put. */
const EMPTY: Table = makeTable(1);

/** Where it is, or where it would be. */
function slotOf({ first: firsts, second: seconds }: Table, first: number, second: number): number {
  const mask = firsts.length - 1;
  let at = (first >>> 1) & mask;
  while (firsts[at] !== 0 && (firsts[at] !== first || seconds[at] !== second)) at = (at + 1) & mask;
  return at;
}

/** MurmurHash3's steps over three words. */
function mix(a: number, b: number, c: number): number {
  let h = 0x2c1b3c6d;
  for (const word of [a, b, c]) {
    let k = Math.imul(word, 0xcc9e2d51);
    k = (k << 15) | (k >>> 17);
    h ^= Math.imul(k, 0x1b873593);
    h = (h << 13) | (h >>> 19);
    h = (Math.imul(h, 5) + 0xe6546b64) | 0;
  }
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** Words for the parts of a connection. `from`: another word for each. */
export function wordOfText(text: string, from = 0x811c9dc5): number {
  let h = from;
  for (let at = 0; at < text.length; at += 1) h = Math.imul(h ^ text.charCodeAt(at), 0x01000193);
  return h;
}

/** Of an end, by a seed that nobody knows: of what he chooses himself nobody finds two that have one word. */
export function wordOfEnd(address: string, port: number, seed: number): number {
  let h = Math.imul(seed ^ port, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return wordOfText(address, h ^ (h >>> 16));
}

export function wordOfPorts(protocol: number, port: number, sourcePort: number): number {
  return Math.imul((port << 16) | sourcePort, 31) ^ Math.imul(protocol, 0x01000193);
}
