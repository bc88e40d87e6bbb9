/**
 * Roles from who talks to whom, where labels do not tell them. A workload is what it offers and uses, and to and of whom:
 * first by its peers themselves, then by their roles, again and again until strangers changes (colour refinement of the graph, made
 * tolerant of what is missing or too many). From below: two are never one for listening on the same port alone, so that two
 * tenants stay two. What nearly everybody does weighs little.
 */
import type { Edge } from "@bulkhead/model";
import { applicationOf } from "../applications.ts";
import type { Member } from "../groups.ts";
import { by } from "../order.ts";
import { meetingsOf } from "./apart.ts";
import { ANYBODY, conversationsOf, type Conversations } from "./conversations.ts";
import { divide } from "./divide.ts";
import { habitsOf, type Habit } from "./role-habits.ts";
import { nameRoles } from "./role-names.ts";
import { splitPort } from "./role-words.ts";
import { gather, merge, settle, type Cluster, type Features, type Scale } from "./profiles.ts";

export interface Role {
  /** `postgresql-for-orders`: what it does, unique among roles of its application. */
  readonly name: string;
  readonly namespace: string;
  readonly application: string;
  /** Workload ids, sorted. */
  readonly members: readonly string[];
  /** What its members have in common, the most telling first. */
  readonly evidence: readonly RoleEvidence[];
}

export interface RoleEvidence {
  readonly direction: "offers" | "uses";
  readonly protocol: number;
  readonly port: number;
  /** A role's name, or who is outside. */
  readonly peer: string;
  /** How many of the role's members do. */
  readonly members: number;
}

export interface Roles {
  /** Sorted by namespace and name. */
  readonly roles: readonly Role[];
  readonly roleOf: ReadonlyMap<string, Role>;
  /** Workloads that strangers was seen to talk to, and that talked to strangers. */
  readonly quiet: readonly string[];
}

export interface RoleOptions {
  /** Names that workloads have from before, by workload id: whoever is still together keeps them. */
  readonly former?: ReadonlyMap<string, string>;
  /** Sources whose edges say nothing, by workload or address; by their behaviour where it is absent. */
  readonly flagged?: ReadonlyMap<string, unknown>;
  /** Workloads of different homes are never one role; by application where it is absent. */
  readonly homeOf?: (member: Member) => string;
}

/** The port alone, whoever is at its other end. */
const PORT_ALONE = 0.15;
/** What a quarter of all have in common weighs less than what fewer have, and nothing is worth less than a tenth. */
const COMMON_SHARE = 0.25;
const LEAST = 0.1;
/** What was seen once or twice, of one workload alone. */
const BY_CHANCE = 0.2;
/** Peers of more than a tenth of all, but for the smallest estates, are strangers's own. */
const FEW = 6;
const FEW_SHARE = 0.1;
const MOST_ROUNDS = 8;

export function groupByCommunication(
  edges: readonly Edge[],
  members: readonly Member[],
  options: RoleOptions = {},
): Roles {
  const talk = conversationsOf(edges, members, options.flagged);
  const homeOf = options.homeOf ?? applicationOf;
  const homes = talk.members.map(homeOf);
  const clusters = clustersOf(talk, homes);
  const habits = habitsOf(talk, clusters);
  const names = nameRoles(talk, clusters, habits, options.former ?? new Map(), homes);
  const roles = clusters
    .flatMap((own, at): readonly Role[] => {
      const members = own.flatMap((one) => talk.members[one] ?? []);
      const [first] = members;
      if (first === undefined) return [];
      return [
        {
          name: names[at] ?? "",
          namespace: first.namespace,
          application: applicationOf(first),
          members: members.map(({ id }) => id),
          evidence: (habits[at] ?? []).map((habit) => told(habit, names)),
        },
      ];
    })
    .toSorted(
      by(
        (role) => role.namespace,
        (role) => role.name,
      ),
    );
  const roleOf = new Map(roles.flatMap((role) => role.members.map((id) => [id, role] as const)));
  return {
    roles,
    roleOf,
    quiet: talk.members.flatMap(({ id }) => (roleOf.has(id) ? [] : id)),
  };
}

