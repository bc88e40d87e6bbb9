/**
 * Common form to ClusterNetworkPolicy and NetworkPolicy: a tier that is asked before `application` becomes `Admin`, one after it
 * `Baseline`, and `application` itself NetworkPolicies. Priorities are renumbered where they do not fit.
 */
import type { Block, Peer, PolicySet, PortMatch, Rule, Selector, Stage } from "@bulkhead/model";
import { isReservedNamespace, formatProtocol, MAX_PORT, SCTP, TCP, UDP } from "@bulkhead/model";
import {
  createLosses,
  exported,
  labelSelectorOf,
  plainBlocks,
  plainRule,
  refuseStages,
  type Exported,
  type ExportedObject,
  type Losses,
} from "../export/exported.ts";
import {
  NAME_LABEL,
  NETWORK_POLICY_STAGE,
  networkPolicyObjects,
  type NetworkPolicyExportOptions,
} from "../kubernetes/export.ts";
import { parseDomainName } from "./peers.ts";
import type { Tier } from "./cluster-policy.ts";

/** Stages that a tier can be made of: of ours those whose `pass` leads where the tier's does. */
const TIERS: Readonly<Record<Tier, readonly string[]>> = {
  Admin: ["admin", "guardrail"],
  Baseline: ["admin-baseline", "baseline"],
};
const ACTIONS: Readonly<Partial<Record<Rule["action"], string>>> = {
  allow: "Accept",
  deny: "Deny",
  pass: "Pass",
};
const WORDS: Readonly<Record<number, string>> = { [TCP]: "tcp", [UDP]: "udp", [SCTP]: "sctp" };
const MOST = 25;
const LAST_PRIORITY = 1000;

const chunks = <T>(items: readonly T[]): readonly (readonly T[])[] =>
  Array.from({ length: Math.ceil(items.length / MOST) }, (_, at) =>
    items.slice(at * MOST, (at + 1) * MOST),
  );

/** A rule that is narrower than it was permits less if it lets in, and more if it keeps out. Of a pass nobody can tell. */
const narrowed = ({ action, source }: Rule, what: string, losses: Losses): void => {
  if (action === "allow") losses.accept("under", source, what);
  else if (action === "deny") losses.accept("over", source, what);
  else losses.refuse(source, what);
};

const namespacesOf = (
  peer: Extract<Peer, { kind: "workloads" }>,
  source: Rule["source"],
  losses: Losses,
): ExportedObject | null => {
  switch (peer.namespaces.kind) {
    case "all":
      return {};
    case "named":
      return { matchLabels: { [NAME_LABEL]: peer.namespaces.name } };
    case "selected":
      return labelSelectorOf(peer.namespaces.selector, source, losses);
  }
};

const podsOf = (
  peer: Extract<Peer, { kind: "workloads" }>,
  source: Rule["source"],
  losses: Losses,
): ExportedObject | null => {
  const namespaceSelector = namespacesOf(peer, source, losses);
  const podSelector = labelSelectorOf(peer.selector, source, losses);
  if (namespaceSelector === null || podSelector === null) return null;
  return peer.selector.requirements.length === 0
    ? { namespaces: namespaceSelector }
    : { pods: { namespaceSelector, podSelector } };
};

const isNodes = (peer: Peer): peer is Extract<Peer, { kind: "workloads" }> =>
  peer.kind === "workloads" &&
  peer.namespaces.kind === "named" &&
  isReservedNamespace(peer.namespaces.name);

const isEvery = ({ requirements }: Selector): boolean => requirements.length === 0;

/** Null: what it says was told to be missing. */
const egressOnly = (peer: Peer, rule: Rule, losses: Losses): ExportedObject | null => {
  if (isNodes(peer)) {
    const nodes = labelSelectorOf(peer.selector, rule.source, losses);
    return nodes && { nodes };
  }
  if (peer.kind === "any") return { networks: ["0.0.0.0/0", "::/0"] };
  if (peer.kind === "domain") {
    const read = parseDomainName(peer.pattern);
    if (rule.action === "allow" && "value" in read && read.value.regex === peer.regex)
      return { domainNames: [peer.pattern] };
    narrowed(rule, `this rule names \`${peer.pattern}\``, losses);
    return null;
  }
  if (peer.kind === "cidr" && peer.matchesWorkloads && peer.except.length === 0)
    return { networks: [peer.cidr] };
  const what =
    peer.kind === "cidr"
      ? `\`${peer.cidr}\` with exceptions, or without pods and nodes`
      : peer.kind === "entity"
        ? `this rule speaks of \`${peer.entity}\``
        : "this rule has such a peer";
  narrowed(rule, what, losses);
  return null;
};

const peersOf = (rule: Rule, { direction }: Block, losses: Losses): readonly ExportedObject[] => {
  const hasEveryNode = rule.peers.some((peer) => isNodes(peer) && isEvery(peer.selector));
  return rule.peers.flatMap<ExportedObject>((peer) => {
    // Who speaks of every node speaks of this machine with them.
    if (peer.kind === "entity" && peer.entity === "host" && hasEveryNode) return [];
    if (peer.kind === "workloads" && !isNodes(peer)) return podsOf(peer, rule.source, losses) ?? [];
    if (direction === "egress") return egressOnly(peer, rule, losses) ?? [];
    narrowed(rule, "in `ingress`, a peer that is no pod", losses);
    return [];
  });
};

