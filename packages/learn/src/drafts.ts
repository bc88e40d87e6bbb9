/**
 * From needed relations to the drafts of rules: ports of the same two ends together, then clients of the same service together, then
 * services that one client uses in the same way. What is joined is what could be said as one rule anyhow, and but for
 * names (both protocols for whoever asks a resolver) no group gets a peer or a port that it was not seen with.
 */
import type { Direction, Edge, SuggestedPort, TrafficPurpose } from "@bulkhead/model";
import type { End } from "./ends.ts";
import { COMMON_CLIENTS, MANY_DESTINATIONS } from "./generality.ts";
import { by, groupBy } from "./order.ts";
import { DNS_PORT } from "./purpose.ts";

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

/** In no order. */
export function draftsOf(needs: readonly Need[]): readonly Draft[] {
  const [names, others] = namesApart(needs);
  const rare = others.filter((need) => need.rare);
  const shared = mergeSources(others.filter((need) => !need.rare));
  const joining = (draft: Draft): readonly Need[] =>
    draft.sources.length < COMMON_CLIENTS
      ? []
      : rare.filter((need) => clientKey(need) === clientKey(draft.needs[0]));
  const joined = new Set(shared.flatMap(joining));
  return [
    ...mergeDestinations([
      ...names.filter((draft) => !draft.rare),
      ...mergePorts(shared.map((draft) => withClients(draft, joining(draft)))),
    ]),
    ...names.filter((draft) => draft.rare),
    // The other rare ones stay apart, so that each can be struck out by itself.
    ...mergePorts(rare.filter((need) => !joined.has(need)).map(single)),
  ];
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

export function join(drafts: readonly Draft[]): Draft {
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
export function mergeKey(end: End): string {
  if (end.kind !== "group") return end.key;
  const { namespace, scope, selector } = end.group;
  const roles = selector.requirements.filter(
    ({ key, operator }) => operator === "In" && key !== scope?.key,
  );
  if (roles.length !== 1) return end.key;
  const shape = selector.requirements.map((requirement) => [requirement.key, requirement.operator]);
  return `family ${namespace} ${JSON.stringify([scope, shape])}`;
}
