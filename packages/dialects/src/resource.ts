/** What a file holds after reading: one object of a dialect, sound in itself, with its place. */
import type { SourceSpan } from "@bulkhead/model";
import type { IstioResource } from "./istio/index.ts";
import type { NetworkPolicy } from "./kubernetes/network-policy.ts";
import type { NamespaceObject, PodMaker } from "./kubernetes/objects.ts";
import type { NativeResource } from "./native/kinds.ts";

export type Resource =
  | IstioResource
  | { readonly dialect: "native"; readonly object: NativeResource }
  | { readonly dialect: "kubernetes"; readonly role: "policy"; readonly object: NetworkPolicy }
  | { readonly dialect: "kubernetes"; readonly role: "pods"; readonly object: PodMaker }
  | {
      readonly dialect: "kubernetes";
      readonly role: "namespace";
      readonly object: NamespaceObject;
    };

export interface ResourceName {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

export const DEFAULT_NAMESPACE = "default";

const kindOf = (resource: Resource): string => {
  if (resource.dialect === "native") return resource.object.kind;
  if (resource.dialect === "istio")
    return resource.role === "authorization" ? "AuthorizationPolicy" : "PeerAuthentication";
  switch (resource.role) {
    case "policy":
      return "NetworkPolicy";
    case "pods":
      return resource.object.kind;
    case "namespace":
      return "Namespace";
  }
};

export const resourceName = (resource: Resource): ResourceName => {
  const { name, namespace } = resource.object.metadata;
  const kind = kindOf(resource);
  return { kind, namespace: kind === "Namespace" ? "" : (namespace ?? DEFAULT_NAMESPACE), name };
};

export const resourceSource = (resource: Resource): SourceSpan => resource.object.source;

/** `Policy/shop/db`; without a namespace `Namespace/shop`. */
export const formatResourceName = ({ kind, namespace, name }: ResourceName): string =>
  namespace === "" ? `${kind}/${name}` : `${kind}/${namespace}/${name}`;
