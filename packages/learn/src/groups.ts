/**
 * Sorts workloads into roles by their labels: a group is a namespace and a selector that holds exactly the members, made
 * from keys that say what a workload *is* (`app`, `role`), never which copy it is. Applications are told apart first, so
 * that two of them with a `db` each have two groups. Groups of a namespace are disjoint. What no selector can say is no group:
 * in the text of a rule, a value with a comma in it would be somebody else's labels.
 */
import {
  isReservedLabel,
  isSayable,
  labelKeyProblem,
  labelValueProblem,
  selectorOf,
  type Labels,
  type Requirement,
  type Selector,
  type WorkloadKind,
} from "@bulkhead/model";
import {
  APPLICATION_KEYS,
  applicationId,
  applicationOf,
  scopeOf,
  type Scope,
} from "./applications.ts";
import { namesKinds, refineByAll, type Refined } from "./kinds.ts";
import { SLICE_KEY, UNIT_KEY, USER_KEY } from "./machine.ts";
import { nameOf } from "./names.ts";
import { by, compareText, groupBy } from "./order.ts";

export interface Member {
  readonly id: string;
  readonly namespace: string;
  readonly labels: Labels;
  /** Absent of who is gone. */
  readonly kind?: WorkloadKind;
}

export interface Group {
  readonly id: string;
  readonly namespace: string;
  /** Whose it is: see `applicationOf`. */
  readonly application: string;
  /** The label that tells its application from others of the namespace. */
  readonly scope?: Scope;
  /** What people call it: the values of its keys, `storefront` or `shop-frontend`; after its application's name, if it has one. */
  readonly name: string;
  readonly selector: Selector;
  /** The wider selector of all groups told apart by the same key. */
  readonly family: Selector;
  readonly members: readonly string[];
}

export interface Grouping {
  readonly groups: readonly Group[];
  /** By workload id. */
  readonly groupOf: ReadonlyMap<string, Group>;
  /** Workloads no label tells from others. */
  readonly ungrouped: readonly Member[];
}

/** What a suggestion proposes where no label tells roles apart: whoever took it meant it. */
export const PROPOSED_KEY = "bulkhead-role";

/** Keys that name a role, the most telling first (Kubernetes' recommended labels, then customs). */
export const ROLE_KEYS: readonly string[] = [
  PROPOSED_KEY,
  "app.kubernetes.io/name",
  "app",
  "k8s-app",
  "service",
  "com.docker.compose.service",
  "app.kubernetes.io/component",
  "component",
  "role",
  "tier",
  UNIT_KEY,
];

/** What discovery gives to the slice of each user, and no role. */
const OF_EVERY_USER: readonly string[] = [USER_KEY, UNIT_KEY, SLICE_KEY];

/** Keys that name a copy, a build or a machine: never a role. */
const INSTANCE_KEY =
  /(^|[/._-])(pod-template-hash|pod-template-generation|controller-revision-hash|controller-uid|pod-name|pod-index|job-name|batch-index|index|ordinal|instance|hash|uid|uuid|id|hostname|host|node|zone|region|version|chart|managed-by|heritage|release|revision|created-by|git-commit|commit|build|digest|checksum|pid|container-number|oneoff|config-hash|depends_on)$/i;

/** Does this key tell copies apart, or builds, or machines? */
export function isInstanceKey(key: string): boolean {
  return INSTANCE_KEY.test(key);
}

export function groupWorkloads(members: readonly Member[]): Grouping {
  const groups: Group[] = [];
  const ungrouped: Member[] = [];
  const sorted = [...members].toSorted(by((member) => member.id));
  const spaces = [...groupBy(sorted, (member) => member.namespace)];
  for (const [namespace, own] of spaces.toSorted(([a], [b]) => compareText(a, b))) {
    for (const members of groupBy(own, applicationOf).values()) {
      groupApplication(spaceOf(namespace, members, own), members, groups, ungrouped);
    }
  }
  const byId = new Map(sorted.map((member) => [member.id, member]));
  const canBeSaid = ({ selector, family }: Group): boolean =>
    isSayable(selector) && isSayable(family);
  const sayable = groups.filter(canBeSaid);
  for (const group of groups) {
    if (!canBeSaid(group)) ungrouped.push(...group.members.flatMap((id) => byId.get(id) ?? []));
  }
  const named = nameApart(sayable);
  const groupOf = new Map<string, Group>();
  for (const group of named) for (const id of group.members) groupOf.set(id, group);
  return { groups: named, groupOf, ungrouped };
}

