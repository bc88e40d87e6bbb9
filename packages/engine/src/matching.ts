/**
 * Whom does a subject select, what does a peer hold, does a rule match a flow: the questions of membership.
 * Names and labels are looked at here and nowhere else, so a workload on the host's network can never slip in by selector.
 */
import {
  isReservedNamespace,
  cidrRange,
  groupAt,
  matches,
  rangeContains,
  type Block,
  type Direction,
  type IpRange,
  type NamespaceScope,
  type Peer,
  type PortMatch,
  type Request,
  type Rule,
  type Workload,
} from "@bulkhead/model";
import type { InventoryIndex, Place } from "./inventory-index.ts";
import { matchesExpression } from "./text-match.ts";

export type CidrPeer = Extract<Peer, { kind: "cidr" }>;
export type WorkloadPeer = Extract<Peer, { kind: "workloads" }>;

/** One direction of one flow: the subject is the workload whose policy is asked, the peer its other end. */
export interface DirectedFlow {
  readonly direction: Direction;
  readonly subject: Workload;
  readonly peer: Place;
  /** Who owns the destination; named ports are read from it. */
  readonly destination: Workload | undefined;
  readonly protocol: number;
  readonly port: number;
  /** Of the destination's address, as far as they are told. */
  readonly names: readonly string[];
  readonly request: Request | undefined;
}

/** The first clause of a rule that did not hold, up to layer 4. */
export type FailedClause = "peer" | "named-port-on-address" | "port";

export function ruleMatches(rule: Rule, flow: DirectedFlow, index: InventoryIndex): boolean {
  return failedClause(rule, flow, index) === null;
}

/** Null when the rule matches: one of its peers holds the other end, and one of its ports that may go with that peer matches. */
export function failedClause(
  rule: Rule,
  flow: DirectedFlow,
  index: InventoryIndex,
): FailedClause | null {
  const holding = rule.peers.filter((peer) => peerHolds(peer, flow.peer, index, flow.names));
  if (holding.length === 0) return "peer";
  const matching = rule.ports.filter((port) => portMatches(port, flow));
  if (matching.length === 0) return "port";
  const agree = holding.some((peer) =>
    matching.some((port) => mayGoWith(port, peer, flow.direction)),
  );
  return agree ? null : "named-port-on-address";
}

/** A name resolves on a workload that was chosen as such, never on one met by its address (trap 4). */
export function mayGoWith(port: PortMatch, peer: Peer, direction: Direction): boolean {
  return !(port.kind === "named" && direction === "egress" && peer.kind === "cidr");
}

function portMatches(match: PortMatch, { protocol, port, destination }: DirectedFlow): boolean {
  if (match.kind === "all") return true;
  if (match.protocol !== protocol) return false;
  switch (match.kind) {
    case "protocol":
      return true;
    case "range":
      return match.first <= port && port <= match.last;
    case "named":
      return (destination?.namedPorts ?? []).some(
        (named) => named.name === match.name && named.protocol === protocol && named.port === port,
      );
  }
}

/** `names` stand for the place, if it is one of the world's. */
export function peerHolds(
  peer: Peer,
  place: Place,
  index: InventoryIndex,
  names: readonly string[] = [],
): boolean {
  switch (peer.kind) {
    case "any":
      return true;
    case "workloads":
      return place.workload !== undefined && selects(peer, place.workload, index);
    case "cidr":
      return (peer.matchesWorkloads || place.kind === "world") && prefixHolds(peer, place);
    case "domain":
      return place.kind === "world" && names.some((name) => matchesExpression(peer.regex, name));
    case "entity":
      return place.kind === peer.entity && !(place.kind === "world" && groupAt(place) !== null);
  }
}

/** All that a selector asks of the inventory besides the workload itself. */
export type NamespaceLabels = Pick<InventoryIndex, "namespaceLabels">;

/** `workload` must not be on the host's network. */
export function selects(
  subject: Block["subject"],
  workload: Workload,
  index: NamespaceLabels,
): boolean {
  if (subject.kind === "all-workloads") return !isReservedNamespace(workload.namespace);
  return (
    inScope(subject.namespaces, workload.namespace, index) &&
    matches(subject.selector, workload.labels)
  );
}

function inScope(scope: NamespaceScope, namespace: string, index: NamespaceLabels): boolean {
  if (isReservedNamespace(namespace)) return scope.kind === "named" && scope.name === namespace;
  switch (scope.kind) {
    case "all":
      return true;
    case "named":
      return scope.name === namespace;
    case "selected":
      return matches(scope.selector, index.namespaceLabels(namespace));
  }
}

export function prefixHolds(peer: CidrPeer, { family, value }: Place): boolean {
  const { prefix, except } = prefixRanges(peer);
  const holds = (range: IpRange) => rangeContains(range, { family, value });
  return holds(prefix) && !except.some(holds);
}

interface PrefixRanges {
  readonly prefix: IpRange;
  readonly except: readonly IpRange[];
}

const parsedPrefixes = new WeakMap<CidrPeer, PrefixRanges>();

export function prefixRanges(peer: CidrPeer): PrefixRanges {
  let ranges = parsedPrefixes.get(peer);
  if (ranges === undefined) {
    ranges = { prefix: cidrRange(peer.cidr), except: peer.except.map(cidrRange) };
    parsedPrefixes.set(peer, ranges);
  }
  return ranges;
}
