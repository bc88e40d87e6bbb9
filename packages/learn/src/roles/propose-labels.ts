/**
 * Labels for workloads that none tells apart, or none that helps: one for all, though they call each other as different roles;
 * one for each, though many are alike; or some that cut across roles, as those of a system or a site do. Rules need a selector, and labels decide policy, so they are proposed, never
 * taken for given. Where labels and communication agree, labels win. A label given before keeps its value: it is the anchor
 * by which a role keeps its name.
 */
import {
  formatPort,
  type Edge,
  type Inventory,
  type Labels,
  type ProposedLabels,
} from "@bulkhead/model";
import { applicationOf } from "../applications.ts";
import {
  groupWorkloads,
  labelsOfGroup,
  PROPOSED_KEY,
  type Group,
  type Grouping,
  type Member,
} from "../groups.ts";
import { DEFAULT_BEHAVIOUR, judgeSources } from "../behaviour.ts";
import { knownMembers } from "../ends.ts";
import { by, groupBy, inEdgeOrder } from "../order.ts";
import { groupByCommunication, type Role, type Roles } from "./group-by-communication.ts";

export interface LabelProposal {
  readonly proposed: readonly ProposedLabels[];
  /** What each would bear besides, by workload id. */
  readonly labels: ReadonlyMap<string, Labels>;
}

export interface ProposalInput {
  readonly edges: readonly Edge[];
  readonly members: readonly Member[];
  readonly grouping: Grouping;
  readonly inventory: Inventory;
  readonly flagged: ReadonlyMap<string, unknown>;
  /** Names of roles by workload, of an earlier suggestion. */
  readonly former?: ReadonlyMap<string, string> | undefined;
}

/** Fewer workloads of an application tell nothing about its labels. */
const FEWEST = 4;
const MOST_EVIDENCE = 4;
/** So many times as many roles as groups: labels are coarse, at the least. */
const FEW_GROUPS = 3;

export function proposeLabels(input: ProposalInput): LabelProposal {
  const { edges, members, grouping, flagged } = input;
  const unlabelled = new Set(grouping.ungrouped.map(({ id }) => id));
  const former = new Map([
    ...members.flatMap(({ id, labels }): readonly (readonly [string, string])[] => {
      const given = labels[PROPOSED_KEY];
      return given === undefined ? [] : [[id, given]];
    }),
    ...(input.former ?? []),
  ]);
  const roles = groupByCommunication(edges, members, { former, flagged });
  const calls = callsWithin(edges, roles);
  const found = [...groupBy(members, applicationOf).values()].flatMap((own) => {
    const useless = uselessness(own, grouping, roles, calls);
    const wanting = own.filter(({ id }) => useless !== undefined || unlabelled.has(id));
    return proposalsFor(wanting, useless ?? "unlabelled", roles, input);
  });
  return {
    proposed: found.toSorted(
      by(
        ({ namespace }) => namespace,
        ({ labels }) => JSON.stringify(labels),
      ),
    ),
    labels: new Map(
      found.flatMap(({ labels, members: own }) => own.map(({ id }) => [id, labels] as const)),
    ),
  };
}

/** What would be proposed for an inventory as it is. */
export function usefulLabels(
  edges: readonly Edge[],
  inventory: Inventory,
): readonly ProposedLabels[] {
  const ordered = edges.toSorted(inEdgeOrder);
  const members = knownMembers(ordered, inventory);
  const grouping = groupWorkloads(members);
  const flagged = judgeSources(ordered, DEFAULT_BEHAVIOUR);
  return proposeLabels({ edges: ordered, members, grouping, inventory, flagged }).proposed;
}

/** The estate as it would be with what is proposed. */
export function withLabels<T extends { readonly id: string; readonly labels: Labels }>(
  labels: ReadonlyMap<string, Labels>,
  one: T,
): T {
  const more = labels.get(one.id);
  return more === undefined ? one : { ...one, labels: { ...one.labels, ...more } };
}

export function edgesWithLabels(
  labels: ReadonlyMap<string, Labels>,
  edges: readonly Edge[],
): readonly Edge[] {
  const known = new Map<Edge["source"], Edge["source"]>();
  const relabel = (end: Edge["source"]): Edge["source"] => {
    const more = end.workload === undefined ? undefined : labels.get(end.workload);
    if (more === undefined) return end;
    const made = known.get(end) ?? { ...end, labels: { ...end.labels, ...more } };
    known.set(end, made);
    return made;
  };
  return edges.map((edge) => ({
    ...edge,
    source: relabel(edge.source),
    destination: relabel(edge.destination),
  }));
}

