/**
 * What ends of connections are called in answers: `shop/web[Deployment]`, `10.0.0.0-10.255.255.255[External]`, in
 * netpol-analyzer's words, so that answers of both can be laid side by side. All pods of one owner are one.
 */
import {
  formatIp,
  NODES_NAMESPACE,
  type IpRange,
  type Workload,
  type WorkloadKind,
} from "@bulkhead/model";

const KINDS: Readonly<Record<WorkloadKind, string>> = {
  netns: "Namespace",
  container: "Container",
  pod: "Pod",
  vm: "VM",
  host: "Host",
  node: "Node",
  external: "External",
  process: "Process",
};

export function workloadName({ namespace, name, kind, owner }: Workload): string {
  return owner === undefined
    ? `${namespace}/${name}[${KINDS[kind]}]`
    : `${namespace}/${owner.name}[${owner.kind}]`;
}

export function isNodeName(name: string): boolean {
  return name.startsWith(`${NODES_NAMESPACE}/`);
}

/** Whoever leads traffic from outside to where Ingresses and routes say. */
export const CONTROLLER_NAME = "{ingress-controller}";

/** Addresses of the world that a name stands for: `*.example.com[Domain]`. */
export function domainName(pattern: string): string {
  return `${pattern}[Domain]`;
}

/** The machine itself, where an Inventory gives its addresses. */
export const HOST_NAME = "{host}";

export function rangeName({ family, first, last }: IpRange): string {
  return `${formatIp(family, first)}-${formatIp(family, last)}[External]`;
}
