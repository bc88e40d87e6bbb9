/**
 * What a workload offers and uses, and of whom, as features that can be compared: with peers as the roles that they are taken for at the
 * time, and the port alone for less. What everybody does weighs little, and when it was kept up is known of each.
 */
import { push } from "../order.ts";
import { ANYBODY, type Conversations } from "./conversations.ts";
import type { Spans } from "./opportunity.ts";
import type { Features, Scale } from "./profiles.ts";

/** The port alone, whoever is at its other end. */
const PORT_ALONE = 0.15;
/** What a quarter of all have in common weighs less than what fewer have, and nothing is worth less than a tenth. */
const COMMON_SHARE = 0.25;
const LEAST = 0.1;
/** What was seen once or twice, of one workload alone. */
const BY_CHANCE = 0.2;
/** Peers of more than a tenth of all, but for the smallest estates, are nobody's own. */
const FEW = 6;
const FEW_SHARE = 0.1;

/** `(direction, port, role of the peer)`, and the port alone for less. */
export function featuresOf(
  talk: Conversations,
  role: Int32Array,
  ends: number,
): {
  readonly features: readonly (Features | undefined)[];
  readonly slots: Int32Array;
  readonly peers: Int32Array;
  readonly spans: Spans;
} {
  const { members, outsiders, ports, source, destination, port, weight } = talk;
  const strangers = outsiders.indexOf(ANYBODY);
  const anybody = strangers < 0 ? -1 : members.length + strangers;
  const numbers = new Map<number, number>();
  const numberOf = (key: number): number => {
    const known = numbers.get(key);
    if (known !== undefined) return known;
    numbers.set(key, numbers.size);
    return numbers.size - 1;
  };
  const own: Map<number, number>[] = members.map(() => new Map());
  const has = (member: number, key: number, value: number): void => {
    const map = own[member];
    const number = numberOf(key);
    if (map !== undefined && (map.get(number) ?? 0) < value) map.set(number, value);
  };
  // Peers of one protocol among themselves (gossip, replication both ways) are each other's peers, and their own.
  const calls = new Map<number, number>();
  for (let at = 0; at < source.length; at += 1) {
    const key = (source[at] ?? 0) * ports.length + (port[at] ?? 0);
    calls.set(key, (calls.get(key) ?? 0) + 1);
  }
  const times: { begun: number; ended: number }[] = [];
  const said = (member: number, peer: number, at: number, outward: number): void => {
    if (member >= members.length) return;
    const [one, value] = [(port[at] ?? 0) * 2 + outward, weight[at] ?? 0];
    has(member, one * (ends + 1) + ends, value * PORT_ALONE);
    if (peer === anybody) return;
    const key = one * (ends + 1) + (role[peer] ?? ends);
    has(member, key, value);
    const span = (times[numberOf(key)] ??= { begun: Infinity, ended: -Infinity });
    span.begun = Math.min(span.begun, talk.begun[at] ?? 0);
    span.ended = Math.max(span.ended, talk.ended[at] ?? 0);
  };
  for (let at = 0; at < source.length; at += 1) {
    const [from, to] = [source[at] ?? 0, destination[at] ?? 0];
    said(from, to, at, 1);
    said(to, from, at, 0);
    if (to < members.length && (calls.get(to * ports.length + (port[at] ?? 0)) ?? 0) > 1) {
      said(to, to, at, 0);
      said(to, to, at, 1);
    }
  }
  const frequency = new Int32Array(numbers.size);
  for (const map of own) for (const key of map.keys()) frequency[key] = (frequency[key] ?? 0) + 1;
  const features = own.map((map): Features | undefined => {
    if (map.size === 0) return undefined;
    const keys = Int32Array.from(map.keys()).toSorted();
    const valueOf = (key: number): number => {
      const value = map.get(key) ?? 0;
      return value < 1 && frequency[key] === 1 ? value * BY_CHANCE : value;
    };
    return { keys, values: Float64Array.from(keys, valueOf) };
  });
  const slots = Int32Array.from(numbers.keys(), (key) =>
    key % (ends + 1) === ends ? -1 : Math.floor(key / (ends + 1)),
  );
  const peers = Int32Array.from(numbers.keys(), (key) => key % (ends + 1));
  const spans = {
    begun: Float64Array.from(numbers.values(), (number) => times[number]?.begun ?? Infinity),
    ended: Float64Array.from(numbers.values(), (number) => times[number]?.ended ?? -Infinity),
  };
  return { features, slots, peers, spans };
}

/** For the first round, who counts as one: those with the same habits by their ports alone. */
export function byPorts({
  members,
  ports,
  source,
  destination,
  port,
  weight,
}: Conversations): Int32Array {
  const has = members.map(() => new Set<number>());
  const bearers = new Int32Array(2 * ports.length);
  const add = (member: number, key: number): void => {
    const own = has[member];
    if (own === undefined || own.has(key)) return;
    own.add(key);
    bearers[key] = (bearers[key] ?? 0) + 1;
  };
  for (const [at, from] of source.entries()) {
    if ((weight[at] ?? 0) < 1) continue;
    add(from, 2 * (port[at] ?? 0) + 1);
    add(destination[at] ?? 0, 2 * (port[at] ?? 0));
  }
  const first = new Map<string, number>();
  return Int32Array.from(has, (own, at) => {
    const key = [...own].filter((one) => (bearers[one] ?? 0) > 1).toSorted((a, b) => a - b);
    const signature = key.length === 0 ? `alone ${at}` : key.join(" ");
    const known = first.get(signature) ?? at;
    first.set(signature, known);
    return known;
  });
}

/** How telling each feature is: by how many roles have it, so that a large role counts once. */
export function scaleOf(
  all: readonly (Features | undefined)[],
  role: Int32Array,
  slot: Int32Array,
): Omit<Scale, "meetings"> {
  const sizes = new Map<number, number>();
  for (const [member, features] of all.entries()) {
    if (features === undefined) continue;
    const own = role[member] ?? member;
    sizes.set(own, (sizes.get(own) ?? 0) + 1);
  }
  const frequency = new Int32Array(slot.length);
  const share = new Float64Array(slot.length);
  for (const [member, features] of all.entries()) {
    const size = sizes.get(role[member] ?? member) ?? 1;
    for (const key of features?.keys ?? []) {
      frequency[key] = (frequency[key] ?? 0) + 1;
      share[key] = (share[key] ?? 0) + 1 / (size * sizes.size);
    }
  }
  const weight = share.map((part) =>
    Math.max(LEAST, Math.min(1, Math.log(1 / Math.min(1, part)) / Math.log(1 / COMMON_SHARE))),
  );
  const talking = all.filter((features) => features !== undefined).length;
  return { weight, frequency, slot, common: Math.max(FEW, FEW_SHARE * talking) };
}

/** By member, direction and port: whom it has a habit with. */
export function firmPeers({
  members,
  source,
  destination,
  port,
  weight,
}: Conversations): (member: number) => ReadonlyMap<number, readonly number[]> {
  const none: ReadonlyMap<number, readonly number[]> = new Map();
  const found = members.map(() => new Map<number, number[]>());
  for (const [at, from] of source.entries()) {
    if ((weight[at] ?? 0) < 1) continue;
    const to = destination[at] ?? 0;
    const one = port[at] ?? 0;
    const [out, into] = [found[from], found[to]];
    if (out !== undefined) push(out, 2 * one + 1, to);
    if (into !== undefined) push(into, 2 * one, from);
  }
  return (member) => found[member] ?? none;
}
