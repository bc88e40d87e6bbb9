/** Calico: NetworkPolicy and GlobalNetworkPolicy in tiers, their staged forms, sets of networks, and host endpoints. */
import type { BuildContext } from "../build/context.ts";
import type { BuildInput, Dialect, ForeignKind } from "../dialect.ts";
import { DEFAULT_NAMESPACE, type Resource } from "../resource.ts";
import { mapped, type Shape } from "../text/shape.ts";
import { adoptKubernetes, policyBlocks, type CalicoPolicy } from "./blocks.ts";
import { Beyond, type Setting } from "./ends.ts";
import { givenLabels } from "./labels.ts";
import {
  hostEndpoint,
  networkSet,
  tier,
  type HostEndpointObject,
  type NetworkSetObject,
  type TierObject,
} from "./objects.ts";
import {
  globalNetworkPolicy,
  networkPolicy,
  stagedGlobalNetworkPolicy,
  stagedKubernetesNetworkPolicy,
  stagedNetworkPolicy,
  type GlobalPolicy,
  type StagedKubernetesPolicy,
} from "./policy.ts";
import { stagedKubernetesBlocks } from "./staged-kubernetes.ts";
import { isKnownTier, tierStages } from "./tiers.ts";

export type CalicoResource = { readonly dialect: "calico"; readonly kind: string } & (
  | { readonly role: "policy"; readonly object: GlobalPolicy }
  | { readonly role: "staged-kubernetes"; readonly object: StagedKubernetesPolicy }
  | { readonly role: "network-set"; readonly object: NetworkSetObject }
  | { readonly role: "tier"; readonly object: TierObject }
  | { readonly role: "host-endpoint"; readonly object: HostEndpointObject }
);

const kind = <T>(name: string, shape: Shape<T>, as: (object: T) => Resource): ForeignKind => ({
  kind: name,
  versions: ["v3"],
  versionsIn: { "crd.projectcalico.org": ["v1"] },
  shape: mapped(shape, as),
});

const policy = (name: string, shape: Shape<GlobalPolicy>): ForeignKind =>
  kind(name, shape, (object) => ({
    dialect: "calico",
    role: "policy",
    kind: name,
    object,
  }));

const set = (name: string): ForeignKind =>
  kind(name, networkSet, (object) => ({
    dialect: "calico",
    role: "network-set",
    kind: name,
    object,
  }));

interface Found {
  readonly policies: readonly CalicoPolicy[];
  readonly stagedKubernetes: readonly StagedKubernetesPolicy[];
  readonly networkSets: Setting["networkSets"];
  readonly tiers: readonly TierObject[];
  readonly hostEndpoints: readonly HostEndpointObject[];
}

const found = ({ resources }: BuildInput): Found => {
  const ours = resources.filter((one) => one.dialect === "calico");
  return {
    policies: ours.flatMap((one): CalicoPolicy[] => {
      if (one.role !== "policy") return [];
      const { object } = one;
      const isGlobal = one.kind.endsWith("GlobalNetworkPolicy");
      const home = object.metadata.namespace ?? DEFAULT_NAMESPACE;
      const isStaged = one.kind.startsWith("Staged");
      return [{ kind: one.kind, isStaged, object, ...(isGlobal ? {} : { home }) }];
    }),
    stagedKubernetes: ours.flatMap((one) => (one.role === "staged-kubernetes" ? [one.object] : [])),
    networkSets: ours.flatMap((one) =>
      one.role === "network-set"
        ? [{ object: one.object, isGlobal: one.kind === "GlobalNetworkSet" }]
        : [],
    ),
    tiers: ours.flatMap((one) => (one.role === "tier" ? [one.object] : [])),
    hostEndpoints: ours.flatMap((one) => (one.role === "host-endpoint" ? [one.object] : [])),
  };
};

const nameOf = ({ object, home, kind: of }: CalicoPolicy): string =>
  `${object.metadata.name} ${home ?? ""} ${of}`;

const kubernetesName = (name: string, namespace: string, of: string): string =>
  `knp.default.${name} ${namespace} ${of}`;
const KUBERNETES = "KubernetesNetworkPolicy";
const STAGED_KUBERNETES = "StagedKubernetesNetworkPolicy";

/**
 * Policies of one order go by name, then by namespace, then by kind (`felix/calc/policy_sorter.go`); Kubernetes' under the name
 * that Calico gives them.
 */
const ranksOf = (input: BuildInput): ((name: string) => number) => {
  const { policies, stagedKubernetes } = found(input);
  const names = [
    ...policies.map(nameOf),
    ...kubernetesNames(input),
    ...stagedKubernetes.map(stagedName),
  ];
  const places = new Map([...new Set(names)].toSorted().map((name, at) => [name, at]));
  return (name) => places.get(name) ?? 0;
};

const stagedName = ({ metadata }: StagedKubernetesPolicy): string =>
  kubernetesName(metadata.name, metadata.namespace ?? DEFAULT_NAMESPACE, STAGED_KUBERNETES);

