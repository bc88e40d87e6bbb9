/**
 * NetworkPolicy to blocks of stage `application`, with the meaning of SEMANTICS traps 1, 2, 4 and 5: an absent or
 * empty `from` is everyone, an absent or empty `ports` is every port, an empty selector is everything it looks at.
 */
import type {
  Block,
  Direction,
  NamespaceScope,
  Peer,
  PolicyRef,
  PortMatch,
  Rule,
} from "@bulkhead/model";
import { EVERYTHING } from "@bulkhead/model";
import type { NetworkPolicy, NetworkPolicyPeer } from "../kubernetes/network-policy.ts";
import { DEFAULT_NAMESPACE } from "../resource.ts";
import type { BuildContext } from "./context.ts";
import { refId, type StagedBlock } from "./native-blocks.ts";
import { contentName } from "./rule-id.ts";

type Home = Extract<NamespaceScope, { readonly kind: "named" }>;

/** A cluster has hundreds of thousands of these: what all of them have alike is one object. */
const ANYBODY: Rule["peers"] = [{ kind: "any" }];
const ANY_PORT: Rule["ports"] = [{ kind: "all" }];
const ORDER: readonly number[] = [0];

const peerOf = (peer: NetworkPolicyPeer, home: Home, context: BuildContext): Peer => {
  if (peer.ipBlock !== undefined) {
    return {
      kind: "cidr",
      cidr: peer.ipBlock.cidr,
      except: peer.ipBlock.except ?? [],
      matchesWorkloads: context.options.ipBlockMatchesWorkloads ?? false,
    };
  }
  const { namespaceSelector } = peer;
  const namespaces: NamespaceScope =
    namespaceSelector === undefined
      ? home
      : namespaceSelector.requirements.length === 0
        ? { kind: "all" }
        : { kind: "selected", selector: namespaceSelector };
  const selector = context.selector(peer.podSelector ?? EVERYTHING);
  return { kind: "workloads", namespaces, selector };
};

interface KubernetesRule {
  readonly source: Rule["source"];
  readonly from?: readonly NetworkPolicyPeer[];
  readonly to?: readonly NetworkPolicyPeer[];
  readonly ports?: readonly PortMatch[];
}

/** The policy's types as the API server defaults them (`SetDefaults_NetworkPolicy`). */
const directions = (
  { spec }: Pick<NetworkPolicy, "spec">,
  context: BuildContext,
): readonly Direction[] => {
  const given = spec.policyTypes ?? [];
  const types = new Set<Direction>(
    given.length > 0
      ? given.map((type) => (type === "Ingress" ? "ingress" : "egress"))
      : (spec.egress?.length ?? 0) > 0
        ? ["ingress", "egress"]
        : ["ingress"],
  );
  const unused = (["ingress", "egress"] as const).filter(
    (direction) => spec[direction] !== undefined && !types.has(direction),
  );
  for (const direction of unused) {
    const type = direction === "ingress" ? "Ingress" : "Egress";
    context.report(
      "BH0404",
      spec.source,
      `\`${direction}\` has no effect: \`policyTypes\` does not hold \`${type}\``,
      `add \`${type}\` to \`policyTypes\`, or take \`${direction}\` out`,
    );
  }
  return [...types].toSorted();
};

export const networkPolicyBlocks = (
  policy: Pick<NetworkPolicy, "metadata" | "spec" | "source">,
  context: BuildContext,
  kind = "NetworkPolicy",
): readonly StagedBlock[] => {
  const { metadata, spec, source } = policy;
  const home = metadata.namespace ?? DEFAULT_NAMESPACE;
  const ref: PolicyRef = { kind, namespace: home, name: metadata.name };
  const enforce = context.options.mode === "enforce" ? "on" : "staged";
  const own: Home = { kind: "named", name: home };
  const selector = context.selector(spec.podSelector ?? EVERYTHING);
  const subject: Block["subject"] = { kind: "workloads", namespaces: own, selector };
  return directions(policy, context).map((direction): StagedBlock => {
    const id = `${refId(ref)}#${direction}`;
    const taken = new Set<string>();
    const rules = (spec[direction] ?? []).map((rule: KubernetesRule): Rule => {
      const given = rule.from ?? rule.to ?? [];
      const content = {
        action: "allow" as const,
        peers: given.length === 0 ? ANYBODY : given.map((peer) => peerOf(peer, own, context)),
        ports: rule.ports !== undefined && rule.ports.length > 0 ? rule.ports : ANY_PORT,
      };
      const name = contentName(content, taken);
      taken.add(name);
      return { id: `${id}/${name}`, source: rule.source, ...content, enforce };
    });
    return {
      stage: "application",
      block: {
        id,
        source,
        subject,
        direction,
        order: ORDER,
        isolates: true,
        enforce,
        rules,
        policy: ref,
      },
    };
  });
};
