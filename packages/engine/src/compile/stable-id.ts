/**
 * Short names for long keys: FNV-1a (Fowler, Noll, Vo) over UTF-16 code units, with collisions found and resolved the
 * same way whatever order the keys come in. A name depends on its key alone, unless two keys of one set collide.
 */

const PRIME = 0x01000193;
const OFFSETS = [0x811c9dc5, 0x5bd1e995] as const;

export function fnv1a(text: string, offset: number): number {
  let hash = offset;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    hash = Math.imul(hash ^ (unit & 0xff), PRIME);
    hash = Math.imul(hash ^ (unit >>> 8), PRIME);
  }
  return hash >>> 0;
}

/** 8 or 16 lower-case hex digits. */
export function hashText(text: string, digits: 8 | 16): string {
  const [low, high] = OFFSETS;
  const hex = (offset: number) => fnv1a(text, offset).toString(16).padStart(8, "0");
  return digits === 8 ? hex(low) : hex(low) + hex(high);
}

/** One id per key, none of them all zeros. In a collision the key that sorts first keeps its hash. */
export function assignIds(
  keys: Iterable<string>,
  digits: 8 | 16,
  hash: (text: string, digits: 8 | 16) => string = hashText,
): Map<string, string> {
  const ids = new Map<string, string>();
  const taken = new Set(["0".repeat(digits)]);
  for (const key of [...new Set(keys)].toSorted()) {
    let id = hash(key, digits);
    for (let attempt = 1; taken.has(id); attempt++) id = hash(`${key}\u0000${attempt}`, digits);
    taken.add(id);
    ids.set(key, id);
  }
  return ids;
}
