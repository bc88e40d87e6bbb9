/**
 * Where Services lead: a port of one to ports of workloads. By their selectors, as the cluster's own controllers do; what has
 * none, or is an alias of a name outside, leads nowhere that manifests tell of.
 */
import { matches, type Inventory, type ProtocolNumber, type Workload } from "@bulkhead/model";
import type { ServiceObject, ServicePort } from "../kubernetes/services.ts";
import { DEFAULT_NAMESPACE, type Resource } from "../resource.ts";

/** A workload that a Service leads to, and the port it is met at there. */
export interface ServiceBackend {
  readonly workload: Workload;
  readonly protocol: ProtocolNumber;
  readonly port: number;
  /** Of the Service. */
  readonly through: ServicePort;
}

export interface Services {
  readonly all: readonly ServiceObject[];
  named(namespace: string, name: string): ServiceObject | undefined;
  /** Whom it selects, whatever the port. */
  selected(service: ServiceObject): readonly Workload[];
  /** Of all of its ports, or of those that are asked for. */
  backends(
    service: ServiceObject,
    isAsked?: (port: ServicePort) => boolean,
  ): readonly ServiceBackend[];
}

export const serviceNamespace = ({ metadata }: ServiceObject): string =>
  metadata.namespace ?? DEFAULT_NAMESPACE;

/** A name stands for what the workload calls so, with the port's protocol: nothing, on one that has no such port. */
const portsAt = (workload: Workload, { target, protocol }: ServicePort): readonly number[] =>
  typeof target === "number"
    ? [target]
    : workload.namedPorts
        .filter((one) => one.name === target && one.protocol === protocol)
        .map(({ port }) => port);

export const servicesOf = (
  resources: readonly Resource[],
  { workloads }: Pick<Inventory, "workloads">,
): Services => {
  const all = resources.flatMap((resource) =>
    resource.dialect === "kubernetes" && resource.role === "service" ? [resource.object] : [],
  );
  const byName = new Map(
    all.map((service) => [`${serviceNamespace(service)}/${service.metadata.name}`, service]),
  );
  const homes = new Set(all.map(serviceNamespace));
  const inhabitants = Map.groupBy(
    workloads.filter(({ namespace }) => homes.has(namespace)),
    ({ namespace }) => namespace,
  );
  const selected = (service: ServiceObject): readonly Workload[] => {
    const { selector } = service;
    if (selector === undefined) return [];
    const own = inhabitants.get(serviceNamespace(service)) ?? [];
    return own.filter(({ labels }) => matches(selector, labels));
  };
  return {
    all,
    named: (namespace, name) => byName.get(`${namespace}/${name}`),
    selected,
    backends: (service, isAsked = () => true) => {
      const ports = service.ports.filter(isAsked);
      return selected(service).flatMap((workload) =>
        ports.flatMap((through) =>
          portsAt(workload, through).map((port) => ({
            workload,
            protocol: through.protocol,
            port,
            through,
          })),
        ),
      );
    },
  };
};
