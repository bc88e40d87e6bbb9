/** Cilium: CiliumNetworkPolicy and CiliumClusterwideNetworkPolicy, with the CIDR groups that they name. */
import type { Dialect } from "../dialect.ts";
import type { Resource } from "../resource.ts";
import { ciliumBlocks } from "./blocks.ts";
import { CONFIG_MAP, ciliumConfig } from "./config.ts";
import { ciliumCidrGroup, ciliumClusterwideNetworkPolicy, ciliumNetworkPolicy } from "./policy.ts";
import { HOST_STAGE } from "./stages.ts";

const isOfNodes = (resource: Resource): boolean =>
  resource.dialect === "cilium" &&
  "specs" in resource.object &&
  resource.object.specs.some(({ spec }) => spec.isHost);

export const cilium: Dialect = {
  title: "Cilium",
  group: "cilium.io",
  kinds: [
    {
      kind: "CiliumNetworkPolicy",
      versions: ["v2"],
      shape: ciliumNetworkPolicy,
    },
    {
      kind: "CiliumClusterwideNetworkPolicy",
      versions: ["v2"],
      shape: ciliumClusterwideNetworkPolicy,
    },
    {
      kind: "CiliumCIDRGroup",
      versions: ["v2", "v2alpha1"],
      shape: ciliumCidrGroup,
    },
  ],
  configMap: { name: CONFIG_MAP, shape: ciliumConfig },
  bystanders: [
    "CiliumBGPAdvertisement",
    "CiliumBGPClusterConfig",
    "CiliumBGPNodeConfig",
    "CiliumBGPNodeConfigOverride",
    "CiliumBGPPeerConfig",
    "CiliumBGPPeeringPolicy",
    "CiliumEndpoint",
    "CiliumEndpointSlice",
    "CiliumGatewayClassConfig",
    "CiliumIdentity",
    "CiliumL2AnnouncementPolicy",
    "CiliumLoadBalancerIPPool",
    "CiliumNode",
    "CiliumNodeConfig",
    "CiliumPodIPPool",
    "CiliumVTEPConfig",
  ],
  stages: ({ resources }) => (resources.some(isOfNodes) ? [HOST_STAGE] : []),
  blocks: ciliumBlocks,
};
