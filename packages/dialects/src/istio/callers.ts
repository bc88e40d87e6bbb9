/**
 * Who a rule's `from` and `when` mean, as peers. An identity is what a caller's certificate says, so only callers in the mesh
 * have one: what asks for one never holds anybody else, and what only excludes some holds everybody without one (trap 12).
 */
import {
  NODES_NAMESPACE,
  SERVICE_ACCOUNT_LABEL,
  cidrCovers,
  hostCidr,
  type Cidr,
  type Peer,
  type Requirement,
  type Workload,
  type WorkloadId,
} from "@bulkhead/model";
import { EVERYWHERE, prefixPeers } from "../build/prefix-peers.ts";
import { MESH_LABEL, type DataPlane } from "./mesh.ts";
import { holdsText, type Pattern } from "./patterns.ts";
import type { PlainPorts } from "./plaintext.ts";
import { CAPTURED, type Way } from "./waypoints.ts";

export interface IdentityClause {
  readonly of: "principal" | "namespace" | "serviceAccount" | "trustDomain";
  readonly values: readonly Pattern[];
  readonly notValues: readonly Pattern[];
}

export interface AddressClause {
  readonly values: readonly Cidr[];
  readonly notValues: readonly Cidr[];
}

export interface CallerIndex {
  readonly workloads: readonly Workload[];
  readonly planes: ReadonlyMap<WorkloadId, DataPlane>;
  readonly trustDomain: string;
  /** All that stand before anybody. */
  readonly waypoints: readonly string[];
  /** All that anybody has. */
  readonly plain: readonly PlainPorts[];
}

export interface CallersAt extends CallerIndex {
  readonly way: Way;
}

interface Caller {
  readonly namespace: string;
  readonly account: string;
}

const SEEN: Readonly<Record<Way["kind"], Requirement>> = {
  direct: { key: MESH_LABEL, operator: "Exists" },
  "to-waypoint": { key: MESH_LABEL, operator: "In", values: ["ambient"] },
  "from-waypoint": { key: MESH_LABEL, operator: "In", values: ["sidecar"] },
};
const EVERYBODY: readonly Peer[] = [{ kind: "any" }];
/** Whoever has no certificate of the mesh. */
const WITHOUT_IDENTITY: readonly Peer[] = [
  { kind: "entity", entity: "world" },
  { kind: "entity", entity: "host" },
  {
    kind: "workloads",
    namespaces: { kind: "all" },
    selector: { requirements: [{ key: MESH_LABEL, operator: "DoesNotExist" }] },
  },
  {
    kind: "workloads",
    namespaces: { kind: "named", name: NODES_NAMESPACE },
    selector: { requirements: [] },
  },
];

export function callers(
  identities: readonly IdentityClause[],
  addresses: readonly AddressClause[],
  home: string,
  index: CallersAt,
): readonly Peer[] {
  const isWaypoint = index.way.kind === "to-waypoint";
  const asked = identities.filter(({ values, notValues }) => values.length + notValues.length > 0);
  const placed = addresses.filter(({ values, notValues }) => values.length + notValues.length > 0);
  if (placed.length === 0) {
    if (asked.length > 0) return identified(asked, home, index);
    return isWaypoint ? [CAPTURED] : EVERYBODY;
  }
  return identifiedAt(placeOf(placed), asked, home, index);
}

/** Of a destination whose callers come without TLS: nobody has an identity there. */
export function callersInPlain(
  identities: readonly IdentityClause[],
  addresses: readonly AddressClause[],
  home: string,
  index: CallersAt,
): readonly Peer[] {
  if (identities.some(({ values }) => values.length > 0)) return [];
  return callers([], addresses, home, index);
}

/** Prefixes lie in one another or apart, so that what two lists have in common is again a list. */
function placeOf(clauses: readonly AddressClause[]): AddressClause {
  return clauses.reduce(
    (left, { values, notValues }) => ({
      values:
        values.length === 0
          ? left.values
          : left.values.flatMap((one) => [
              ...values.filter((other) => cidrCovers(one, other)),
              ...(values.some((other) => other !== one && cidrCovers(other, one)) ? [one] : []),
            ]),
      notValues: [...left.notValues, ...notValues],
    }),
    { values: EVERYWHERE, notValues: [] },
  );
}

/**
 * Whoever has a certificate is a workload, and its addresses are known: those of whom the clauses hold, or everybody at
 * the place but those of whom they do not.
 */
function identifiedAt(
  place: AddressClause,
  clauses: readonly IdentityClause[],
  home: string,
  index: CallersAt,
): readonly Peer[] {
  const passes = (workload: Workload) =>
    clauses.every((clause) => clauseHolds(clause, seenAs(workload, index), home, index));
  const own = index.workloads.filter((one) => isAsked(one, index));
  const addressesOf = (some: readonly Workload[]): Cidr[] =>
    some.flatMap(({ addresses }) => addresses.map(hostCidr));
  if (index.way.kind !== "to-waypoint" && clauses.every(({ values }) => values.length === 0)) {
    const failing = addressesOf(own.filter((one) => !passes(one)));
    return prefixPeers(place.values, [...place.notValues, ...failing]);
  }
  const within = (some: readonly Cidr[], address: Cidr) =>
    some.some((prefix) => cidrCovers(prefix, address));
  return addressesOf(own.filter(passes))
    .filter((address) => within(place.values, address) && !within(place.notValues, address))
    .map((cidr): Peer => ({ kind: "cidr", cidr, except: [], matchesWorkloads: true }));
}

