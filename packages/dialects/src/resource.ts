/** What a file holds after reading: one object of a dialect, sound in itself, with its place. */
import type { SourceSpan } from "@bulkhead/model";
import type { AntreaResource } from "./antrea/antrea.ts";
import type { CiliumResource } from "./cilium/policy.ts";
import type { CalicoResource } from "./calico/index.ts";
import type { IstioResource } from "./istio/index.ts";
import type { ConfigurationObject } from "./kubernetes/configuration.ts";
import type { GatewayObject, ReferenceGrantObject } from "./kubernetes/gateway.ts";
import type { RouteObject } from "./kubernetes/ingress.ts";
import type { NetworkPolicy } from "./kubernetes/network-policy.ts";
import type { NamespaceObject, PodMaker } from "./kubernetes/objects.ts";
import type { NodeObject, ServiceAccountObject, ServiceObject } from "./kubernetes/services.ts";
import type { NativeResource } from "./native/kinds.ts";
import type { ClusterPolicyResource } from "./network-policy-api/index.ts";

export type Resource =
  | AntreaResource
  | ClusterPolicyResource
  | CalicoResource
  | IstioResource
  | { readonly dialect: "native"; readonly object: NativeResource }
  | { readonly dialect: "kubernetes"; readonly role: "policy"; readonly object: NetworkPolicy }
  | { readonly dialect: "kubernetes"; readonly role: "pods"; readonly object: PodMaker }
  | {
      readonly dialect: "kubernetes";
      readonly role: "namespace";
      readonly object: NamespaceObject;
    }
  | { readonly dialect: "kubernetes"; readonly role: "service"; readonly object: ServiceObject }
  | {
      readonly dialect: "kubernetes";
      readonly role: "service-account";
      readonly object: ServiceAccountObject;
    }
  /** A node becomes a workload of namespace `:nodes`. */
  | { readonly dialect: "kubernetes"; readonly role: "node"; readonly object: NodeObject }
  /** Ingress, OpenShift's Route, and the routes of Gateway API. */
  | { readonly dialect: "kubernetes"; readonly role: "route"; readonly object: RouteObject }
  | { readonly dialect: "kubernetes"; readonly role: "gateway"; readonly object: GatewayObject }
  | {
      readonly dialect: "kubernetes";
      readonly role: "reference-grant";
      readonly object: ReferenceGrantObject;
    }
  /** A ConfigMap, of which nothing is kept but the destinations it names. */
  | {
      readonly dialect: "kubernetes";
      readonly role: "configuration";
      readonly object: ConfigurationObject;
    }
  | CiliumResource;

export interface ResourceName {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

export const DEFAULT_NAMESPACE = "default";

/** Kubernetes has a NetworkPolicy, too. */
export const calicoKind = (kind: string): string => `${kind}.projectcalico.org`;

const kindOf = (resource: Resource): string => {
  if (resource.dialect === "native") return resource.object.kind;
  if (resource.dialect === "calico") return calicoKind(resource.kind);
  if (resource.dialect === "istio")
    return resource.role === "authorization" ? "AuthorizationPolicy" : "PeerAuthentication";
  if (resource.dialect !== "kubernetes") return resource.object.kind;
  switch (resource.role) {
    case "policy":
      return "NetworkPolicy";
    case "namespace":
      return "Namespace";
    case "pods":
    case "service":
    case "service-account":
    case "node":
    case "route":
    case "gateway":
    case "reference-grant":
    case "configuration":
      return resource.object.kind;
  }
};

/** Kinds that have no namespace. Several dialects have kinds of one name. */
const CLUSTER_SCOPED: Readonly<Partial<Record<Resource["dialect"], readonly string[]>>> = {
  kubernetes: ["Namespace", "Node"],
  "network-policy-api": [
    "ClusterNetworkPolicy",
    "AdminNetworkPolicy",
    "BaselineAdminNetworkPolicy",
  ],
  antrea: ["AntreaClusterNetworkPolicy", "AntreaTier", "ClusterGroup"],
  cilium: ["CiliumClusterwideNetworkPolicy", "CiliumCIDRGroup"],
  calico: [
    "GlobalNetworkPolicy",
    "StagedGlobalNetworkPolicy",
    "GlobalNetworkSet",
    "Tier",
    "HostEndpoint",
  ].map(calicoKind),
};
export const resourceName = (resource: Resource): ResourceName => {
  const { name, namespace } = resource.object.metadata;
  const kind = kindOf(resource);
  const isClusterScoped = CLUSTER_SCOPED[resource.dialect]?.includes(kind) === true;
  return { kind, namespace: isClusterScoped ? "" : (namespace ?? DEFAULT_NAMESPACE), name };
};

/**
 * Does it say who may talk to whom, or what policies refer to for it? The others say who is there, how the cluster runs it, or
 * what is expected.
 */
export const isPolicyResource = (resource: Resource): boolean => {
  switch (resource.dialect) {
    case "kubernetes":
      return resource.role === "policy";
    case "native":
      return resource.object.kind !== "Inventory" && resource.object.kind !== "PolicyTest";
    case "calico":
      return resource.role !== "host-endpoint";
    case "cilium":
      return resource.object.kind !== "ConfigMap";
    case "network-policy-api":
    case "istio":
    case "antrea":
      return true;
  }
};

export const resourceSource = (resource: Resource): SourceSpan => resource.object.source;

/** `Policy/shop/db`; without a namespace `Namespace/shop`. */
export const formatResourceName = ({ kind, namespace, name }: ResourceName): string =>
  namespace === "" ? `${kind}/${name}` : `${kind}/${namespace}/${name}`;
