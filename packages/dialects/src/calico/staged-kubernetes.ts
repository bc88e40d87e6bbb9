/** A NetworkPolicy of Kubernetes that is tried: where Calico would put it, and never in force. */
import type { BuildContext } from "../build/context.ts";
import { networkPolicyBlocks } from "../build/kubernetes-blocks.ts";
import type { StagedBlock } from "../build/native-blocks.ts";
import { calicoKind } from "../resource.ts";
import { adoptKubernetes } from "./blocks.ts";
import type { StagedKubernetesPolicy } from "./policy.ts";

export function stagedKubernetesBlocks(
  policy: StagedKubernetesPolicy,
  rank: number,
  context: BuildContext,
): readonly StagedBlock[] {
  const { stagedAction = "Set" } = policy.spec;
  if (stagedAction !== "Set") {
    context.report("BH0404", policy.source, `a staged \`${stagedAction}\` changes nothing here`);
    return [];
  }
  const tried: BuildContext = { ...context, options: { ...context.options, mode: "audit" } };
  return networkPolicyBlocks(policy, tried, calicoKind("StagedKubernetesNetworkPolicy")).map(
    (staged) => adoptKubernetes(staged, rank),
  );
}