/** Whether Calico's policies are tried or in force here: then Kubernetes' own are in its tier. */
const isUsed = ({ policies, stagedKubernetes }: Found): boolean =>
  policies.length + stagedKubernetes.length > 0;

/** Throws Beyond where there is more than the files tell: who is found running has values of their own. */
const valuesOf = ({ inventory }: BuildInput, { options }: BuildContext) => {
  const known = new Map<string, readonly string[]>();
  return (key: string): readonly string[] => {
    if (options.target !== "desk") throw new Beyond("a comparison of parts of a label's value");
    let values = known.get(key);
    if (values === undefined) {
      const all = inventory.workloads.flatMap(({ labels }) =>
        Object.hasOwn(labels, key) ? [labels[key]!] : [],
      );
      known.set(key, (values = [...new Set(all)].toSorted()));
    }
    return values;
  };
};

const tiersOf = (policies: readonly CalicoPolicy[]): readonly string[] => [
  // Where Calico is, Kubernetes' own policies are in it.
  "default",
  ...policies.flatMap(({ object }) => object.spec.tier ?? []),
];

export const calico: Dialect = {
  title: "Calico",
  group: "projectcalico.org",
  kinds: [
    policy("NetworkPolicy", networkPolicy),
    policy("GlobalNetworkPolicy", globalNetworkPolicy),
    policy("StagedNetworkPolicy", stagedNetworkPolicy),
    policy("StagedGlobalNetworkPolicy", stagedGlobalNetworkPolicy),
    kind(STAGED_KUBERNETES, stagedKubernetesNetworkPolicy, (object) => ({
      dialect: "calico",
      role: "staged-kubernetes",
      kind: STAGED_KUBERNETES,
      object,
    })),
    set("NetworkSet"),
    set("GlobalNetworkSet"),
    kind("Tier", tier, (object) => ({
      dialect: "calico",
      role: "tier",
      kind: "Tier",
      object,
    })),
    kind("HostEndpoint", hostEndpoint, (object) => ({
      dialect: "calico",
      role: "host-endpoint",
      kind: "HostEndpoint",
      object,
    })),
  ],
  bystanders: [
    "BGPConfiguration",
    "BGPFilter",
    "BGPPeer",
    "BlockAffinity",
    "CalicoNodeStatus",
    "ClusterInformation",
    "FelixConfiguration",
    "IPAMBlock",
    "IPAMConfig",
    "IPAMConfiguration",
    "IPAMHandle",
    "IPPool",
    "IPReservation",
    "KubeControllersConfiguration",
    "Node",
  ],
  labels(input) {
    const { policies, hostEndpoints } = found(input);
    return policies.length === 0 ? new Map() : givenLabels(input, hostEndpoints);
  },
  stages(input) {
    const all = found(input);
    return isUsed(all) ? tierStages(all.tiers, tiersOf(all.policies)) : [];
  },
  blocks(input, context) {
    const { policies, stagedKubernetes, networkSets, tiers, hostEndpoints } = found(input);
    const inTiers = policies.filter((one) => isPlaced(one, tiers, context));
    const rankOf = ranksOf(input);
    const hasHostEndpoints = hostEndpoints.length > 0;
    const values = valuesOf(input, context);
    const tried = stagedKubernetes.flatMap((one) =>
      stagedKubernetesBlocks(one, rankOf(stagedName(one)), context),
    );
    const own = inTiers.flatMap((one) => {
      const { home } = one;
      const setting: Setting = {
        input,
        valuesOf: values,
        networkSets,
        hasHostEndpoints,
        mustKnowServices: context.options.target !== "desk",
        ...(home === undefined ? {} : { home }),
      };
      return policyBlocks(one, rankOf(nameOf(one)), setting, context);
    });
    return [...own, ...tried];
  },
  adopt(blocks, input) {
    if (!isUsed(found(input))) return blocks;
    const rankOf = ranksOf(input);
    return blocks.map((staged) => {
      const { kind: of, name, namespace } = staged.block.policy;
      const isTheirs = staged.stage === "application" && of === "NetworkPolicy";
      if (!isTheirs) return staged;
      return adoptKubernetes(staged, rankOf(kubernetesName(name, namespace, KUBERNETES)));
    });
  },
};

const kubernetesNames = ({ resources }: BuildInput): readonly string[] =>
  resources.flatMap((one) => {
    if (one.dialect !== "kubernetes" || one.role !== "policy") return [];
    const { name, namespace = DEFAULT_NAMESPACE } = one.object.metadata;
    return [kubernetesName(name, namespace, KUBERNETES)];
  });

const isPlaced = (
  { object }: CalicoPolicy,
  tiers: readonly TierObject[],
  context: BuildContext,
): boolean => {
  const { tier: name = "default" } = object.spec;
  if (isKnownTier(name, tiers)) return true;
  context.report(
    "BH0440",
    object.source,
    `tier \`${name}\` is not declared here, and its order is not known without it`,
    "add the Tier",
  );
  return false;
};
