/**
 * Common form to cluster-wide policies and NetworkPolicy: a tier that is asked before `application` becomes `Admin`, one after it
 * `Baseline`, and `application` itself NetworkPolicies. Priorities are renumbered where they do not fit.
 */
import type { Block, Peer, PolicySet, Rule, Selector, Stage } from "@bulkhead/model";
import { isReservedNamespace, formatProtocol } from "@bulkhead/model";
import {
  createLosses,
  exported,
  freeName,
  labelSelectorOf,
  namespaceSelectorOf,
  narrowed,
  plainBlocks,
  plainRule,
  refuseStages,
  type Exported,
  type ExportedObject,
  type Losses,
} from "../export/exported.ts";
import { isContentName } from "../build/rule-id.ts";
import { priorities } from "../export/order.ts";
import {
  NETWORK_POLICY_STAGE,
  networkPolicyObjects,
  type NetworkPolicyExportOptions,
} from "../kubernetes/export.ts";
import { parseDomainName } from "./peers.ts";
import { actionOf, PROTOCOLS, V1ALPHA1, V1ALPHA2, type Words } from "./print-words.ts";
import type { Tier } from "./cluster-policy.ts";

/** Stages that a tier can be made of: of ours those whose `pass` leads where the tier's does. */
const TIERS: Readonly<Record<Tier, readonly string[]>> = {
  Admin: ["admin", "guardrail"],
  Baseline: ["admin-baseline", "baseline"],
};
const PRIORITIES = { first: 0, last: 1000 };

interface Printing {
  readonly words: Words;
  readonly tier: Tier;
  readonly losses: Losses;
}

const chunks = <T>(items: readonly T[], most: number): readonly (readonly T[])[] =>
  Array.from({ length: Math.ceil(items.length / most) }, (_, at) =>
    items.slice(at * most, (at + 1) * most),
  );

