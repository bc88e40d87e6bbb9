/** The other ends of one rule as peers of the common form. */
import {
  EVERYTHING,
  cidrCovers,
  cidrRange,
  hostCidr,
  matches,
  NODES_NAMESPACE,
  rangeCovers,
  type Cidr,
  type IpAddress,
  type Peer,
  type SourceSpan,
} from "@bulkhead/model";
import type { BuildContext } from "../build/context.ts";
import type { BuildInput } from "../dialect.ts";
import { entityPeers } from "./entities.ts";
import { serviceNamespace } from "../build/services.ts";
import type { ServiceObject } from "../kubernetes/services.ts";
import type { CidrRule, CiliumPeers, ServiceRule } from "./peers.ts";
import type { CiliumCidrGroup } from "./policy.ts";
import { nodesOf, objectSelector, peerOf, type Home } from "./scope.ts";
import { isReserved, type CiliumSelector } from "./selector.ts";

export interface PeerInput {
  readonly home: Home;
  readonly services: readonly ServiceObject[];
  /** That prefixes hold, too. */
  readonly nodes: readonly IpAddress[];
  /** By name. */
  readonly groups: ReadonlyMap<string, CiliumCidrGroup>;
  readonly context: BuildContext;
}

const endpointPeers = (selector: CiliumSelector, { home }: PeerInput): readonly Peer[] => {
  const [only] = selector.requirements;
  if (only?.from === "reserved") {
    return entityPeers(isReserved(only.name) ? only.name : "all");
  }
  const chosen = peerOf(selector, home);
  return chosen === null ? [] : [chosen];
};

/** What is denied to nobody known is not denied. */
const unlessAtDesk = ({ options }: BuildContext): "error" | undefined =>
  options.target === "desk" ? undefined : "error";

const prefixesOf = (
  { from }: Pick<CidrRule, "from">,
  source: SourceSpan,
  { groups, context }: PeerInput,
): readonly Cidr[] => {
  if (from.kind === "prefix") return [from.cidr];
  if (from.kind === "groups") {
    return [...groups.values()]
      .filter(({ metadata }) => matches(from.selector, metadata.labels ?? {}))
      .flatMap(({ cidrs }) => cidrs);
  }
  const group = groups.get(from.name);
  if (group !== undefined) return group.cidrs;
  context.report(
    "BH0412",
    source,
    `there is no CiliumCIDRGroup \`${from.name}\``,
    "until there is one it holds no addresses",
    unlessAtDesk(context),
  );
  return [];
};

/** Of the machine and of the cluster's nodes. */
export const nodeAddresses = ({
  workloads,
  hostAddresses,
}: BuildInput["inventory"]): readonly IpAddress[] => [
  ...hostAddresses,
  ...workloads
    .filter(({ namespace }) => namespace === NODES_NAMESPACE)
    .flatMap(({ addresses }) => addresses),
];

/** Pods are never met by their address, and nodes only where Cilium is told so (SEMANTICS trap 5). */
const cidrPeers = (cidr: Cidr, except: readonly Cidr[], { nodes }: PeerInput): readonly Peer[] => {
  const whole = cidrRange(cidr);
  // Of a group's prefixes an exception need lie in one only.
  const taken = except.filter((part) => {
    const range = cidrRange(part);
    return rangeCovers(whole, range) || rangeCovers(range, whole);
  });
  const held = nodes
    .map(hostCidr)
    .filter(
      (one) => rangeCovers(whole, cidrRange(one)) && !taken.some((part) => cidrCovers(part, one)),
    );
  return [
    { kind: "cidr", cidr, except: taken, matchesWorkloads: false },
    ...held.map((one): Peer => ({ kind: "cidr", cidr: one, except: [], matchesWorkloads: true })),
  ];
};

/** Who stands behind a Service: where it leads by labels, since it is judged after translation (`pkg/policy/k8s`). */
const servicePeers = (
  { k8sService, k8sServiceSelector }: ServiceRule,
  source: SourceSpan,
  { services, context }: PeerInput,
): readonly Peer[] => {
  const namespace = k8sService?.namespace ?? k8sServiceSelector?.namespace ?? "";
  const wanted = k8sServiceSelector && objectSelector(k8sServiceSelector.selector);
  const meant = services.filter(
    (one) =>
      (namespace === "" || serviceNamespace(one) === namespace) &&
      (wanted === undefined
        ? one.metadata.name === k8sService?.serviceName
        : matches(wanted, one.metadata.labels ?? {})),
  );
  const leading = meant.flatMap((one) =>
    one.selector === undefined ? [] : [{ name: serviceNamespace(one), selector: one.selector }],
  );
  if (leading.length < Math.max(meant.length, 1)) {
    const what = k8sService === undefined ? "for these labels" : `\`${k8sService.serviceName}\``;
    context.report(
      "BH0412",
      source,
      meant.length === 0 ? `there is no Service ${what}` : `a Service ${what} has no selector`,
      "where it leads the files do not tell; nobody is met through it",
      unlessAtDesk(context),
    );
  }
  return leading.map(({ name, selector }) => ({
    kind: "workloads",
    namespaces: { kind: "named", name },
    selector,
  }));
};

/** A policy of the whole cluster has subjects in many, and a peer cannot be another for each. */
const ownNamespace = (source: SourceSpan, { home, context }: PeerInput): readonly Peer[] => {
  const { namespace } = home;
  if (namespace !== undefined) {
    return [
      { kind: "workloads", namespaces: { kind: "named", name: namespace }, selector: EVERYTHING },
    ];
  }
  context.report(
    "BH0402",
    source,
    "entity `namespace` cannot be represented in a policy of the whole cluster",
    "write a CiliumNetworkPolicy for each namespace",
  );
  return [];
};

export const peerList = (
  peers: CiliumPeers,
  source: SourceSpan,
  input: PeerInput,
): readonly Peer[] => {
  switch (peers.kind) {
    case "nobody":
      return [];
    case "endpoints":
      return peers.selectors.flatMap((one) => endpointPeers(one, input));
    case "nodes":
      return peers.selectors.map(nodesOf);
    case "entities":
      return peers.entities.flatMap((entity) =>
        entity === "namespace" ? ownNamespace(source, input) : entityPeers(entity),
      );
    case "domains":
      return peers.domains.map(({ pattern, regex }) => ({ kind: "domain", pattern, regex }));
    case "cidrs":
      return peers.rules.flatMap((rule) =>
        prefixesOf(rule, source, input).flatMap((cidr) => cidrPeers(cidr, rule.except, input)),
      );
    case "services":
      return peers.services.flatMap((one) => servicePeers(one, source, input));
  }
};
