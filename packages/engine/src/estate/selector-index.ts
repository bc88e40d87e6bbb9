/**
 * Selectors by what they ask for, and things with labels by what they carry: most selectors name a label with its value, so
 * that only those who carry it need to be asked. What an index gives are candidates; whether a selector holds is asked of it.
 */
import type { Labels, Requirement, Selector } from "@bulkhead/model";

type Naming = Extract<Requirement, { readonly values: readonly string[] }>;

/** The requirement that says which values there may be; undefined: anything may be there. */
function namingOf({ requirements }: Selector): Naming | undefined {
  for (const requirement of requirements) if (requirement.operator === "In") return requirement;
  return undefined;
}

const bucketOf = (key: string, value: string): string => `${key}\u0000${value}`;

/** Things that select. */
export class SelectorIndex<T> {
  readonly #byLabel = new Map<string, T[]>();
  readonly #rest: T[] = [];

  get isEmpty(): boolean {
    return this.#rest.length === 0 && this.#byLabel.size === 0;
  }

  add(selector: Selector, thing: T): void {
    for (const list of this.#listsOf(selector)) list.push(thing);
  }

  delete(selector: Selector, thing: T): void {
    for (const list of this.#listsOf(selector)) remove(list, thing);
  }

  /** Whose selectors may hold who is labelled so, each once. */
  candidates(labels: Labels): T[] {
    const found = [...this.#rest];
    if (this.#byLabel.size > 0) {
      for (const key in labels) {
        const list = this.#byLabel.get(bucketOf(key, labels[key]!));
        if (list !== undefined) for (const thing of list) found.push(thing);
      }
    }
    return found;
  }

  /** Each once. */
  *[Symbol.iterator](): IterableIterator<T> {
    yield* new Set([...this.#rest, ...this.#byLabel.values().toArray().flat()]);
  }

  #listsOf(selector: Selector): T[][] {
    const naming = namingOf(selector);
    if (naming === undefined) return [this.#rest];
    return [...new Set(naming.values)].map((value) => {
      const bucket = bucketOf(naming.key, value);
      let list = this.#byLabel.get(bucket);
      if (list === undefined) this.#byLabel.set(bucket, (list = []));
      return list;
    });
  }
}

/** Things that are selected. */
export class LabelIndex<T> {
  readonly #all: T[] = [];
  readonly #byLabel = new Map<string, T[]>();

  add(labels: Labels, thing: T): void {
    this.#all.push(thing);
    for (const key in labels) {
      const bucket = bucketOf(key, labels[key]!);
      const list = this.#byLabel.get(bucket);
      if (list === undefined) this.#byLabel.set(bucket, [thing]);
      else list.push(thing);
    }
  }

  /** Whom the selector may hold, each once. */
  candidates(selector: Selector): readonly T[] {
    const naming = namingOf(selector);
    if (naming === undefined) return this.#all;
    const lists = [...new Set(naming.values)].map(
      (value) => this.#byLabel.get(bucketOf(naming.key, value)) ?? [],
    );
    return lists.length === 1 ? lists[0]! : lists.flat();
  }
}

/**
 * A list with one thing more. Most lists of a cluster have one thing or two, and a list that grows keeps room for sixteen: so
 * short ones are written out, each as long as it is.
 */
export function append<T>(list: T[], thing: T): T[] {
  switch (list.length) {
    case 0:
      return [thing];
    case 1:
      return [list[0]!, thing];
    case 2:
      return [list[0]!, list[1]!, thing];
    case 3:
      return [list[0]!, list[1]!, list[2]!, thing];
    default:
      list.push(thing);
      return list;
  }
}

/** The order of the others is not kept. */
export function remove<T>(list: T[], thing: T): void {
  const at = list.indexOf(thing);
  if (at < 0) return;
  const last = list.pop()!;
  if (at < list.length) list[at] = last;
}
