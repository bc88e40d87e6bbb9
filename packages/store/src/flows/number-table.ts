/** A hash table from four numbers to one, in flat memory: what is asked once a record must not make objects. */

const WIDTH = 5;
const SMALLEST = 1024;

export class NumberTable {
  #slots = new Int32Array(SMALLEST * WIDTH);
  #capacity = SMALLEST;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** 0 where there is none: numbers kept begin at 1. */
  get(a: number, b: number, c: number, d: number): number {
    return this.#slots[this.#find(a, b, c, d) + 4] ?? 0;
  }

  set(a: number, b: number, c: number, d: number, value: number): void {
    if ((this.#size + 1) * 2 > this.#capacity) this.#grow();
    const at = this.#find(a, b, c, d);
    const slots = this.#slots;
    if (slots[at + 4] === 0) this.#size += 1;
    slots[at] = a;
    slots[at + 1] = b;
    slots[at + 2] = c;
    slots[at + 3] = d;
    slots[at + 4] = value;
  }

  clear(): void {
    this.#capacity = SMALLEST;
    this.#slots = new Int32Array(SMALLEST * WIDTH);
    this.#size = 0;
  }

  /** Its own slot, or the free one where it would be. */
  #find(a: number, b: number, c: number, d: number): number {
    const slots = this.#slots;
    const last = this.#capacity - 1;
    // Multiplied by odd constants, so that neighbours in any of the four do not lie together (Knuth, TAOCP 3, 6.4).
    let hash = Math.imul(a, 0x9e3779b1) ^ Math.imul(b, 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 15), 0xc2b2ae35) ^ Math.imul(c, 0x27d4eb2f);
    hash = Math.imul(hash ^ (hash >>> 13), 0x165667b1) ^ d;
    let slot = (hash ^ (hash >>> 16)) & last;
    for (;;) {
      const at = slot * WIDTH;
      if (slots[at + 4] === 0) return at;
      if (slots[at] === a && slots[at + 1] === b && slots[at + 2] === c && slots[at + 3] === d)
        return at;
      slot = (slot + 1) & last;
    }
  }

  #grow(): void {
    const old = this.#slots;
    this.#capacity *= 2;
    this.#slots = new Int32Array(this.#capacity * WIDTH);
    this.#size = 0;
    for (let at = 0; at < old.length; at += WIDTH) {
      const [a = 0, b = 0, c = 0, d = 0, value = 0] = old.subarray(at, at + WIDTH);
      if (value !== 0) this.set(a, b, c, d, value);
    }
  }
}