/** A name with each of the protocols is what `destinationNamedPort` says; a name with one of them is not. */
const portsOf = (rule: Rule, losses: Losses): readonly ExportedObject[] | "all" => {
  if (rule.ports.some(({ kind }) => kind === "all")) return "all";
  const named = Map.groupBy(
    rule.ports.filter((match) => match.kind === "named"),
    ({ name }) => name,
  );
  const out = [...named].flatMap(([name, matches]): ExportedObject[] => {
    if (new Set(matches.map(({ protocol }) => protocol)).size === Object.keys(WORDS).length)
      return [{ destinationNamedPort: name }];
    narrowed(rule, `port \`${name}\` with one protocol and not the others`, losses);
    return [];
  });
  const numbers = rule.ports.flatMap((match): ExportedObject[] => {
    if (match.kind === "named" || match.kind === "all") return [];
    const word = WORDS[match.protocol];
    if (word === undefined) {
      narrowed(rule, `protocol \`${formatProtocol(match.protocol)}\``, losses);
      return [];
    }
    return [{ [word]: { destinationPort: destinationPort(match) } }];
  });
  return [...out, ...numbers];
};

const destinationPort = (match: Exclude<PortMatch, { kind: "named" | "all" }>): ExportedObject => {
  const [first, last] =
    match.kind === "protocol" ? [1, MAX_PORT] : [Math.max(1, match.first), match.last];
  return first === last ? { number: first } : { range: { start: first, end: last } };
};

/** Names that nobody gave stay out. */
const nameOf = ({ id }: Rule, block: Block): ExportedObject => {
  const name = id.slice(block.id.length + 1);
  return /^r-[0-9a-f]{8}(?:-\d+)?$/.test(name) || name.length > 100 ? {} : { name };
};

const rulesOf = (block: Block, losses: Losses): readonly ExportedObject[] => {
  const rules = block.rules.flatMap((rule): ExportedObject[] => {
    const action = ACTIONS[rule.action];
    if (!plainRule(rule, losses) || action === undefined) return [];
    const peers = peersOf(rule, block, losses);
    const ports = portsOf(rule, losses);
    if (peers.length === 0 || ports.length === 0) return [];
    const to = block.direction === "ingress" ? "from" : "to";
    return chunks(peers).flatMap((some) =>
      (ports === "all" ? [undefined] : chunks(ports)).map((protocols) => ({
        ...nameOf(rule, block),
        action,
        [to]: some,
        ...(protocols === undefined ? {} : { protocols }),
      })),
    );
  });
  if (rules.length > MOST)
    losses.refuse(block.source, `${rules.length} rules in one direction`, `${MOST} are the most`);
  return rules;
};

/** As they are where they fit, else as many steps as there are. */
const priorities = (blocks: readonly Block[], losses: Losses): ReadonlyMap<number, number> => {
  const given = [...new Set(blocks.map(({ order }) => order[0] ?? 0))].toSorted((a, b) => a - b);
  const fits = given.every((one) => Number.isInteger(one) && one >= 0 && one <= LAST_PRIORITY);
  const [first] = blocks;
  if (!fits && given.length > LAST_PRIORITY + 1 && first !== undefined)
    losses.refuse(first.source, `${given.length} different priorities`);
  return new Map(given.map((one, at) => [one, fits ? one : at]));
};

const tierObjects = (stage: Stage, tier: Tier, losses: Losses): readonly ExportedObject[] => {
  const blocks = plainBlocks(stage, losses);
  const numbered = priorities(blocks, losses);
  const groups = Map.groupBy(blocks, ({ policy, subject, order }) =>
    JSON.stringify([policy.kind, policy.namespace, policy.name, subject, order]),
  );
  const taken = new Set<string>();
  return [...groups.values()].flatMap((group): ExportedObject[] => {
    const [first] = group;
    if (first === undefined) return [];
    const subject =
      first.subject.kind === "workloads"
        ? podsOf(first.subject, first.source, losses)
        : { namespaces: {} };
    if (subject === null) return [];
    const { policy, order } = first;
    const base = policy.namespace === "" ? policy.name : `${policy.namespace}-${policy.name}`;
    let name = base;
    for (let i = 2; taken.has(name); i += 1) name = `${base}-${i}`;
    taken.add(name);
    return [
      {
        apiVersion: "policy.networking.k8s.io/v1alpha2",
        kind: "ClusterNetworkPolicy",
        metadata: { name },
        spec: {
          tier,
          priority: numbered.get(order[0] ?? 0),
          subject,
          ...Object.fromEntries(group.map((block) => [block.direction, rulesOf(block, losses)])),
        },
      },
    ];
  });
};

/** The set should be built without the guard of metadata addresses. */
export const exportClusterPolicies = (
  set: PolicySet,
  options: NetworkPolicyExportOptions = {},
): Exported => {
  const losses = createLosses("ClusterNetworkPolicy", options);
  const used = set.stages.filter(({ blocks }) => blocks.length > 0);
  const stageOf = (tier: Tier) => used.find(({ id }) => TIERS[tier].includes(id));
  const known = [stageOf("Admin"), stageOf("Baseline")].flatMap((stage) => stage?.id ?? []);
  refuseStages(set, [...known, NETWORK_POLICY_STAGE], losses);
  const tiers = (["Admin", "Baseline"] as const).flatMap((tier) => {
    const stage = stageOf(tier);
    return stage === undefined ? [] : tierObjects(stage, tier, losses);
  });
  return exported([...tiers, ...networkPolicyObjects(set, options, losses)], losses);
};
