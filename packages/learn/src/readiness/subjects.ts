/**
 * Whose readiness is asked for, and which edges are whose. An edge is two ends as policy names them and a port: replicas of a
 * group share what they show, so that a new one of a known group is as ready as the group.
 */
import type { Edge, EdgeHistory, Inventory, ReadinessSubject } from "@bulkhead/model";
import { applicationOf } from "../applications.ts";
import { knownMembers, placeEdges, type End } from "../ends.ts";
import { groupWorkloads, type Group, type Grouping, type Member } from "../groups.ts";
import { by, push } from "../order.ts";
import { recogniseEnds } from "../recognition.ts";

export type Level = ReadinessSubject["kind"];

export interface Subject {
  readonly subject: ReadinessSubject;
  /** By what an edge is to it: replicas at either end, and the addresses behind a name, are one. */
  readonly edges: ReadonlyMap<string, readonly EdgeHistory[]>;
  /** Outside addresses that it calls by a name, by name and port. */
  readonly named: ReadonlyMap<string, Named>;
  /** No label tells any of its workloads from others: no rule can name them. */
  readonly nameless: boolean;
}

/** What was sent to one port behind one name in DNS. */
export interface Named {
  readonly name: string;
  readonly protocol: number;
  readonly port: number;
  readonly histories: EdgeHistory[];
}

export interface Placing {
  readonly subjects: readonly Subject[];
  readonly members: ReadonlyMap<string, Member>;
  readonly grouping: Grouping;
  /** All that somebody of the group sent, by the group's id. */
  readonly sent: ReadonlyMap<string, readonly EdgeHistory[]>;
}

export function placeSubjects(
  histories: readonly EdgeHistory[],
  inventory: Inventory,
  level: Level,
): Placing {
  const edges = recogniseEnds(
    histories.map(({ edge }) => edge),
    inventory,
  );
  const known = knownMembers(edges, inventory);
  const grouping = groupWorkloads(known);
  const members = new Map(known.map((member) => [member.id, member]));
  const present =
    inventory.workloads.length === 0
      ? known
      : inventory.workloads.filter(({ id }) => members.has(id));
  const subjects = subjectsOf(present, grouping, level);
  const own = new Map(subjects.map(({ name }) => [name, new Map<string, EdgeHistory[]>()]));
  const ownNames = new Map(subjects.map(({ name }) => [name, new Map<string, Named>()]));
  const nameOf = naming(members, level);
  const sent = new Map<string, EdgeHistory[]>();
  const placed = placeEdges(edges, inventory, grouping);
  for (const [index, item] of placed.entries()) {
    const history = histories[index];
    if (item.kind !== "candidate" || history === undefined) continue;
    const { edge, source, destination } = item;
    const [from, to] = [
      keyOf(source, edge.source.names),
      keyOf(destination, edge.destination.names),
    ];
    const port = `${edge.protocol}/${edge.port}`;
    if (source.kind === "group") push(sent, source.group.id, history);
    const sender = nameOf(edge.source.workload, source);
    const receiver = nameOf(edge.destination.workload, destination);
    if (destination.kind === "address" && sender !== undefined) {
      addNamed(ownNames.get(sender), history, edge);
    }
    const whole = level === "workload" ? undefined : `${from}\n${to}\n${port}`;
    add(own, sender, whole ?? `to\n${to}\n${port}`, history);
    if (whole === undefined || receiver !== sender) {
      add(own, receiver, whole ?? `from\n${from}\n${port}`, history);
    }
  }
  return {
    subjects: subjects.map((subject) => ({
      subject,
      edges: own.get(subject.name) ?? new Map(),
      named: ownNames.get(subject.name) ?? new Map(),
      nameless: subject.workloads.every((id) => !grouping.groupOf.has(id)),
    })),
    members,
    grouping,
    sent,
  };
}

function addNamed(own: Map<string, Named> | undefined, history: EdgeHistory, edge: Edge): void {
  const name = edge.destination.names?.[0];
  if (own === undefined || name === undefined) return;
  const { protocol, port } = edge;
  const key = `${name}\n${protocol}/${port}`;
  const known = own.get(key);
  if (known === undefined) own.set(key, { name, protocol, port, histories: [history] });
  else known.histories.push(history);
}

/** Names of addresses in DNS stand for them: behind one name they change from day to day. */
function keyOf(end: End, names: readonly string[] | undefined): string {
  const name = end.kind === "address" ? names?.[0] : undefined;
  return name === undefined ? end.key : `name ${name}`;
}

function add(
  own: ReadonlyMap<string, Map<string, EdgeHistory[]>>,
  name: string | undefined,
  key: string,
  history: EdgeHistory,
): void {
  const edges = name === undefined ? undefined : own.get(name);
  if (edges !== undefined) push(edges, key, history);
}

export const groupName = (group: Group): string => `${group.namespace}/${group.name}`;

/** Of an end that is somebody: who it is at this level. */
function naming(
  members: ReadonlyMap<string, Member>,
  level: Level,
): (workload: string | undefined, end: End) => string | undefined {
  if (level === "workload") return (workload) => workload;
  if (level === "group")
    return (_, end) => (end.kind === "group" ? groupName(end.group) : undefined);
  return (workload) => {
    const member = workload === undefined ? undefined : members.get(workload);
    return member === undefined ? undefined : applicationOf(member);
  };
}

function subjectsOf(
  present: readonly Member[],
  grouping: Grouping,
  level: Level,
): readonly ReadinessSubject[] {
  const workloads = new Map<string, string[]>();
  for (const member of present) {
    const group = grouping.groupOf.get(member.id);
    const name =
      level === "workload"
        ? member.id
        : level === "application"
          ? applicationOf(member)
          : group === undefined
            ? undefined
            : groupName(group);
    if (name !== undefined) push(workloads, name, member.id);
  }
  return [...workloads]
    .map(([name, ids]) => ({ kind: level, name, workloads: ids.toSorted() }))
    .toSorted(by(({ name }) => name));
}
