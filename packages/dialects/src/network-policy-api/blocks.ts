/**
 * ClusterNetworkPolicy and its predecessors to the common form: two stages around NetworkPolicy, in each the first rule that
 * matches by priority and place, and no isolation of their own.
 */
import {
  NODES_NAMESPACE,
  type Direction,
  type NamespaceScope,
  type Peer,
  type PolicyRef,
  type PortMatch,
  type Rule,
  type Selector,
} from "@bulkhead/model";
import type { BuildContext } from "../build/context.ts";
import type { StagedBlock } from "../build/native-blocks.ts";
import { contentName } from "../build/rule-id.ts";
import type { RankedStage } from "../dialect.ts";
import type { ClusterPolicy, ClusterRule, Tier } from "./cluster-policy.ts";
import type { ClusterPeer, Pods } from "./peers.ts";

const stage = (id: string, rank: number): RankedStage => ({
  id,
  rank,
  plane: "net",
  mode: "firstMatch",
  endIfApplied: "pass",
});

export const TIER_STAGES: Readonly<Record<Tier, RankedStage>> = {
  Admin: stage("admin", 220),
  Baseline: stage("admin-baseline", 254),
};

const ALL: readonly PortMatch[] = [{ kind: "all" }];
const NODES: NamespaceScope = { kind: "named", name: NODES_NAMESPACE };

const scope = (selector: Selector): NamespaceScope =>
  selector.requirements.length === 0 ? { kind: "all" } : { kind: "selected", selector };

const podsPeer = ({ namespaces, pods }: Pods) =>
  ({ kind: "workloads", namespaces: scope(namespaces), selector: pods }) as const;

/** The machine itself is a node as well, one whose labels nobody tells. */
const nodesPeers = (selector: Selector): readonly Peer[] => [
  { kind: "workloads", namespaces: NODES, selector },
  ...(selector.requirements.length === 0 ? [{ kind: "entity", entity: "host" } as const] : []),
];

/** Prefixes hold pods and nodes as well as the world (trap 5). */
const peersOf = (peer: ClusterPeer): readonly Peer[] => {
  switch (peer.kind) {
    case "pods":
      return [podsPeer(peer)];
    case "nodes":
      return nodesPeers(peer.nodes);
    case "networks":
      return peer.cidrs.map((cidr) => ({ kind: "cidr", cidr, except: [], matchesWorkloads: true }));
    case "domains":
      return peer.domains.map((domain) => ({ kind: "domain", ...domain }));
    case "unknown":
      return [];
  }
};

/** A rule with a peer that nobody knows: an accept matches nothing, anything else denies everything (trap 7). */
const contentOf = ({
  action,
  peers,
  ports,
}: ClusterRule): Pick<Rule, "action" | "peers" | "ports"> => {
  if (peers.every(({ kind }) => kind !== "unknown"))
    return { action, peers: peers.flatMap(peersOf), ports: ports ?? ALL };
  return action === "allow"
    ? { action, peers: [], ports: ports ?? ALL }
    : { action: "deny", peers: [{ kind: "any" }], ports: ALL };
};

/** Rules are called by their names where each has its own; else by what they say. */
const nameOf = (
  rule: ClusterRule,
  content: Pick<Rule, "action" | "peers" | "ports">,
  taken: ReadonlySet<string>,
): string =>
  rule.name !== undefined && rule.name !== "" && !taken.has(rule.name)
    ? rule.name
    : contentName(content, taken);

export const clusterPolicyBlocks = (
  policy: ClusterPolicy,
  { options }: BuildContext,
): readonly StagedBlock[] => {
  const { kind, metadata, tier, priority, subject, source } = policy;
  const ref: PolicyRef = { kind, namespace: "", name: metadata.name };
  const enforce = options.mode === "enforce" ? "on" : "staged";
  return (["ingress", "egress"] as const).flatMap((direction: Direction): StagedBlock[] => {
    if (policy[direction].length === 0) return [];
    const id = `${kind}/${metadata.name}#${direction}`;
    const taken = new Set<string>();
    const rules = policy[direction].map((rule): Rule => {
      const content = contentOf(rule);
      const name = nameOf(rule, content, taken);
      taken.add(name);
      return { id: `${id}/${name}`, source: rule.source, ...content, enforce };
    });
    return [
      {
        stage: TIER_STAGES[tier].id,
        block: {
          id,
          source,
          subject: podsPeer(subject),
          direction,
          order: [priority],
          isolates: false,
          enforce,
          rules,
          policy: ref,
        },
      },
    ];
  });
};