function identified(
  clauses: readonly IdentityClause[],
  home: string,
  index: CallersAt,
): readonly Peer[] {
  const { way, planes, workloads } = index;
  const passes = (caller: Caller) =>
    clauses.every((clause) => clauseHolds(clause, caller, home, index));
  const known = workloads
    .filter((one) => isAsked(one, index))
    .filter(({ id }) => way.kind !== "from-waypoint" || planes.get(id) !== "ambient")
    .map(callerOf)
    .filter(passes);
  const named = clauses.flatMap((clause) => spelledOut(clause, home)).filter(passes);
  const all = new Map([...named, ...known].map((one) => [`${one.namespace}/${one.account}`, one]));
  const whole = wholeNamespaces(clauses);
  const peers = [
    ...byNamespace([...all.values()], whole, SEEN[way.kind]),
    ...(way.kind === "from-waypoint" && passes(waypointItself(way.waypoint)) ? [CAPTURED] : []),
  ];
  const excludesOnly = clauses.every(({ values }) => values.length === 0);
  return excludesOnly && way.kind !== "to-waypoint" ? [...peers, ...WITHOUT_IDENTITY] : peers;
}

/** Has an identity, and comes this way at all. */
const isAsked = ({ id }: Workload, { planes, way }: CallersAt): boolean =>
  way.kind === "to-waypoint" ? planes.get(id) === "ambient" : planes.has(id);

/** istiod gives a waypoint's pods an account with the name of its Gateway. */
const waypointItself = (waypoint: string): Caller => {
  const [namespace, account] = waypoint.split("/");
  return { namespace: namespace!, account: account! };
};

const seenAs = (workload: Workload, { planes, way }: CallersAt): Caller =>
  way.kind === "from-waypoint" && planes.get(workload.id) === "ambient"
    ? waypointItself(way.waypoint)
    : callerOf(workload);

const callerOf = ({ namespace, labels }: Workload): Caller => ({
  namespace,
  account: labels[SERVICE_ACCOUNT_LABEL] ?? "default",
});

function clauseHolds(
  { of, values, notValues }: IdentityClause,
  caller: Caller,
  home: string,
  { trustDomain }: CallersAt,
): boolean {
  const texts = textsOf(of, caller, home, trustDomain);
  const isIn = (patterns: readonly Pattern[]) =>
    patterns.some((one) => texts.some((text) => holdsText(one, text)));
  return (values.length === 0 || isIn(values)) && !isIn(notValues);
}

/** What a caller is called. A service account of the policy's own namespace needs no namespace before it. */
function textsOf(
  of: IdentityClause["of"],
  { namespace, account }: Caller,
  home: string,
  trustDomain: string,
): readonly string[] {
  if (of === "namespace") return [namespace];
  if (of === "trustDomain") return [trustDomain];
  if (of === "principal") return [`${trustDomain}/ns/${namespace}/sa/${account}`];
  const full = `${namespace}/${account}`;
  return namespace === home ? [full, account] : [full];
}

/** Callers that a clause names in full hold whether or not anybody is there; who is not called so fails the clause itself. */
function spelledOut({ of, values }: IdentityClause, home: string): Caller[] {
  return values.flatMap(({ match, text }): Caller[] => {
    if (match.kind !== "exact") return [];
    if (of === "principal") {
      const [, , namespace, , account] = text.split("/");
      return namespace === undefined || account === undefined ? [] : [{ namespace, account }];
    }
    if (of === "namespace" || of === "trustDomain") return [];
    const [first, second] = text.split("/");
    return [
      second === undefined
        ? { namespace: home, account: first! }
        : { namespace: first!, account: second },
    ];
  });
}

/** Where namespaces are all that is asked, those named in full are meant whole, with whoever will be in them. */
function wholeNamespaces(clauses: readonly IdentityClause[]): readonly string[] {
  const [only, ...others] = clauses;
  if (only === undefined || others.length > 0 || only.of !== "namespace") return [];
  return only.values
    .filter(
      ({ match, text }) =>
        match.kind === "exact" && !only.notValues.some((one) => holdsText(one, text)),
    )
    .map(({ text }) => text);
}

function* byNamespace(
  found: readonly Caller[],
  whole: readonly string[],
  inMesh: Requirement,
): Iterable<Peer> {
  const accounts = new Map<string, string[]>(whole.map((name) => [name, []]));
  for (const { namespace, account } of found) {
    if (whole.includes(namespace)) continue;
    const list = accounts.get(namespace);
    if (list === undefined) accounts.set(namespace, [account]);
    else if (!list.includes(account)) list.push(account);
  }
  for (const [name, values] of [...accounts].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const account: Requirement[] =
      values.length === 0
        ? []
        : [{ key: SERVICE_ACCOUNT_LABEL, operator: "In", values: values.toSorted() }];
    yield {
      kind: "workloads",
      namespaces: { kind: "named", name },
      selector: { requirements: [inMesh, ...account] },
    };
  }
}
