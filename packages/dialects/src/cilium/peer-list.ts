/** The other ends of one rule as peers of the common form. */
import {
  cidrRange,
  matches,
  rangeCovers,
  type Cidr,
  type Peer,
  type SourceSpan,
} from "@bulkhead/model";
import type { BuildContext } from "../build/context.ts";
import { entityPeers } from "./entities.ts";
import type { CidrRule, CiliumPeers } from "./peers.ts";
import type { CiliumCidrGroup } from "./policy.ts";
import { nodesOf, peerOf, type Home } from "./scope.ts";
import { isReserved, type CiliumSelector } from "./selector.ts";

export interface PeerInput {
  readonly home: Home;
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
  );
  return [];
};

/** Pods and nodes are never met by their address (SEMANTICS trap 5). */
const cidrPeer = (cidr: Cidr, except: readonly Cidr[]): Peer => ({
  kind: "cidr",
  cidr,
  // Of a group's prefixes an exception need lie in one only.
  except: except.filter((part) => {
    const [whole, taken] = [cidrRange(cidr), cidrRange(part)];
    return rangeCovers(whole, taken) || rangeCovers(taken, whole);
  }),
  matchesWorkloads: false,
});

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
      return peers.entities.flatMap(entityPeers);
    case "domains":
      return peers.domains.map(({ pattern, regex }) => ({ kind: "domain", pattern, regex }));
    case "cidrs":
      return peers.rules.flatMap((rule) =>
        prefixesOf(rule, source, input).map((cidr) => cidrPeer(cidr, rule.except)),
      );
    case "services":
      input.context.report(
        "BH0402",
        source,
        "`toServices` cannot be represented",
        "name the pods behind the Service, or the addresses",
      );
      return [];
  }
};
