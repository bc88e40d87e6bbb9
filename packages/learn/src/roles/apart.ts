/**
 * Who is two roles, however much they share: one has on a port what the other lacks all along, and could have had, since both were
 * there. Pods of two deploys never met each other's peers, and a few pairs that did not meet are chance; hundreds are not.
 */
import type { Profile, Scale } from "./profiles.ts";

/** When each was there, and who is behind a feature's peer. */
export interface Meetings {
  /** By end, in milliseconds. */
  readonly first: Float64Array;
  readonly last: Float64Array;
  /** By feature: the ends that are its peer's role. */
  readonly peers: (key: number) => readonly number[];
  /** Are peers roles by now? One by one, which copy somebody uses may be chance. */
  readonly byRole: boolean;
}

/** Most of one have it, and of the other next to nobody. */
const HAS = 0.6;
const LACKS = 0.05;
/** Nothing that everybody has. */
const TELLING = 0.5;
/** So many pairs could have met, where each has what the other lacks; more, where only one does. */
const PAIRS = 100;
const PAIRS_ONE_SIDED = 500;
/** With one copy alone it may be a choice among copies. */
const PEERS = 2;
/** Of the shorter of two lives, so much together is an opportunity. */
const TOGETHER = 0.5;
/** Enough to tell how many of two groups met. */
const SAMPLE = 16;

/** `peers`: by feature, the role of its peer. */
export function meetingsOf(
  { first, last }: Pick<Meetings, "first" | "last">,
  role: Int32Array,
  peers: Int32Array,
  byRole: boolean,
): Meetings {
  const people = new Map<number, number[]>();
  for (const [end, own] of role.entries()) {
    const known = people.get(own);
    if (known === undefined) people.set(own, [end]);
    else known.push(end);
  }
  return { first, last, peers: (key) => people.get(peers[key] ?? -1) ?? [], byRole };
}

export function areApart(a: Profile, b: Profile, scale: Scale): boolean {
  const left = lackedBy(b, a, scale, PAIRS);
  const right = lackedBy(a, b, scale, PAIRS);
  for (const [slot, peers] of left) {
    if (peers >= PEERS && (right.get(slot) ?? 0) >= PEERS) return true;
  }
  if (!scale.meetings.byRole || (left.size === 0 && right.size === 0)) return false;
  return [lackedBy(b, a, scale, PAIRS_ONE_SIDED), lackedBy(a, b, scale, PAIRS_ONE_SIDED)].some(
    (lacked) => [...lacked.values()].some((peers) => peers >= PEERS),
  );
}

/** By direction and port: how many peers `other` has that `one` lacks for no want of opportunity. */
function lackedBy(
  one: Profile,
  other: Profile,
  { slot, weight, meetings }: Scale,
  pairs: number,
): ReadonlyMap<number, number> {
  const lacked = new Map<number, number>();
  for (const [at, key] of other.keys.entries()) {
    const own = slot[key] ?? -1;
    if (own < 0 || (other.values[at] ?? 0) < HAS || (one.of.get(key) ?? 0) > LACKS) continue;
    if ((weight[key] ?? 0) < TELLING) continue;
    const peers = meetings.peers(key);
    if (pairsThatMet(one.members, peers, meetings) < pairs) continue;
    if (pairsThatMet(other.members, peers, meetings) < pairs) continue;
    lacked.set(own, (lacked.get(own) ?? 0) + peers.length);
  }
  return lacked;
}

function pairsThatMet(
  ones: readonly number[],
  others: readonly number[],
  { first, last }: Meetings,
): number {
  const [few, fewer] = [sampleOf(ones), sampleOf(others)];
  let met = 0;
  for (const one of few) {
    const [from, until] = [first[one] ?? 0, last[one] ?? 0];
    for (const other of fewer) {
      const [since, to] = [first[other] ?? 0, last[other] ?? 0];
      const together = Math.min(until, to) - Math.max(from, since);
      if (together > 0 && together >= TOGETHER * Math.min(until - from, to - since)) met += 1;
    }
  }
  return met === 0 ? 0 : met * (ones.length / few.length) * (others.length / fewer.length);
}

/** Evenly out of all. */
function sampleOf(all: readonly number[]): readonly number[] {
  if (all.length <= SAMPLE) return all;
  return Array.from(
    { length: SAMPLE },
    (_, at) => all[Math.floor((at * all.length) / SAMPLE)] ?? 0,
  );
}
