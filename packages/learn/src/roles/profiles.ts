/**
 * Clusters of workloads by what they have in common. A cluster's profile says what share of its members has each feature;
 * two are alike by the weighted Jaccard index of their profiles (Ruzicka), so that one edge missing or too many makes
 * nobody somebody else. Candidates come from an inverted index over the rarest features that would have to be shared
 * (prefix filtering, Chaudhuri et al., ICDE 2006), so no pair is looked at that could not be alike.
 */

import { push } from "../order.ts";
import { areApart, type Meetings } from "./apart.ts";

/** Features of one member, ascending, each with how much it tells. */
export interface Features {
  readonly keys: Int32Array;
  readonly values: Float64Array;
}

export interface Cluster {
  readonly members: number[];
  /** Sum over members, by feature. */
  readonly sums: Map<number, number>;
  /** Clusters of different homes are never one. */
  readonly home: string;
}

export interface Scale {
  /** By feature: hubs weigh little. */
  readonly weight: Float64Array;
  /** By feature, how many have it. */
  readonly frequency: Int32Array;
  /** By feature, its direction and port; -1: it names no peer. */
  readonly slot: Int32Array;
  /** What more members have than so many is no peer of somebody's own. */
  readonly common: number;
  readonly meetings: Meetings;
}

/** Alike: they share at least as much as they differ in. */
export const ALIKE = 0.5;
/**
 * While peers are looked at one by one, callers that use a few copies each of many have less in common than that: then so many
 * peers that both have, and this share.
 */
const LIKE_ENOUGH = 0.25;
const PEERS = 3;
const SAME_PEERS = 0.3;
/** What most of a cluster have. */
const TELLING = 0.5;
/** Who fits elsewhere better by so much goes there. */
const BETTER = 0.05;
/** Who has so little in common with its own cluster is alone again. */
const ASTRAY = 0.25;
const MOST_CANDIDATES = 64;

export function clusterOf(member: number, features: Features, home: string): Cluster {
  const cluster: Cluster = { members: [], sums: new Map(), home };
  join(cluster, member, features);
  return cluster;
}

export function join(cluster: Cluster, member: number, { keys, values }: Features): void {
  cluster.members.push(member);
  for (const [at, key] of keys.entries()) {
    cluster.sums.set(key, (cluster.sums.get(key) ?? 0) + (values[at] ?? 0));
  }
}

export interface Profile {
  readonly home: string;
  readonly members: readonly number[];
  readonly keys: Int32Array;
  readonly values: Float64Array;
  /** By feature, for looking up. */
  readonly of: ReadonlyMap<number, number>;
  /** Weighted sum of it all. */
  readonly total: number;
}

export function profileOf({ members, sums, home }: Cluster, { weight }: Scale): Profile {
  const keys = Int32Array.from(sums.keys()).toSorted();
  const values = new Float64Array(keys.length);
  const of = new Map<number, number>();
  let total = 0;
  for (const [at, key] of keys.entries()) {
    const value = (sums.get(key) ?? 0) / members.length;
    values[at] = value;
    of.set(key, value);
    total += value * (weight[key] ?? 0);
  }
  return { home, members, keys, values, of, total };
}

export function similarity(a: Profile, b: Profile, { weight }: Scale): number {
  const [small, large] = a.keys.length <= b.keys.length ? [a, b] : [b, a];
  let shared = 0;
  for (const [at, key] of small.keys.entries()) {
    const other = large.of.get(key);
    if (other !== undefined) shared += Math.min(small.values[at] ?? 0, other) * (weight[key] ?? 0);
  }
  const union = a.total + b.total - shared;
  return union <= 0 ? 0 : shared / union;
}

/**
 * Callers that use a few copies each of the same services: on every port on which both have peers, some are the same, and there
 * are several. Two tenants share their entrance and not what is behind it.
 */
function meetsPeers(a: Profile, b: Profile, { slot, frequency, common }: Scale): boolean {
  const slots = new Map<number, { shared: number; left: number; right: number }>();
  const at = (key: number): { shared: number; left: number; right: number } => {
    const known = slots.get(slot[key] ?? -1) ?? { shared: 0, left: 0, right: 0 };
    slots.set(slot[key] ?? -1, known);
    return known;
  };
  const tells = (value: number, key: number): boolean =>
    (slot[key] ?? -1) >= 0 && value >= TELLING && (frequency[key] ?? 0) <= common;
  for (const [index, key] of a.keys.entries()) {
    if (!tells(a.values[index] ?? 0, key)) continue;
    const own = at(key);
    own.left += 1;
    if (tells(b.of.get(key) ?? 0, key)) own.shared += 1;
  }
  for (const [index, key] of b.keys.entries()) {
    if (tells(b.values[index] ?? 0, key)) at(key).right += 1;
  }
  let shared = 0;
  for (const own of slots.values()) {
    const fewer = Math.min(own.left, own.right);
    if (fewer > 0 && own.shared < SAME_PEERS * fewer) return false;
    shared += own.shared;
  }
  return shared >= PEERS;
}

/** Finds clusters that may be alike. */
class Candidates {
  readonly #posting = new Map<number, number[]>();
  readonly #scale: Scale;

  constructor(scale: Scale) {
    this.#scale = scale;
  }

