/** Which reader takes which object of Kubernetes that says who is there, or who is led where. Policies are elsewhere. */
import type { Resource } from "../resource.ts";
import type { MapNode } from "../text/document.ts";
import type { Reader } from "../text/reader.ts";
import { configurationMap } from "./configuration.ts";
import { GATEWAY_GROUP, gateway, gatewayRoute, referenceGrant, ROUTE_KINDS } from "./gateway.ts";
import { ingress, openshiftRoute } from "./ingress.ts";
import { namespaceObject, POD_MAKERS } from "./objects.ts";
import { node, service, serviceAccount } from "./services.ts";
import { VIRTUAL_MACHINES } from "./virtual-machines.ts";

type Kubernetes = Extract<Resource, { dialect: "kubernetes" }>;
type ReadResource = (map: MapNode, at: Reader) => Kubernetes | undefined;

interface KubernetesKind {
  /** API groups in which an object of this name is the one that is meant. */
  readonly groups: readonly string[];
  readonly read: ReadResource;
}

const CORE = [""];
/** Objects of each have been in several groups over the years. */
const WORKLOADS = ["", "apps", "batch", "extensions"];
/** Controllers of other makers. */
const OWN_GROUPS: Readonly<Record<string, readonly string[]>> = {
  DeploymentConfig: ["apps.openshift.io"],
  Rollout: ["argoproj.io"],
  VirtualMachine: ["kubevirt.io"],
  VirtualMachineInstance: ["kubevirt.io"],
};
const dialect = "kubernetes" as const;

const KINDS: Readonly<Record<string, KubernetesKind>> = {
  ...Object.fromEntries(
    Object.entries({ ...POD_MAKERS, ...VIRTUAL_MACHINES }).map(
      ([kind, { read }]): [string, KubernetesKind] => [
        kind,
        {
          groups: OWN_GROUPS[kind] ?? WORKLOADS,
          read: (map, at) => {
            const object = read(map, at);
            return object ? { dialect, role: "pods", object } : undefined;
          },
        },
      ],
    ),
  ),
  ...Object.fromEntries(
    ROUTE_KINDS.map((kind): [string, KubernetesKind] => [
      kind,
      { groups: [GATEWAY_GROUP], read: routeOf(gatewayRoute(kind).read) },
    ]),
  ),
  Ingress: { groups: ["networking.k8s.io", "extensions"], read: routeOf(ingress.read) },
  Route: { groups: ["route.openshift.io"], read: routeOf(openshiftRoute.read) },
  Namespace: {
    groups: WORKLOADS,
    read: (map, at) => {
      const object = namespaceObject.read(map, at);
      return object && { dialect, role: "namespace", object };
    },
  },
  Service: {
    groups: CORE,
    read: (map, at) => {
      const object = service.read(map, at);
      return object && { dialect, role: "service", object };
    },
  },
  ServiceAccount: {
    groups: CORE,
    read: (map, at) => {
      const object = serviceAccount.read(map, at);
      return object && { dialect, role: "service-account", object };
    },
  },
  Node: {
    groups: CORE,
    read: (map, at) => {
      const object = node.read(map, at);
      return object && { dialect, role: "node", object };
    },
  },
  ConfigMap: {
    groups: CORE,
    read: (map, at) => {
      const object = configurationMap.read(map, at);
      return object && { dialect, role: "configuration", object };
    },
  },
  Gateway: {
    groups: [GATEWAY_GROUP],
    read: (map, at) => {
      const object = gateway.read(map, at);
      return object && { dialect, role: "gateway", object };
    },
  },
  ReferenceGrant: {
    groups: [GATEWAY_GROUP],
    read: (map, at) => {
      const object = referenceGrant.read(map, at);
      return object && { dialect, role: "reference-grant", object };
    },
  },
};

function routeOf(
  read: (map: MapNode, at: Reader) => Extract<Kubernetes, { role: "route" }>["object"] | undefined,
): ReadResource {
  return (map, at) => {
    const object = read(map, at);
    return object && { dialect, role: "route", object };
  };
}

/** By their names alone they decide nothing about traffic. */
export const KUBERNETES_KINDS: readonly string[] = Object.keys(KINDS);

/** Undefined: none of these. */
export const kubernetesReader = (group: string, kind: string): ReadResource | undefined => {
  const known = Object.hasOwn(KINDS, kind) ? KINDS[kind] : undefined;
  return known?.groups.includes(group) === true ? known.read : undefined;
};
