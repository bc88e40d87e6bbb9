/**
 * Chance that can be repeated: the same seed gives the same world on every machine. Each part of a world draws from a source
 * of its own (`fork`), so that more draws in one part leave the others as they were.
 */
export interface Random {
  /** From 0 up to, and without, 1. */
  next(): number;
  /** A whole number from `least` to `most`, both included. */
  whole(least: number, most: number): number;
  between(least: number, most: number): number;
  chance(share: number): boolean;
  pick<T>(values: readonly T[]): T;
  /** So many different ones, in no order; all where there are fewer. */
  some<T>(values: readonly T[], count: number): readonly T[];
  normal(): number;
  poisson(mean: number): number;
  fork(name: string): Random;
}

/** Above this the normal distribution is near enough to Poisson's. */
const NORMAL_FROM = 30;

/** FNV-1a over the name, mixed with the seed. */
function seedOf(seed: number, name: string): number {
  let hash = 0x811c9dc5 ^ Math.imul(seed, 0x9e3779b1);
  for (let at = 0; at < name.length; at++) {
    hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193);
  }
  return hash >>> 0;
}

/** SplitMix in 32 bits (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014; the constants of MurmurHash3). */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x9e3779b9) >>> 0;
    let word = state ^ (state >>> 16);
    word = Math.imul(word, 0x85ebca6b);
    word ^= word >>> 13;
    word = Math.imul(word, 0xc2b2ae35);
    return ((word ^ (word >>> 16)) >>> 0) / 2 ** 32;
  };
  const random: Random = {
    next,
    whole: (least, most) => least + Math.floor(next() * (most - least + 1)),
    between: (least, most) => least + next() * (most - least),
    chance: (share) => next() < share,
    pick(values) {
      const value = values[Math.floor(next() * values.length)];
      if (value === undefined) throw new Error("nothing to pick from");
      return value;
    },
    some(values, count) {
      const left = [...values];
      const taken = Math.min(count, left.length);
      for (let at = 0; at < taken; at++) {
        const other = at + Math.floor(next() * (left.length - at));
        [left[at], left[other]] = [left[other]!, left[at]!];
      }
      return left.slice(0, taken);
    },
    // Box and Muller, one of the two.
    normal: () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()),
    poisson(mean) {
      if (mean <= 0) return 0;
      if (mean > NORMAL_FROM) {
        return Math.max(0, Math.round(mean + Math.sqrt(mean) * random.normal()));
      }
      // Knuth: how many factors until the product falls below.
      const floor = Math.exp(-mean);
      let count = 0;
      for (let product = next(); product > floor; product *= next()) count++;
      return count;
    },
    fork: (name) => createRandom(seedOf(seed, name)),
  };
  return random;
}
