/**
 * A rule of the common form as rules of Cilium. Peers of several kinds make several, since Cilium takes one kind a rule; so do
 * ports beside ICMP. Throws `Unsayable`.
 */
import { GROUP_RANGES, rangeToCidrs, type Direction, type Peer, type Rule } from "@bulkhead/model";
import { entityPeers } from "./entities.ts";
import { nameExpression, patternExpression } from "./names.ts";
import { portSections } from "./print-ports.ts";
import { isOfNodes, peerSelector } from "./print-selectors.ts";
import { RESERVED } from "./selector.ts";
import { Unsayable } from "./unsayable.ts";

type Member = readonly [field: string, item: unknown];

/** Of several peers the last is the entity's own; the API server's others are nodes, and go without saying beside it. */
const ENTITIES = new Map(
  RESERVED.flatMap((name) =>
    entityPeers(name)
      .slice(-1)
      .map((peer) => [JSON.stringify(peer), name] as const),
  ),
);

const domain = ({ pattern, regex }: Extract<Peer, { kind: "domain" }>) => {
  if (nameExpression(pattern) === regex && !pattern.includes("*")) return { matchName: pattern };
  if (patternExpression(pattern) === regex) return { matchPattern: pattern };
  throw new Unsayable(`the stars of \`${pattern}\` stand for what they do not stand for there`);
};

const memberOf = (peer: Peer, direction: Direction, home: string | undefined): Member => {
  const side = direction === "ingress" ? "from" : "to";
  const entity = ENTITIES.get(JSON.stringify(peer));
  if (entity !== undefined) return [`${side}Entities`, entity];
  switch (peer.kind) {
    case "any":
      return [`${side}Entities`, "all"];
    case "entity":
      if (peer.entity === "host") return [`${side}Entities`, "host"];
      throw new Error("the world is prefixes here");
    case "workloads":
      return [isOfNodes(peer) ? `${side}Nodes` : `${side}Endpoints`, peerSelector(peer, home)];
    case "cidr": {
      if (peer.matchesWorkloads) throw new Unsayable("this prefix holds pods and nodes");
      const { cidr, except } = peer;
      return [`${side}CIDRSet`, { cidr, ...(except.length === 0 ? {} : { except }) }];
    }
    case "domain":
      if (direction === "ingress")
        throw new Unsayable("this rule names where connections come from");
      return ["toFQDNs", domain(peer)];
  }
};

const withoutImplied = (peers: readonly Peer[]): readonly Peer[] => {
  const texts = new Set(peers.map((peer) => JSON.stringify(peer)));
  const [nodes, own] = entityPeers("kube-apiserver").map((peer) => JSON.stringify(peer));
  return own !== undefined && texts.has(own)
    ? peers.filter((peer) => JSON.stringify(peer) !== nodes)
    : peers;
};

/** Cilium's world holds broadcast and multicast, and ours does not. */
const WORLD = ([4, 6] as const).map((family): Peer => ({
  kind: "cidr",
  cidr: family === 4 ? "0.0.0.0/0" : "::/0",
  except: GROUP_RANGES.filter((range) => range.family === family).flatMap(rangeToCidrs),
  matchesWorkloads: false,
}));

const withoutGroups = (peer: Peer): readonly Peer[] =>
  peer.kind === "entity" && peer.entity === "world" ? WORLD : [peer];

/** `[field, items]`, in the order of the first of each kind. */
const membersOf = (rule: Rule, direction: Direction, home: string | undefined) => {
  const byField = new Map<string, unknown[]>();
  for (const peer of withoutImplied(rule.peers).flatMap(withoutGroups)) {
    const [field, item] = memberOf(peer, direction, home);
    if (field === "toFQDNs" && rule.action !== "allow") {
      throw new Unsayable("this rule denies by name");
    }
    const items = byField.get(field);
    if (items === undefined) byField.set(field, [item]);
    else items.push(item);
  }
  return [...byField];
};

const refuseWhatCiliumLacks = (rule: Rule): void => {
  const { action, enforce, expiresAt, l7, l7Mode, onOpaque, auth } = rule;
  if (action !== "allow" && action !== "deny") throw new Unsayable(`this rule says \`${action}\``);
  if (enforce === "staged") throw new Unsayable("this rule only audits");
  if (expiresAt !== undefined) throw new Unsayable("this rule ends by itself");
  if (action === "deny" && l7 !== undefined) throw new Unsayable("this denial looks into requests");
  if (l7Mode === "terminal")
    throw new Unsayable("this rule drops the requests that it does not hold");
  if (onOpaque === "widen") throw new Unsayable("this rule holds what is no request");
  if (action === "deny" && auth !== undefined)
    throw new Unsayable("this denial asks its ends to prove who they are");
};

/** Empty: the rule matches nothing. */
export const printedRules = (
  rule: Rule,
  direction: Direction,
  home: string | undefined,
): readonly Readonly<Record<string, unknown>>[] => {
  refuseWhatCiliumLacks(rule);
  const sections = portSections(rule);
  const { auth } = rule;
  return membersOf(rule, direction, home).flatMap(([field, items]) =>
    sections.map((section) => ({
      [field]: items,
      ...section,
      ...(auth === undefined ? {} : { authentication: { mode: auth } }),
    })),
  );
};