interface Space {
  readonly namespace: string;
  readonly scope: Scope | undefined;
  /** What holds for the members of this application and for nobody else of the namespace. */
  readonly requirements: readonly Requirement[];
}

function spaceOf(namespace: string, own: readonly Member[], all: readonly Member[]): Space {
  const scope = scopeOf(own[0]?.labels ?? {});
  const stronger = APPLICATION_KEYS.slice(
    0,
    scope === undefined ? APPLICATION_KEYS.length : APPLICATION_KEYS.indexOf(scope.key),
  );
  const absent = stronger
    .filter((key) => all.some((member) => Object.hasOwn(member.labels, key)))
    .map((key): Requirement => ({ key, operator: "DoesNotExist" }));
  const present: readonly Requirement[] =
    scope === undefined ? [] : [{ key: scope.key, operator: "In", values: [scope.value] }];
  return { namespace, scope, requirements: [...absent, ...present] };
}

/** Takes the best key, groups those that bear it, and goes on with the rest, who must then *not* bear it. */
function groupApplication(
  space: Space,
  members: readonly Member[],
  groups: Group[],
  ungrouped: Member[],
): void {
  const [users, services] = usersApart(members);
  for (const [value, own] of groupBy(users, (member) => member.labels[USER_KEY] ?? "")) {
    const who: Requirement = { key: USER_KEY, operator: "In", values: [value] };
    const family = selectorOf([...space.requirements, { key: USER_KEY, operator: "Exists" }]);
    groups.push(makeGroup(space, [...space.requirements, who], [who], family, own));
  }
  if (services.length > 0) groupServices(space, services, users, groups, ungrouped);
}

/** A user's slice is that user's, whatever else it is labelled with. A pod that says so of itself is none. */
function usersApart(members: readonly Member[]): readonly [readonly Member[], readonly Member[]] {
  const isUser = ({ labels, kind = "process" }: Member): boolean =>
    kind === "process" && (labels[USER_KEY] ?? "") !== "";
  return [members.filter(isUser), members.filter((member) => !isUser(member))];
}

function groupServices(
  space: Space,
  members: readonly Member[],
  users: readonly Member[],
  groups: Group[],
  ungrouped: Member[],
): void {
  let rest = members;
  const alike = users.some(({ labels }) =>
    Object.keys(labels).some((key) => !OF_EVERY_USER.includes(key)),
  );
  const absent: Requirement[] = [
    ...space.requirements,
    ...(alike ? [{ key: USER_KEY, operator: "DoesNotExist" } as const] : []),
  ];
  const kinds = keysByWorth(members).filter(
    (key) => !ROLE_KEYS.includes(key) && namesKinds(key, members),
  );
  for (const key of keysByWorth(members)) {
    const bearing = rest.filter((member) => Object.hasOwn(member.labels, key));
    if (bearing.length === 0) continue;
    const family = selectorOf([...absent, { key, operator: "Exists" }]);
    for (const [value, own] of groupBy(bearing, (member) => member.labels[key] ?? "")) {
      const role: Requirement = { key, operator: "In", values: [value] };
      const parts = ROLE_KEYS.includes(key) ? refine(own, key) : refineByAll(own, kinds);
      for (const refined of parts) {
        const words = [role, ...refined.requirements];
        groups.push(makeGroup(space, [...absent, ...words], words, family, refined.members));
      }
    }
    absent.push({ key, operator: "DoesNotExist" });
    rest = rest.filter((member) => !Object.hasOwn(member.labels, key));
  }
  // Nothing but the application itself tells them from others: that is what they are.
  if (space.scope !== undefined && rest.length > 0) {
    groups.push(makeGroup(space, absent, [], selectorOf(absent), rest));
    return;
  }
  ungrouped.push(...rest);
}

