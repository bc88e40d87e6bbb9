/**
 * From needed relations to few, well-named rules: ports of the same two ends together, then clients of the same service
 * together, then services that one client uses in the same way. Merging only ever joins what was seen, so a rule allows
 * no pair without evidence.
 */
import { EVERYTHING, formatPort } from "@bulkhead/model";
import type {
  Direction,
  Edge,
  Evidence,
  Selector,
  SuggestedPeer,
  SuggestedPort,
  SuggestedRule,
  TrafficPurpose,
} from "@bulkhead/model";
import type { End } from "./ends.ts";
import { evidenceOf } from "./evidence.ts";
import type { Group, Grouping } from "./groups.ts";
import { by, compareText, groupBy } from "./order.ts";
import { DNS_PORT } from "./purpose.ts";
import { homeOf, nameRules, type Named } from "./rule-names.ts";

/** What is needed between two ends on one port. World addresses have become sets by now. */
export interface Need {
  readonly source: Exclude<End, { kind: "address" }>;
  readonly destination: Exclude<End, { kind: "address" }>;
  readonly protocol: number;
  readonly port: number;
  readonly rare: boolean;
  readonly purpose?: TrafficPurpose;
  /** Only this end is confined; both where it is absent. */
  readonly only?: Direction;
  readonly edges: readonly Edge[];
}

export interface Draft {
  readonly sources: readonly Need["source"][];
  readonly destinations: readonly Need["destination"][];
  readonly ports: readonly SuggestedPort[];
  readonly rare: boolean;
  /** Of all that is in it: what the application does and what keeps it running are never one rule. */
  readonly purpose: TrafficPurpose | undefined;
  /** Of all that is in it, too. */
  readonly only: Direction | undefined;
  readonly needs: readonly Need[];
}

const MANY_DESTINATIONS = 3;
/** A service with so many regular clients is common ground: a rare client adds no rule of its own. */
const COMMON_CLIENTS = 3;

/** `ofMachine`: namespaces of processes of the machine, whose whole is never an end: people are among them. */
export function rulesOf(
  needs: readonly Need[],
  grouping: Grouping,
  ofMachine: ReadonlySet<string>,
): readonly SuggestedRule[] {
  const [names, others] = namesApart(needs);
  const rare = others.filter((need) => need.rare);
  const shared = mergeSources(others.filter((need) => !need.rare));
  const joining = (draft: Draft): readonly Need[] =>
    draft.sources.length < COMMON_CLIENTS
      ? []
      : rare.filter((need) => clientKey(need) === clientKey(draft.needs[0]));
  const joined = new Set(shared.flatMap(joining));
  const drafts = [
    ...mergeDestinations([
      ...names.filter((draft) => !draft.rare),
      ...mergePorts(shared.map((draft) => withClients(draft, joining(draft)))),
    ]),
    ...names.filter((draft) => draft.rare),
    // The other rare ones stay apart, so that each can be struck out by itself.
    ...mergePorts(rare.filter((need) => !joined.has(need)).map(single)),
  ];
  return nameRules(drafts, grouping.groups)
    .map((named) => toRule(named, grouping, ofMachine))
    .toSorted(
      by(
        (rule) => rule.namespace,
        (rule) => (rule.rare ? 1 : 0),
        (rule) => rule.name,
      ),
    );
}

/** One rule for all that ask one resolver, over UDP or TCP (RFC 7766), often or seldom: it is the same answer for everybody. */
function namesApart(needs: readonly Need[]): readonly [readonly Draft[], readonly Need[]] {
  const isName = ({ purpose, port }: Need): boolean => purpose === "dns" && port === DNS_PORT;
  const key = ({ destination, source, only }: Need): string =>
    [destination.key, only, mergeKey(source)].join("\n");
  const drafts = [...groupBy(needs.filter(isName), key).values()].map((own) => ({
    ...join(own.map(single)),
    rare: own.every((need) => need.rare),
  }));
  return [drafts, needs.filter((need) => !isName(need))];
}

function withClients(draft: Draft, needs: readonly Need[]): Draft {
  return needs.length === 0 ? draft : { ...join([draft, ...needs.map(single)]), rare: false };
}

function single(need: Need): Draft {
  return {
    sources: [need.source],
    destinations: [need.destination],
    ports: [{ protocol: need.protocol, port: need.port }],
    rare: need.rare,
    purpose: need.purpose,
    only: need.only,
    needs: [need],
  };
}

/** Needs with one key are clients of the same port of the same service, and can be said as one peer. */
function clientKey(need: Need | undefined): string {
  if (need === undefined) return "";
  const { destination, protocol, port, source, purpose, only } = need;
  return [destination.key, protocol, port, purpose, only, mergeKey(source)].join("\n");
}

function mergeSources(needs: readonly Need[]): readonly Draft[] {
  return [...groupBy(needs, clientKey).values()].map((own) => join(own.map(single)));
}

/** All ports that the same clients use of the same service. */
function mergePorts(drafts: readonly Draft[]): readonly Draft[] {
  const key = (draft: Draft): string =>
    [keysOf(draft.destinations), keysOf(draft.sources), draft.rare, draft.purpose, draft.only].join(
      "\n\n",
    );
  return [...groupBy(drafts, key).values()].map(join);
}

/** Many services used by the same client on the same ports: a scraper and its targets. */
function mergeDestinations(drafts: readonly Draft[]): readonly Draft[] {
  const key = (draft: Draft): string =>
    [
      keysOf(draft.sources),
      portsKey(draft.ports),
      draft.purpose,
      draft.only,
      draft.sources.length === 1 && draft.destinations[0] !== undefined
        ? mergeKey(draft.destinations[0])
        : keysOf(draft.destinations),
    ].join("\n\n");
  return [...groupBy(drafts, key).values()].flatMap((own) =>
    own.length >= MANY_DESTINATIONS ? [join(own)] : own,
  );
}

