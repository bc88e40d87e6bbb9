/** Kubernetes' cluster-wide policies (SIG Network, network-policy-api): ClusterNetworkPolicy, and what came before it. */
import type { BuildInput, Dialect, ForeignKind } from "../dialect.ts";
import { mapped, type Shape } from "../text/shape.ts";
import { clusterPolicyBlocks, TIER_STAGES } from "./blocks.ts";
import {
  adminNetworkPolicy,
  baselineAdminNetworkPolicy,
  clusterNetworkPolicy,
  type ClusterPolicy,
} from "./cluster-policy.ts";
import { reportTies } from "./ties.ts";

export interface ClusterPolicyResource {
  readonly dialect: "network-policy-api";
  readonly object: ClusterPolicy;
}

const kind = (
  name: string,
  shape: Shape<ClusterPolicy>,
  ...versions: readonly string[]
): ForeignKind => ({
  kind: name,
  versions,
  shape: mapped(shape, (object): ClusterPolicyResource => ({
    dialect: "network-policy-api",
    object,
  })),
});

const policiesOf = ({ resources }: BuildInput): readonly ClusterPolicy[] =>
  resources.flatMap((one) => (one.dialect === "network-policy-api" ? [one.object] : []));

export const networkPolicyApi: Dialect = {
  title: "network-policy-api",
  group: "policy.networking.k8s.io",
  kinds: [
    // v1beta1 says the same in the same words.
    kind("ClusterNetworkPolicy", clusterNetworkPolicy, "v1alpha2", "v1beta1"),
    kind("AdminNetworkPolicy", adminNetworkPolicy, "v1alpha1"),
    kind("BaselineAdminNetworkPolicy", baselineAdminNetworkPolicy, "v1alpha1"),
  ],
  stages: (input) => {
    const tiers = new Set(policiesOf(input).map(({ tier }) => tier));
    return [...tiers].map((tier) => TIER_STAGES[tier]);
  },
  blocks(input, context) {
    const policies = policiesOf(input);
    reportTies(policies, context);
    return policies.flatMap((policy) => clusterPolicyBlocks(policy, context));
  },
};