  add(at: number, { keys }: Pick<Profile, "keys">): void {
    for (const key of keys) {
      push(this.#posting, key, at);
    }
  }

  /** Whoever shares one of the rarest features, without which half could not be shared; the likeliest first. */
  of({ keys, values, total }: Profile, least = ALIKE): readonly number[] {
    const { weight, frequency } = this.#scale;
    const order = Array.from(keys.keys()).toSorted(
      (a, b) => (frequency[keys[a] ?? 0] ?? 0) - (frequency[keys[b] ?? 0] ?? 0) || a - b,
    );
    const score = new Map<number, number>();
    let passed = 0;
    for (const at of order) {
      if (passed > total * (1 - least) + 1e-9) break;
      const key = keys[at] ?? 0;
      const worth = (values[at] ?? 0) * (weight[key] ?? 0);
      passed += worth;
      for (const one of this.#posting.get(key) ?? []) score.set(one, (score.get(one) ?? 0) + worth);
    }
    return [...score]
      .toSorted((a, b) => b[1] - a[1] || a[0] - b[0])
      .slice(0, MOST_CANDIDATES)
      .map(([one]) => one);
  }
}

/** One cluster for whoever is alike, each in turn: the first pass, from nothing. */
export function gather(
  all: readonly (Features | undefined)[],
  homes: readonly string[],
  scale: Scale,
): Cluster[] {
  const same = new Map<string, Cluster>();
  for (const [member, features] of all.entries()) {
    if (features === undefined) continue;
    const key = `${homes[member]}\n${features.keys.join(",")}\n${features.values.join(",")}`;
    const known = same.get(key);
    if (known === undefined) same.set(key, clusterOf(member, features, homes[member] ?? ""));
    else join(known, member, features);
  }
  return merge([...same.values()], scale, LIKE_ENOUGH);
}

/** Joins whoever is alike, the likest first, as long as what they have become is alike. */
export function merge(clusters: readonly Cluster[], scale: Scale, least = ALIKE): Cluster[] {
  const profiles = clusters.map((cluster) => profileOf(cluster, scale));
  const candidates = new Candidates(scale);
  const pairs: { readonly a: number; readonly b: number; readonly alike: number }[] = [];
  for (const [at, profile] of profiles.entries()) {
    for (const other of candidates.of(profile, least)) {
      const against = profiles[other];
      if (against === undefined || against.home !== profile.home) continue;
      const alike = similarity(profile, against, scale);
      const fits = alike >= ALIKE || (alike >= least && meetsPeers(profile, against, scale));
      if (fits && !areApart(profile, against, scale)) pairs.push({ a: other, b: at, alike });
    }
    candidates.add(at, profile);
  }
  pairs.sort((x, y) => y.alike - x.alike || x.a - y.a || x.b - y.b);
  const root = clusters.map((_, at) => at);
  const find = (at: number): number => {
    let top = at;
    while (root[top] !== top) top = root[top] ?? top;
    root[at] = top;
    return top;
  };
  const current = clusters.map(({ members, sums, home }) => ({
    members: [...members],
    sums: new Map(sums),
    home,
  }));
  for (const { a, b } of pairs) {
    const [into, from] = [find(a), find(b)].toSorted((x, y) => x - y) as [number, number];
    const [one, other] = [current[into], current[from]];
    if (into === from || one === undefined || other === undefined) continue;
    const [left, right] = [profiles[into], profiles[from]];
    if (left === undefined || right === undefined) continue;
    const alike = similarity(left, right, scale);
    if (alike < least || (alike < ALIKE && !meetsPeers(left, right, scale))) continue;
    if (areApart(left, right, scale)) continue;
    one.members.push(...other.members);
    for (const [key, sum] of other.sums) one.sums.set(key, (one.sums.get(key) ?? 0) + sum);
    root[from] = into;
    profiles[into] = profileOf(one, scale);
  }
  return current.filter((_, at) => find(at) === at);
}

/** Everybody to where it fits best; who fits nowhere is alone. */
export function settle(
  clusters: readonly Cluster[],
  all: readonly (Features | undefined)[],
  scale: Scale,
): Cluster[] {
  const profiles = clusters.map((cluster) => profileOf(cluster, scale));
  const candidates = new Candidates(scale);
  for (const [at, profile] of profiles.entries()) candidates.add(at, profile);
  const next: (Cluster | undefined)[] = clusters.map(() => undefined);
  const alone: Cluster[] = [];
  for (const [at, { members, home }] of clusters.entries()) {
    for (const member of members) {
      const features = all[member];
      if (features === undefined) continue;
      const single = clusterOf(member, features, home);
      const own = profileOf(single, scale);
      const stays = similarity(own, profiles[at] ?? own, scale);
      let best = at;
      let bestAlike = stays + BETTER;
      for (const other of members.length > 1 || stays < 1 ? candidates.of(own) : []) {
        const profile = profiles[other];
        if (other === at || profile === undefined || profile.home !== home) continue;
        const alike = similarity(own, profile, scale);
        if (alike >= ALIKE && alike > bestAlike) [best, bestAlike] = [other, alike];
      }
      if (best === at && stays < ASTRAY) {
        alone.push(single);
        continue;
      }
      const target = next[best];
      if (target === undefined) next[best] = single;
      else join(target, member, features);
    }
  }
  return [...next.flatMap((cluster) => cluster ?? []), ...alone].map((cluster) => ({
    ...cluster,
    members: cluster.members.toSorted((a, b) => a - b),
  }));
}