const podsOf = (
  peer: Extract<Peer, { kind: "workloads" }>,
  source: Rule["source"],
  losses: Losses,
): ExportedObject | null => {
  const namespaceSelector = namespaceSelectorOf(peer.namespaces, source, losses);
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
const egressOnly = (
  peer: Peer,
  rule: Rule,
  { words, tier, losses }: Printing,
): ExportedObject | null => {
  if (isNodes(peer)) {
    const nodes = labelSelectorOf(peer.selector, rule.source, losses);
    return nodes && { nodes };
  }
  if (peer.kind === "any") return { networks: ["0.0.0.0/0", "::/0"] };
  if (peer.kind === "domain") {
    const read = parseDomainName(peer.pattern);
    const isSame = "value" in read && read.value.regex === peer.regex;
    if (rule.action === "allow" && isSame && !words.isPlain(tier))
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

const peersOf = (
  rule: Rule,
  { direction }: Block,
  printing: Printing,
): readonly ExportedObject[] => {
  const { losses } = printing;
  const hasEveryNode = rule.peers.some((peer) => isNodes(peer) && isEvery(peer.selector));
  return rule.peers.flatMap<ExportedObject>((peer) => {
    // Who speaks of every node speaks of this machine with them.
    if (peer.kind === "entity" && peer.entity === "host" && hasEveryNode) return [];
    if (peer.kind === "workloads" && !isNodes(peer)) return podsOf(peer, rule.source, losses) ?? [];
    if (direction === "egress") return egressOnly(peer, rule, printing) ?? [];
    narrowed(rule, "in `ingress`, a peer that is no pod", losses);
    return [];
  });
};

/** A name with each of the protocols is what a named port says; a name with one of them is not. */
const portsOf = (rule: Rule, { words, losses }: Printing): readonly ExportedObject[] | "all" => {
  if (rule.ports.some(({ kind }) => kind === "all")) return "all";
  const named = Map.groupBy(
    rule.ports.filter((match) => match.kind === "named"),
    ({ name }) => name,
  );
  const out = [...named].flatMap(([name, matches]): ExportedObject[] => {
    if (new Set(matches.map(({ protocol }) => protocol)).size === PROTOCOLS)
      return [words.named(name)];
    narrowed(rule, `port \`${name}\` with one protocol and not the others`, losses);
    return [];
  });
  const numbers = rule.ports.flatMap((match): ExportedObject[] => {
    if (match.kind === "named" || match.kind === "all") return [];
    const entry = words.port(match);
    if (entry !== null) return [entry];
    narrowed(rule, `protocol \`${formatProtocol(match.protocol)}\``, losses);
    return [];
  });
  return [...out, ...numbers];
};

/** Names that nobody gave stay out. */
const nameOf = ({ id }: Rule, block: Block): ExportedObject => {
  const name = id.slice(block.id.length + 1);
  const isOwn = name !== "" && !isContentName(name) && name.length <= 100;
  return isOwn ? { name } : {};
};

const rulesOf = (block: Block, printing: Printing): readonly ExportedObject[] => {
  const { words, tier, losses } = printing;
  const rules = block.rules.flatMap((rule): ExportedObject[] => {
    if (!plainRule(rule, losses)) return [];
    const action = actionOf(words, tier, rule.action);
    if (action === undefined) {
      losses.refuse(rule.source, `this rule says \`${rule.action}\``);
      return [];
    }
    const peers = peersOf(rule, block, printing);
    const ports = portsOf(rule, printing);
    if (peers.length === 0 || ports.length === 0) return [];
    const to = block.direction === "ingress" ? "from" : "to";
    return chunks(peers, words.most).flatMap((some) =>
      (ports === "all" ? [undefined] : chunks(ports, words.most)).map((given) => ({
        ...nameOf(rule, block),
        action,
        [to]: some,
        ...(given === undefined ? {} : { [words.ports]: given }),
      })),
    );
  });
  return rules;
};

const tellMany = (rules: readonly unknown[], { source }: Block, { words, losses }: Printing) => {
  if (rules.length > words.most)
    losses.refuse(source, `${rules.length} rules in one direction`, `${words.most} are the most`);
};

const subjectOf = ({ subject, source }: Block, losses: Losses): ExportedObject | null =>
  subject.kind === "workloads" ? podsOf(subject, source, losses) : { namespaces: {} };

const head = ({ words, tier }: Printing, name: string) => ({
  apiVersion: `policy.networking.k8s.io/${words.version}`,
  kind: words.kinds[tier],
  metadata: { name },
});

const sectionsOf = (blocks: readonly Block[], printing: Printing): ExportedObject => {
  const sections = Map.groupBy(blocks, ({ direction }) => direction);
  return Object.fromEntries(
    [...sections].map(([direction, some]) => {
      const rules = some.flatMap((block) => rulesOf(block, printing));
      if (some[0] !== undefined) tellMany(rules, some[0], printing);
      return [direction, rules];
    }),
  );
};

/** A cluster has one, with one subject; what stood in several goes one after the other. */
const theBaseline = (blocks: readonly Block[], printing: Printing): readonly ExportedObject[] => {
  const { losses } = printing;
  const inOrder = blocks.toSorted((a, b) => (a.order[0] ?? 0) - (b.order[0] ?? 0));
  const [first] = inOrder;
  if (first === undefined) return [];
  const subject = subjectOf(first, losses);
  const other = inOrder.find(
    (block) => JSON.stringify(block.subject) !== JSON.stringify(first.subject),
  );
  if (other !== undefined)
    losses.refuse(other.source, "a baseline for other pods", "a cluster has one such policy");
  if (subject === null) return [];
  return [{ ...head(printing, "default"), spec: { subject, ...sectionsOf(inOrder, printing) } }];
};

const tierObjects = (stage: Stage, printing: Printing): readonly ExportedObject[] => {
  const { words, tier, losses } = printing;
  const blocks = plainBlocks(stage, losses);
  if (words.isPlain(tier)) return theBaseline(blocks, printing);
  const numbered = priorities(blocks, PRIORITIES, losses);
  const groups = Map.groupBy(blocks, ({ policy, subject, order }) =>
    JSON.stringify([policy.kind, policy.namespace, policy.name, subject, order]),
  );
  const taken = new Set<string>();
  return [...groups.values()].flatMap((group): ExportedObject[] => {
    const [first] = group;
    const subject = first && subjectOf(first, losses);
    if (first === undefined || subject === undefined || subject === null) return [];
    const { policy, order } = first;
    const base = policy.namespace === "" ? policy.name : `${policy.namespace}-${policy.name}`;
    const name = freeName([base], "", taken);
    return [
      {
        ...head(printing, name),
        spec: {
          ...(words.version === "v1alpha2" ? { tier } : {}),
          priority: numbered.get(order[0] ?? 0),
          subject,
          ...sectionsOf(group, printing),
        },
      },
    ];
  });
};

const exportIn = (words: Words, set: PolicySet, options: NetworkPolicyExportOptions): Exported => {
  const losses = createLosses(words.target, options);
  const used = set.stages.filter(({ blocks }) => blocks.length > 0);
  const stageOf = (tier: Tier) => used.find(({ id }) => TIERS[tier].includes(id));
  const known = [stageOf("Admin"), stageOf("Baseline")].flatMap((stage) => stage?.id ?? []);
  refuseStages(set, [...known, NETWORK_POLICY_STAGE], losses);
  const tiers = (["Admin", "Baseline"] as const).flatMap((tier) => {
    const stage = stageOf(tier);
    return stage === undefined ? [] : tierObjects(stage, { words, tier, losses });
  });
  return exported([...tiers, ...networkPolicyObjects(set, options, losses)], losses);
};

/** In `v1alpha2`. The set should be built without the guard of metadata addresses. */
export const exportClusterPolicies = (
  set: PolicySet,
  options: NetworkPolicyExportOptions = {},
): Exported => exportIn(V1ALPHA2, set, options);

/** AdminNetworkPolicy and BaselineAdminNetworkPolicy, in `v1alpha1`; the same holds. */
export const exportAdminPolicies = (
  set: PolicySet,
  options: NetworkPolicyExportOptions = {},
): Exported => exportIn(V1ALPHA1, set, options);