/** Role keys by how many bear them, custom first; then, for labels of nobody's custom, the key that is shared most. */
function keysByWorth(members: readonly Member[]): string[] {
  const bearers = (key: string): number =>
    members.filter((member) => Object.hasOwn(member.labels, key)).length;
  const oddly = ROLE_KEYS.some((key) =>
    members.some(({ labels }) => labelValueProblem(labels[key] ?? "") !== null),
  );
  const isSaid = (key: string): boolean =>
    labelKeyProblem(key) === null &&
    members.some(
      ({ labels }) => Object.hasOwn(labels, key) && labelValueProblem(labels[key] ?? "") === null,
    );
  // Every process has a unit: it is what tells those from others that nothing else does. Who bears what no selector can say
  // is told from others by what was proposed, and only if that is asked first.
  const last = (key: string): number =>
    key === UNIT_KEY ? 1 : oddly && key === PROPOSED_KEY ? -1 : 0;
  const roles = ROLE_KEYS.filter((key) => bearers(key) > 0).toSorted(
    (a, b) => last(a) - last(b) || bearers(b) - bearers(a),
  );
  const others = [...new Set(members.flatMap((member) => Object.keys(member.labels)))]
    .filter((key) => !ROLE_KEYS.includes(key) && !APPLICATION_KEYS.includes(key))
    .filter((key) => !isInstanceKey(key) && !isReservedLabel(key))
    .filter(isSaid)
    .filter((key) => !isInstanceName(key, members))
    .toSorted((a, b) => bearers(b) - bearers(a) || compareText(a, b));
  return [...roles, ...others];
}

/** A key whose values are all different, for three and more workloads, names copies and not roles. */
function isInstanceName(key: string, members: readonly Member[]): boolean {
  const values = members
    .filter((member) => Object.hasOwn(member.labels, key))
    .map((m) => m.labels[key]);
  return values.length > 2 && new Set(values).size === values.length;
}

/** Splits by further role keys, as long as every member bears the key and they differ in it. */
function refine(members: readonly Member[], primary: string): readonly Refined<Member>[] {
  if (primary === PROPOSED_KEY) return [{ requirements: [], members }];
  for (const key of ROLE_KEYS) {
    // A unit is what runs: two of one role are copies of it.
    if (key === primary || key === UNIT_KEY) continue;
    if (!members.every((member) => Object.hasOwn(member.labels, key))) continue;
    const parts = groupBy(members, (member) => member.labels[key] ?? "");
    if (parts.size < 2 || (members.length > 2 && parts.size === members.length)) continue;
    return [...parts].map(([value, own]) => ({
      requirements: [{ key, operator: "In", values: [value] }],
      members: own,
    }));
  }
  return [{ requirements: [], members }];
}

function makeGroup(
  { namespace, scope }: Space,
  requirements: readonly Requirement[],
  words: readonly Requirement[],
  family: Selector,
  members: readonly Member[],
): Group {
  const selector = selectorOf(requirements);
  const role = words.flatMap((r) => (r.operator === "In" ? r.values.map(wordOf(r.key)) : []));
  const home = scope === undefined ? undefined : nameOf(scope.value);
  const prefix = home === undefined || home === namespace ? [] : [home];
  const name = [...prefix, ...role].join("-");
  return {
    id: `${namespace} ${JSON.stringify(selector.requirements)}`,
    namespace,
    application: applicationId(namespace, scope),
    ...(scope === undefined ? {} : { scope }),
    name: name === "" ? (home ?? namespace) : name,
    selector,
    family,
    members: members.map((member) => member.id),
  };
}

/** What a workload bears that is of this group: nothing where its selector says only what it does not bear. */
export function labelsOfGroup({ selector }: Pick<Group, "selector">): Labels | undefined {
  const own = selector.requirements.flatMap((one) =>
    one.operator === "In" && one.values.length === 1
      ? [[one.key, one.values[0] ?? ""] as const]
      : [],
  );
  return own.length === 0 ? undefined : Object.fromEntries(own);
}

/** `nginx.service` is nginx, and `alice` is somebody. */
function wordOf(key: string): (value: string) => string {
  if (key === USER_KEY) return (value) => nameOf(`user-${value}`);
  return (value) =>
    nameOf(key === UNIT_KEY ? value.replace(/\.(service|scope|slice)$/, "") : value);
}

/** Groups of one namespace with the same name (`Web` and `web`) get a number, in order of their selectors. */
function nameApart(groups: readonly Group[]): Group[] {
  const seen = new Map<string, number>();
  return [...groups]
    .toSorted(
      by(
        (group) => group.namespace,
        (group) => group.name,
        (group) => group.id,
      ),
    )
    .map((group) => {
      const key = `${group.namespace}/${group.name}`;
      const count = (seen.get(key) ?? 0) + 1;
      seen.set(key, count);
      return count === 1 ? group : { ...group, name: `${group.name}-${count}` };
    });
}
