/** Antrea: NetworkPolicy and ClusterNetworkPolicy of `crd.antrea.io`, with the tiers they stand in and the groups they name. */
import type { BuildContext } from "../build/context.ts";
import type { BuildInput, Dialect, ForeignKind } from "../dialect.ts";
import { DEFAULT_NAMESPACE, type Resource } from "../resource.ts";
import { didYouMean } from "../text/near.ts";
import { mapped, type Shape } from "../text/shape.ts";
import { homeOf, isOfNodes, policyBlocks } from "./blocks.ts";
import {
  clusterGroup,
  namespacedGroup,
  tier,
  type AntreaGroup,
  type AntreaTier,
} from "./groups.ts";
import { groupKey, reportNesting, type Members } from "./members.ts";
import {
  antreaClusterNetworkPolicy,
  antreaNetworkPolicy,
  BASELINE_TIER,
  type AntreaPolicy,
} from "./policy.ts";
import { reportTies } from "./ties.ts";
import { tierStage, tiersOf } from "./tiers.ts";

export type AntreaObject = AntreaPolicy | AntreaTier | AntreaGroup;

export interface AntreaResource {
  readonly dialect: "antrea";
  readonly object: AntreaObject;
}

const kind = (name: string, shape: Shape<AntreaObject>, older: string): ForeignKind => ({
  kind: name,
  versions: ["v1beta1", older],
  shape: mapped(shape, (object): Resource => ({ dialect: "antrea", object })),
});

const found = ({ resources }: BuildInput) => {
  const objects = resources.flatMap((one) => (one.dialect === "antrea" ? [one.object] : []));
  return {
    policies: objects.flatMap((one) => ("appliedTo" in one ? [one] : [])),
    tiers: objects.flatMap((one) => (one.kind === "AntreaTier" ? [one] : [])),
    groups: new Map(
      objects.flatMap((one) => ("content" in one ? [[keyOf(one), one] as const] : [])),
    ),
  };
};

const keyOf = ({ kind: of, metadata }: AntreaGroup): string =>
  groupKey(of === "Group" ? (metadata.namespace ?? DEFAULT_NAMESPACE) : undefined, metadata.name);

/**
 * Where policy is put in force there are namespaces that no file declares, and packets are judged by where a Service has led
 * them: what rests on either would not be denied.
 */
const refuseUnknowable = (policy: AntreaPolicy, { report }: BuildContext): void => {
  for (const { peers = [], services, source } of [...policy.ingress, ...policy.egress]) {
    const isBound = peers.some(({ kind: of }) => of === "bound");
    if (!isBound && services === undefined) continue;
    report(
      "BH0501",
      source,
      `this rule ${isBound ? "binds its peers to its subject's namespace" : "is about Services' own addresses"}, which cannot be enforced here`,
      isBound ? "write a policy for each namespace" : "name the pods behind the Service",
    );
  }
};

/** What is denied to a group that nobody knows is not denied. */
const strictly =
  ({ report }: BuildContext): BuildContext["report"] =>
  (code, span, message, help, severity) =>
    report(code, span, message, help, code === "BH0432" ? "error" : severity);

/** What is wrong with tiers is told with the blocks. */
const silent = (context: BuildContext): BuildContext => ({ ...context, report: () => undefined });

export const antrea: Dialect = {
  title: "Antrea",
  group: "antrea.io",
  kinds: [
    kind("NetworkPolicy", antreaNetworkPolicy, "v1alpha1"),
    kind("ClusterNetworkPolicy", antreaClusterNetworkPolicy, "v1alpha1"),
    kind("Tier", tier, "v1alpha1"),
    kind("ClusterGroup", clusterGroup, "v1alpha3"),
    kind("Group", namespacedGroup, "v1alpha3"),
  ],
  bystanders: [
    "AntreaAgentInfo",
    "AntreaControllerInfo",
    "AntreaNodeConfig",
    "BGPPolicy",
    "Egress",
    "ExternalEntity",
    "ExternalIPPool",
    "ExternalNode",
    "FlowExporterDestination",
    "IPPool",
    "NodeLatencyMonitor",
    "PacketCapture",
    "PacketSampling",
    "SupportBundle",
    "SupportBundleCollection",
    "Traceflow",
    "TrafficControl",
  ],
  stages(input, context) {
    const { policies, tiers } = found(input);
    const priorities = tiersOf(tiers, silent(context));
    return policies.flatMap((policy) => {
      const rank = priorities.get(policy.tier);
      if (typeof rank !== "number") return [];
      const isForNodes = isOfNodes(policy);
      const stage = tierStage(policy.tier, rank, isForNodes);
      const baseline = priorities.get(BASELINE_TIER);
      // Policies of nodes pass to it, whether it has any or not.
      if (!isForNodes || typeof baseline !== "number") return [stage];
      return [stage, tierStage(BASELINE_TIER, baseline, true)];
    });
  },
  blocks(input, context) {
    const { policies, tiers, groups } = found(input);
    const priorities = tiersOf(tiers, context);
    const isAtDesk = context.options.target === "desk";
    reportNesting(groups, context.report);
    reportTies(policies, context);
    return policies.flatMap((policy) => {
      const members: Members = {
        home: homeOf(policy),
        groups,
        services: input.services,
        report: isAtDesk ? context.report : strictly(context),
      };
      if (!isAtDesk) refuseUnknowable(policy, context);
      const priority = priorities.get(policy.tier);
      if (priority === undefined) {
        const help = didYouMean(policy.tier, [...priorities.keys()]);
        context.report("BH0431", policy.source, `no Tier \`${policy.tier}\` in these files`, help);
      }
      return typeof priority === "number" ? policyBlocks(policy, members, input, context) : [];
    });
  },
};