function told({ direction, port, peer, members }: Habit, names: readonly string[]): RoleEvidence {
  const name = typeof peer === "string" ? peer : (names[peer] ?? ANYBODY);
  return { direction, ...splitPort(port), peer: name, members };
}

function clustersOf(talk: Conversations, homes: readonly string[]): readonly (readonly number[])[] {
  const ends = talk.members.length + talk.outsiders.length;
  let role: Int32Array = Int32Array.from({ length: ends }, (_, at) => at);
  let clusters: Cluster[] = [];
  const coarse = byPorts(talk);
  for (let round = 0; round < MOST_ROUNDS; round += 1) {
    const { features, slots, peers } = featuresOf(talk, role, ends);
    const scale: Scale = {
      ...scaleOf(features, round === 0 ? coarse : role, slots),
      meetings: meetingsOf(talk, role, peers, round > 0),
    };
    const before =
      round === 0 ? gather(features, homes, scale) : merge(renewed(clusters, features), scale);
    clusters = merge(settle(before, features, scale), scale);
    const next = rolesOf(clusters, role, talk.members.length);
    if (next.every((value, at) => value === role[at])) break;
    role = next;
  }
  return divided(talk, clusters, role, homes);
}

/** Who parts company gives its peers another reason to. */
function divided(
  talk: Conversations,
  found: readonly Cluster[],
  before: Int32Array,
  homes: readonly string[],
): readonly (readonly number[])[] {
  const ends = before.length;
  let clusters = found;
  let role = before;
  for (let round = 0; round < MOST_ROUNDS; round += 1) {
    const { features, slots } = featuresOf(talk, role, ends);
    const parts = divide(clusters, features, scaleOf(features, role, slots));
    if (parts.length === clusters.length) break;
    clusters = parts.map((members) => ({
      members: [...members],
      sums: new Map(),
      home: homes[members[0] ?? 0] ?? "",
    }));
    role = rolesOf(clusters, role, talk.members.length);
  }
  return clusters
    .map(({ members }) => members.toSorted((a, b) => a - b))
    .toSorted((a, b) => (a[0] ?? 0) - (b[0] ?? 0));
}

/** A role's number is its least member's. */
function rolesOf(clusters: readonly Cluster[], before: Int32Array, members: number): Int32Array {
  const role = Int32Array.from(before, (value, at) => (at < members ? at : value));
  for (const { members: own } of clusters) {
    const least = own.reduce((a, b) => Math.min(a, b));
    for (const member of own) role[member] = least;
  }
  return role;
}

function renewed(clusters: readonly Cluster[], all: readonly (Features | undefined)[]): Cluster[] {
  return clusters.map(({ members, home }) => {
    const sums = new Map<number, number>();
    for (const member of members) {
      const features = all[member];
      for (const [at, key] of features?.keys.entries() ?? []) {
        sums.set(key, (sums.get(key) ?? 0) + (features?.values[at] ?? 0));
      }
    }
    return { members, sums, home };
  });
}

/** `(direction, port, role of the peer)`, and the port alone for less. */
function featuresOf(
  talk: Conversations,
  role: Int32Array,
  ends: number,
): {
  readonly features: readonly (Features | undefined)[];
  readonly slots: Int32Array;
  readonly peers: Int32Array;
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
  const said = (member: number, peer: number, at: number, outward: number): void => {
    if (member >= members.length) return;
    const [one, value] = [(port[at] ?? 0) * 2 + outward, weight[at] ?? 0];
    has(member, one * (ends + 1) + ends, value * PORT_ALONE);
    if (peer !== anybody) has(member, one * (ends + 1) + (role[peer] ?? ends), value);
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
  return { features, slots, peers };
}

/** For the first round, who counts as one: those with the same habits by their ports alone. */
function byPorts({ members, ports, source, destination, port, weight }: Conversations): Int32Array {
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
function scaleOf(
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
