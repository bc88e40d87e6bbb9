/**
 * Small numbers for names: the kernel's tables speak of classes, atoms, rows and decisions by number. A name keeps its number
 * for as long as it is in use, so that a change of policy writes what changed and nothing else; a number is given
 * again only after nothing in the kernel can refer to it.
 */
export class Numbers {
  readonly #byName = new Map<string, number>();
  readonly #free: number[] = [];
  #next: number;

  /** `first`: 1 where 0 means none. */
  constructor(first: 0 | 1 = 1) {
    this.#next = first;
  }

  /** How many numbers there are to have room for: one more than the largest. */
  get size(): number {
    return this.#next;
  }

  get(name: string): number | undefined {
    return this.#byName.get(name);
  }

  of(name: string): number {
    const known = this.#byName.get(name);
    if (known !== undefined) return known;
    const number = this.#free.pop() ?? this.#next;
    if (number === this.#next) this.#next += 1;
    this.#byName.set(name, number);
    return number;
  }

  /** The number goes from one name to another: what the kernel knows by it is to be changed in place. */
  rename(from: string, to: string): void {
    const number = this.#byName.get(from);
    if (number === undefined || this.#byName.has(to))
      throw new Error(`\`${from}\` cannot become \`${to}\``);
    this.#byName.delete(from);
    this.#byName.set(to, number);
  }

  /** As read back from the kernel. */
  adopt(name: string, number: number): void {
    this.#byName.set(name, number);
    while (this.#next < number) {
      this.#free.push(this.#next);
      this.#next += 1;
    }
    if (this.#next === number) this.#next += 1;
    else {
      const at = this.#free.indexOf(number);
      if (at !== -1) this.#free.splice(at, 1);
    }
  }

  /** Forgets every name whose number is not in use. To be called when no packet under way can still see what they named. */
  keep(inUse: ReadonlySet<number>): void {
    for (const [name, number] of this.#byName) {
      if (inUse.has(number)) continue;
      this.#byName.delete(name);
      this.#free.push(number);
    }
  }

  entries(): IterableIterator<[string, number]> {
    return this.#byName.entries();
  }
}