function join(drafts: readonly Draft[]): Draft {
  const ports = drafts.flatMap((draft) => draft.ports);
  return {
    sources: distinct(drafts.flatMap((draft) => draft.sources)),
    destinations: distinct(drafts.flatMap((draft) => draft.destinations)),
    ports: [
      ...new Map(ports.map((port) => [`${port.protocol}/${port.port}`, port])).values(),
    ].toSorted(
      by(
        (port) => port.protocol,
        (port) => port.port,
      ),
    ),
    rare: drafts.some((draft) => draft.rare),
    purpose: drafts[0]?.purpose,
    only: drafts[0]?.only,
    needs: drafts.flatMap((draft) => draft.needs),
  };
}

const distinct = <T extends End>(ends: readonly T[]): readonly T[] =>
  [...new Map(ends.map((end) => [end.key, end])).values()].toSorted(by((end) => end.key));

export const keysOf = (ends: readonly End[]): string => ends.map((end) => end.key).join("\n");
export const portsKey = (ports: readonly SuggestedPort[]): string =>
  ports.map((port) => `${port.protocol}/${port.port}`).join(" ");

/** Ends with one key can be said as one peer: selectors of one application that differ in the values of one `In` only. */
function mergeKey(end: End): string {
  if (end.kind !== "group") return end.key;
  const { namespace, scope, selector } = end.group;
  const roles = selector.requirements.filter(
    ({ key, operator }) => operator === "In" && key !== scope?.key,
  );
  if (roles.length !== 1) return end.key;
  const shape = selector.requirements.map((requirement) => [requirement.key, requirement.operator]);
  return `family ${namespace} ${JSON.stringify([scope, shape])}`;
}

function peerOf(ends: readonly Need["source"][]): SuggestedPeer {
  const first = ends[0];
  if (first === undefined) throw new Error("a rule without ends was drafted");
  if (first.kind === "host") return { kind: "host" };
  if (first.kind === "set") return { kind: "networkSet", name: first.name };
  const own = ends.flatMap((end) => (end.kind === "group" ? [end.group] : []));
  const names = own.map((group) => group.name).toSorted(compareText);
  return {
    kind: "workloads",
    namespace: first.group.namespace,
    selector: mergeSelectors(own),
    name: names.join(", "),
  };
}

/** Names are common ground: when all of a namespace resolves them, the namespace is the peer. */
function clientsOf(
  draft: Draft,
  grouping: Grouping,
  ofMachine: ReadonlySet<string>,
): SuggestedPeer {
  const clients = peerOf(draft.sources);
  const destination = draft.destinations[0];
  if (clients.kind !== "workloads" || draft.ports.some((port) => port.port !== DNS_PORT))
    return clients;
  const { namespace } = clients;
  if (ofMachine.has(namespace)) return clients;
  const asking = new Set(draft.sources.map((end) => end.key));
  const silent = grouping.groups.filter(
    (group) => group.namespace === namespace && !asking.has(`group ${group.id}`),
  );
  // A single server need not ask itself, and talking to itself is exempt.
  const others = silent.filter(
    (group) => destination?.key !== `group ${group.id}` || group.members.length > 1,
  );
  const nameless = grouping.ungrouped.some((member) => member.namespace === namespace);
  if (draft.sources.length < COMMON_CLIENTS || others.length > 0 || nameless) return clients;
  return { kind: "workloads", namespace, selector: EVERYTHING, name: "all" };
}

function mergeSelectors(groups: readonly Group[]): Selector {
  const first = groups[0];
  if (first === undefined || groups.length === 1) return first?.selector ?? { requirements: [] };
  return {
    requirements: first.selector.requirements.map((requirement) => {
      if (requirement.operator !== "In") return requirement;
      const values = groups.flatMap((group) =>
        group.selector.requirements.flatMap((other) =>
          other.operator === "In" && other.key === requirement.key ? other.values : [],
        ),
      );
      return { ...requirement, values: [...new Set(values)].toSorted(compareText) };
    }),
  };
}

function toRule(
  { draft, namespace, name }: Named,
  grouping: Grouping,
  ofMachine: ReadonlySet<string>,
): SuggestedRule {
  const between = (need: Need): string => `${endName(need.source)} → ${endName(need.destination)}`;
  const parts = [...groupBy(draft.needs, between)]
    .map(([part, needs]) => ({
      name: part,
      rare: needs.every((need) => need.rare),
      evidence: evidenceOf(needs.flatMap((need) => need.edges)),
    }))
    .toSorted(by((part) => part.name));
  const links = draft.needs
    .map((need) => ({
      text: `${between(need)} ${formatPort(need.protocol, need.port)}`,
      firstSeen: Math.min(...need.edges.map((edge) => edge.firstSeen)),
    }))
    .toSorted(by((link) => link.text));
  const evidence: Evidence = evidenceOf(draft.needs.flatMap((need) => need.edges));
  const home = homeOf(draft);
  return {
    name,
    namespace,
    application: home?.application ?? namespace,
    ...(draft.purpose === undefined ? {} : { purpose: draft.purpose }),
    ...(draft.only === undefined ? {} : { only: draft.only }),
    from: clientsOf(draft, grouping, ofMachine),
    to: peerOf(draft.destinations),
    ports: draft.ports,
    rare: draft.rare,
    evidence,
    parts: parts.length > 1 ? parts : [],
    links,
  };
}

function endName(end: Need["source"]): string {
  if (end.kind === "host") return "host";
  return end.kind === "set" ? end.name : `${end.group.namespace}/${end.group.name}`;
}
