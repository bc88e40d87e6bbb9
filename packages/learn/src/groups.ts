/**
 * Sorts workloads into roles by their labels: a group is a namespace and a selector that holds exactly the members, made
 * from keys that say what a workload *is* (`app`, `role`), never which copy it is. Groups of a namespace are disjoint.
 */
import { selectorOf, type Labels, type Requirement, type Selector } from "@bulkhead/model";
import { by, compareText, groupBy } from "./order.ts";

export interface Member {
  readonly id: string;
  readonly namespace: string;
  readonly labels: Labels;
}

export interface Group {
  readonly id: string;
  readonly namespace: string;
  /** What people call it: the values of its keys, `storefront` or `shop-frontend`. */
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

/** Keys that name a role, the most telling first (Kubernetes' recommended labels, then customs). */
const ROLE_KEYS = [
  "app.kubernetes.io/name",
  "app",
  "k8s-app",
  "service",
  "app.kubernetes.io/component",
  "component",
  "role",
  "tier",
];

/** Keys that name a copy, a build or a machine: never a role. */
const INSTANCE_KEY =
  /(^|[/._-])(pod-template-hash|pod-template-generation|controller-revision-hash|controller-uid|pod-name|pod-index|job-name|batch-index|index|ordinal|instance|hash|uid|uuid|id|hostname|host|node|zone|region|version|chart|managed-by|heritage|release|revision|created-by|git-commit|commit|build)$/i;

export function groupWorkloads(members: readonly Member[]): Grouping {
  const groups: Group[] = [];
  const ungrouped: Member[] = [];
  const sorted = [...members].toSorted(by((member) => member.id));
  for (const [namespace, own] of [...groupBy(sorted, (member) => member.namespace)].toSorted(
    ([a], [b]) => compareText(a, b),
  )) {
    groupNamespace(namespace, own, groups, ungrouped);
  }
  const named = nameApart(groups);
  const groupOf = new Map<string, Group>();
  for (const group of named) for (const id of group.members) groupOf.set(id, group);
  return { groups: named, groupOf, ungrouped };
}

/** Takes the best key, groups those that bear it, and goes on with the rest, who must then *not* bear it. */
function groupNamespace(
  namespace: string,
  members: readonly Member[],
  groups: Group[],
  ungrouped: Member[],
): void {
  let rest = members;
  const absent: Requirement[] = [];
  for (const key of keysByWorth(members)) {
    const bearing = rest.filter((member) => key in member.labels);
    if (bearing.length === 0) continue;
    const family = selectorOf([...absent, { key, operator: "Exists" }]);
    for (const [value, own] of groupBy(bearing, (member) => member.labels[key] ?? "")) {
      const base: Requirement[] = [...absent, { key, operator: "In", values: [value] }];
      for (const refined of refine(own, key)) {
        groups.push(
          makeGroup(namespace, [...base, ...refined.requirements], family, refined.members),
        );
      }
    }
    absent.push({ key, operator: "DoesNotExist" });
    rest = rest.filter((member) => !(key in member.labels));
  }
  ungrouped.push(...rest);
}

/** Role keys by how many bear them, custom first; then, for labels of nobody's custom, the key that is shared most. */
function keysByWorth(members: readonly Member[]): string[] {
  const bearers = (key: string): number => members.filter((member) => key in member.labels).length;
  const roles = ROLE_KEYS.filter((key) => bearers(key) > 0).toSorted(
    (a, b) => bearers(b) - bearers(a),
  );
  const others = [...new Set(members.flatMap((member) => Object.keys(member.labels)))]
    .filter((key) => !ROLE_KEYS.includes(key) && !INSTANCE_KEY.test(key))
    .filter((key) => !isInstanceName(key, members))
    .toSorted((a, b) => bearers(b) - bearers(a) || compareText(a, b));
  return [...roles, ...others];
}

/** A key whose values are all different, for three and more workloads, names copies and not roles. */
function isInstanceName(key: string, members: readonly Member[]): boolean {
  const values = members.filter((member) => key in member.labels).map((m) => m.labels[key]);
  return values.length > 2 && new Set(values).size === values.length;
}

interface Refined {
  readonly requirements: readonly Requirement[];
  readonly members: readonly Member[];
}

/** Splits by further role keys, as long as every member bears the key and they differ in it. */
function refine(members: readonly Member[], primary: string): readonly Refined[] {
  for (const key of ROLE_KEYS) {
    if (key === primary || !members.every((member) => key in member.labels)) continue;
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
  namespace: string,
  requirements: readonly Requirement[],
  family: Selector,
  members: readonly Member[],
): Group {
  const selector = selectorOf(requirements);
  const values = requirements.flatMap((r) => (r.operator === "In" ? r.values : []));
  return {
    id: `${namespace} ${JSON.stringify(selector.requirements)}`,
    namespace,
    name: values.map(nameOf).join("-"),
    selector,
    family,
    members: members.map((member) => member.id),
  };
}

/** A label value as part of a resource name (RFC 1123 label). */
export function nameOf(value: string): string {
  const name = value
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, "-")
    .replaceAll(/^-+|-+$/g, "");
  return name === "" ? "unnamed" : name;
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