function uselessness(
  own: readonly Member[],
  { groupOf }: Grouping,
  { roleOf }: Roles,
  calls: ReadonlySet<string>,
): ProposedLabels["reason"] | undefined {
  const talking = own.filter(({ id }) => roleOf.has(id) && groupOf.has(id));
  if (talking.length < FEWEST) return undefined;
  const groups = new Set(talking.map(({ id }) => groupOf.get(id)));
  const roles = new Set(talking.map(({ id }) => roleOf.get(id)));
  const [first] = roles;
  if (groups.size === 1 && roles.size > 1 && first !== undefined) {
    return [...roles].some((role) => role !== undefined && calls.has(keyOf(role)))
      ? "one-for-all"
      : undefined;
  }
  const isEach = groups.size === talking.length && groups.size === own.length;
  if (isEach) return 2 * roles.size <= talking.length ? "one-for-each" : undefined;
  return areAcross(talking, groups.size, roles.size, groupOf, roleOf) ? "across-roles" : undefined;
}

/** Few groups for many roles, and most roles are in several of them: the labels tell of systems or sites. */
function areAcross(
  talking: readonly Member[],
  groups: number,
  roles: number,
  groupOf: Grouping["groupOf"],
  roleOf: Roles["roleOf"],
): boolean {
  if (groups * FEW_GROUPS > roles) return false;
  const several = [...groupBy(talking, ({ id }) => roleOf.get(id)?.name ?? "").values()].filter(
    ({ length }) => length > 1,
  );
  const torn = several.filter((own) => new Set(own.map(({ id }) => groupOf.get(id))).size > 1);
  return several.length >= FEWEST && 2 * torn.length >= several.length;
}

const keyOf = ({ application, name }: Role): string => `${application}\n${name}`;

/** Roles that call another one of their own application. */
function callsWithin(edges: readonly Edge[], { roleOf }: Roles): ReadonlySet<string> {
  const calling = new Set<string>();
  for (const { source, destination } of edges) {
    const from = source.workload === undefined ? undefined : roleOf.get(source.workload);
    const to = destination.workload === undefined ? undefined : roleOf.get(destination.workload);
    if (
      from !== undefined &&
      to !== undefined &&
      from !== to &&
      from.application === to.application
    )
      calling.add(keyOf(from));
  }
  return calling;
}

function proposalsFor(
  wanting: readonly Member[],
  reason: ProposedLabels["reason"],
  { roleOf }: Roles,
  { inventory, grouping }: ProposalInput,
): readonly ProposedLabels[] {
  const workloads = new Map(inventory.workloads.map((workload) => [workload.id, workload]));
  const known = wanting.filter(({ id }) => roleOf.has(id));
  return [...groupBy(known, ({ id }) => roleOf.get(id)?.name ?? "").values()].flatMap((own) => {
    const [first] = own;
    const role = first === undefined ? undefined : roleOf.get(first.id);
    if (first === undefined || role === undefined) return [];
    const siblings = reason === "unlabelled" ? labelsOf(role, grouping) : undefined;
    return [
      {
        namespace: first.namespace,
        application: role.application,
        role: role.name,
        labels: siblings ?? { [PROPOSED_KEY]: role.name },
        reason,
        members: own
          .map(({ id }) => {
            const workload = workloads.get(id);
            if (workload === undefined) return { id, addresses: [] };
            const { kind, addresses, source } = workload;
            return { id, kind, addresses, ...(source === undefined ? {} : { source }) };
          })
          .toSorted(by(({ id }) => id)),
        evidence: evidenceOf(role),
      },
    ];
  });
}

/** What those of the role bear that have labels, if that is one thing: who does the same is the same. */
function labelsOf(role: Role, { groupOf }: Grouping): Labels | undefined {
  const groups = new Set<Group>(role.members.flatMap((id) => groupOf.get(id) ?? []));
  const [group, another] = groups;
  if (group === undefined || another !== undefined) return undefined;
  return labelsOfGroup(group);
}

function evidenceOf({ evidence, members }: Role): readonly string[] {
  return evidence.slice(0, MOST_EVIDENCE).map((one) => {
    const port = formatPort(one.protocol, one.port);
    const what =
      one.direction === "offers"
        ? `called by ${one.peer} on ${port}`
        : `calls ${one.peer} on ${port}`;
    return members.length === 1 ? what : `${what} (${one.members} of ${members.length})`;
  });
}

/** Groups as they would be. */
export function regrouped(
  members: readonly Member[],
  labels: ReadonlyMap<string, Labels>,
): {
  readonly members: readonly Member[];
  readonly grouping: Grouping;
} {
  const relabelled = members.map((member) => withLabels(labels, member));
  return { members: relabelled, grouping: groupWorkloads(relabelled) };
}
