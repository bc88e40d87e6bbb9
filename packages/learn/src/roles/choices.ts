/**
 * A role that is several because each part keeps to peers of its own: stations of one ward to that ward's printer. Copies are
 * interchangeable, and who uses one of two or three for long may do so by chance (a pool, a sticky session); where there are more
 * to choose from, and nobody ever uses those of another part, somebody configured it.
 */
import { push } from "../order.ts";
import type { Conversations } from "./conversations.ts";

/** Replicas come in twos and threes. */
const FEWEST_PARTS = 4;
/** A part of fewer is chance. */
const SMALLEST = 2;
/** So many of them have such peers. */
const MOST = 0.9;
/** Whom more than so many of them know is everybody's. */
const SHARED = 0.5;
/** Of the shorter of two lives, so much together is an opportunity; and so many pairs of parts had it. */
const TOGETHER = 0.5;
const MET = 0.9;

export interface Choosing {
  readonly lives: Pick<Conversations, "first" | "last">;
  /** Of a member: whom it has a habit with, by direction and port. */
  readonly peersOf: (member: number) => ReadonlyMap<number, readonly number[]>;
  /** By end. */
  readonly role: Int32Array;
}

/** The parts, if there are any; those who have no such peers are one more. */
export function partsByChoice(
  members: readonly number[],
  choosing: Choosing,
): readonly (readonly number[])[] {
  if (members.length < FEWEST_PARTS * SMALLEST) return [members];
  const slots = new Set(members.flatMap((member) => [...choosing.peersOf(member).keys()]));
  for (const slot of [...slots].toSorted((a, b) => a - b)) {
    const parts = partsOn(slot, members, choosing);
    if (parts === undefined) continue;
    const placed = new Set(parts.flat());
    const left = members.filter((member) => !placed.has(member));
    return left.length === 0 ? parts : [...parts, left];
  }
  return [members];
}

function partsOn(
  slot: number,
  members: readonly number[],
  { peersOf, role, lives }: Choosing,
): readonly (readonly number[])[] | undefined {
  const users = new Map<number, number[]>();
  for (const member of members) {
    for (const peer of peersOf(member).get(slot) ?? []) push(users, peer, member);
  }
  const own = [...users].filter(([, using]) => using.length <= SHARED * members.length);
  // Peers that are different roles told them apart already, where they are apart.
  if (own.length < FEWEST_PARTS || new Set(own.map(([peer]) => role[peer])).size > 1)
    return undefined;
  const parts = joined(own.map(([, using]) => using)).filter(({ length }) => length >= SMALLEST);
  const covered = parts.reduce((sum, { length }) => sum + length, 0);
  if (parts.length < FEWEST_PARTS || covered < MOST * members.length) return undefined;
  return haveMet(parts, lives) ? parts : undefined;
}

/** Who has anybody in common is of one part. */
function joined(sets: readonly (readonly number[])[]): readonly (readonly number[])[] {
  const parent = new Map<number, number>();
  const find = (one: number): number => {
    let top = one;
    while ((parent.get(top) ?? top) !== top) top = parent.get(top) ?? top;
    return top;
  };
  for (const set of sets) for (const one of set) parent.set(find(one), find(set[0] ?? one));
  const parts = new Map<number, number[]>();
  for (const one of [...new Set(sets.flat())].toSorted((a, b) => a - b))
    push(parts, find(one), one);
  return [...parts.values()];
}

/** Generations of pods keep to themselves because they never met another. */
function haveMet(
  parts: readonly (readonly number[])[],
  { first, last }: Pick<Conversations, "first" | "last">,
): boolean {
  const lives = parts.map((part) => ({
    from: part.reduce((sum, one) => sum + (first[one] ?? 0), 0) / part.length,
    until: part.reduce((sum, one) => sum + (last[one] ?? 0), 0) / part.length,
  }));
  let [met, all] = [0, 0];
  for (const [at, a] of lives.entries()) {
    for (const b of lives.slice(at + 1)) {
      all += 1;
      const together = Math.min(a.until, b.until) - Math.max(a.from, b.from);
      if (together >= TOGETHER * Math.min(a.until - a.from, b.until - b.from)) met += 1;
    }
  }
  return met >= MET * all;
}
