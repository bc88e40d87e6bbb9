/**
 * Selectors that hold some of those whom a peer admits and none of the others: by one label that tells them apart, or group by
 * group. What the peer asks already stays asked, so nobody is admitted who was not.
 */
import {
  APPLICATION_KEYS,
  isInstanceKey,
  ROLE_KEYS,
  type Group,
  type Member,
} from "@bulkhead/learn";
import {
  isReservedLabel,
  isReservedNamespace,
  isSayable,
  selectorOf,
  type NamespaceScope,
  type Peer,
  type Requirement,
  type Selector,
} from "@bulkhead/model";

export type WorkloadPeer = Extract<Peer, { kind: "workloads" }>;

export interface Telling {
  readonly kept: readonly Member[];
  readonly others: readonly Member[];
  /** What is asked of all of them. */
  readonly base: Omit<WorkloadPeer, "kind">;
  readonly groupOf: (id: string) => Group | undefined;
  readonly most: number;
}

/** Undefined: no labels tell them apart, or it takes more peers than that. */
export function tellApart(telling: Telling): readonly WorkloadPeer[] | undefined {
  const { kept, others, base, most } = telling;
  const spaces = [...Map.groupBy(kept, ({ namespace }) => namespace)].toSorted(([a], [b]) =>
    a < b ? -1 : 1,
  );
  if (spaces.some(([name]) => isReservedNamespace(name))) return undefined;
  const apart = spaces.flatMap(([name, own]) =>
    tellInOne(
      { ...telling, kept: own, others: others.filter(({ namespace }) => namespace === name) },
      { kind: "named", name },
    ),
  );
  if (apart.length <= most) return isSame(apart, base) ? undefined : apart;
  const label = tellingLabel(kept, others);
  return label === undefined ? undefined : [peerOf(base.namespaces, base.selector, [label])];
}

/** One after whom nobody is left out is no narrower. */
function isSame([one, ...more]: readonly WorkloadPeer[], base: Telling["base"]): boolean {
  return (
    one !== undefined &&
    more.length === 0 &&
    JSON.stringify([one.namespaces, one.selector]) ===
      JSON.stringify([base.namespaces, base.selector])
  );
}

function tellInOne(
  { kept, others, base, groupOf }: Telling,
  scope: NamespaceScope,
): readonly WorkloadPeer[] {
  const whole = peerOf(scope, base.selector, []);
  if (others.length === 0) return [whole];
  const label = tellingLabel(kept, others);
  if (label !== undefined) return [peerOf(scope, base.selector, [label])];
  const groups = kept.map(({ id }) => groupOf(id));
  if (groups.some((group) => group === undefined)) return [whole];
  const each = new Map(groups.flatMap((group) => (group === undefined ? [] : [[group.id, group]])));
  return [...each.values()].map(({ selector }) =>
    peerOf(scope, base.selector, selector.requirements),
  );
}

/** More values of one label are no rule that a person reads. */
const MOST_VALUES = 8;
/** So many values of a label that names roles are better than one of a label that happens to tell them apart. */
const FEW_VALUES = 3;

function tellingLabel(kept: readonly Member[], others: readonly Member[]): Requirement | undefined {
  const found = Object.keys(kept[0]?.labels ?? {}).flatMap((key) => {
    if (isReservedLabel(key) || isInstanceKey(key)) return [];
    if (!kept.every(({ labels }) => Object.hasOwn(labels, key))) return [];
    const values = new Set(kept.map(({ labels }) => labels[key] ?? ""));
    const worth = worthOf(key);
    // A name of its own for each is no role.
    const isName = worth === UNKNOWN && values.size > 2 && values.size === kept.length;
    if (values.size > MOST_VALUES || isName) return [];
    if (!isSayable(selectorOf([{ key, operator: "In", values: [...values] }]))) return [];
    const isShared = others.some(
      ({ labels }) => Object.hasOwn(labels, key) && values.has(labels[key] ?? ""),
    );
    return isShared ? [] : [{ key, values: [...values], worth }];
  });
  const rank = ({ values, worth }: (typeof found)[number]): readonly number[] => [
    values.length > FEW_VALUES ? 1 : 0,
    Math.floor(worth / ROLES),
    values.length,
    worth,
  ];
  const best = found.toSorted((a, b) => {
    const [x, y] = [rank(a), rank(b)];
    const at = x.findIndex((one, i) => one !== y[i]);
    return at < 0 ? (a.key < b.key ? -1 : 1) : x[at]! - y[at]!;
  })[0];
  return best && { key: best.key, operator: "In", values: best.values };
}

const ROLES = 100;
const UNKNOWN = 2 * ROLES;

/** Roles first, then applications, then what nobody's custom is. */
function worthOf(key: string): number {
  const role = ROLE_KEYS.indexOf(key);
  if (role >= 0) return role;
  const application = APPLICATION_KEYS.indexOf(key);
  return application >= 0 ? ROLES + application : UNKNOWN;
}

function peerOf(
  namespaces: NamespaceScope,
  { requirements }: Selector,
  more: readonly Requirement[],
): WorkloadPeer {
  const kept = requirements.filter((one) => !more.some((other) => implies(other, one)));
  return { kind: "workloads", namespaces, selector: selectorOf([...kept, ...more]) };
}

/** Whoever has one of these values has the label, one of those, and none of others. */
function implies(one: Requirement, other: Requirement): boolean {
  if (one.key !== other.key || one.operator !== "In") return false;
  switch (other.operator) {
    case "Exists":
      return true;
    case "In":
      return one.values.every((value) => other.values.includes(value));
    case "NotIn":
      return !one.values.some((value) => other.values.includes(value));
    case "DoesNotExist":
      return false;
  }
}
