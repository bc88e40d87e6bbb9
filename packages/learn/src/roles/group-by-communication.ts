/**
 * Roles from who talks to whom, where labels do not tell them. A workload is what it offers and uses, and to and of whom:
 * first by its peers themselves, then by their roles, again and again until nobody changes (colour refinement of the graph, made
 * tolerant of what is missing or too many). From below: two are never one for listening on the same port alone, so that two
 * tenants stay two. What nearly everybody does weighs little.
 */
import type { Edge } from "@bulkhead/model";
import { applicationOf } from "../applications.ts";
import type { Member } from "../groups.ts";
import { by } from "../order.ts";
import { meetingsOf } from "./apart.ts";
import { partsByChoice } from "./choices.ts";
import { ANYBODY, conversationsOf, type Conversations } from "./conversations.ts";
import { divide } from "./divide.ts";
import { byPorts, featuresOf, firmPeers, scaleOf } from "./features.ts";
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
  /** Workloads that nobody was seen to talk to, and that talked to nobody. */
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
  const peersOf = firmPeers(talk);
  let clusters = found;
  let role = before;
  for (let round = 0; round < MOST_ROUNDS; round += 1) {
    const { features, slots, spans } = featuresOf(talk, role, ends);
    const { weight } = scaleOf(features, role, slots);
    const choosing = { lives: talk, peersOf, role };
    const chosen = clusters.flatMap(({ members }) => partsByChoice(members, choosing));
    const parts = divide(chosen, { all: features, weight, spans, lives: talk });
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
