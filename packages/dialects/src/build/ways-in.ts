/**
 * Ways in from outside that the files open: what an ingress controller, a router or a gateway must be able to reach, because
 * an Ingress or a route leads there. They permit nothing; policy does, or does not.
 */
import {
  matches,
  type Namespace,
  type ProtocolNumber,
  type SourceSpan,
  type WorkloadId,
} from "@bulkhead/model";
import {
  GATEWAY_GROUP,
  type GatewayObject,
  type ReferenceGrantObject,
} from "../kubernetes/gateway.ts";
import type { Backend, ParentGateway, RouteObject } from "../kubernetes/ingress.ts";
import type { ServicePort } from "../kubernetes/services.ts";
import { DEFAULT_NAMESPACE, type Resource } from "../resource.ts";
import { didYouMean } from "../text/near.ts";
import type { BuildContext } from "./context.ts";
import type { Services } from "./services.ts";

export interface WayIn {
  /** The object that opens it. */
  readonly by: { readonly kind: string; readonly namespace: string; readonly name: string };
  readonly source: SourceSpan;
  readonly service: { readonly namespace: string; readonly name: string };
  readonly backends: readonly {
    readonly workload: WorkloadId;
    readonly protocol: ProtocolNumber;
    readonly port: number;
  }[];
}

interface World {
  /** By `namespace/name`. */
  readonly gateways: ReadonlyMap<string, GatewayObject>;
  /** By the namespace that grants. */
  readonly grants: ReadonlyMap<string, readonly ReferenceGrantObject[]>;
  readonly services: Services;
  readonly namespaces: ReadonlyMap<string, Namespace>;
}

const homeOf = ({ metadata }: { readonly metadata: { readonly namespace?: string } }): string =>
  metadata.namespace ?? DEFAULT_NAMESPACE;

/** Does a listener of the Gateway take routes of this namespace? Those that are not in the files may. */
const admits = (parent: ParentGateway, home: string, { gateways, namespaces }: World): boolean => {
  const place = parent.namespace ?? home;
  const found = gateways.get(`${place}/${parent.name}`);
  if (found === undefined) return true;
  return found.listeners.some(({ name, port, allowedRoutes }) => {
    if (parent.section !== undefined && name !== parent.section) return false;
    if (parent.port !== undefined && port !== parent.port) return false;
    const { from = "Same", selector } = allowedRoutes?.namespaces ?? {};
    switch (from) {
      case "All":
        return true;
      case "Same":
        return home === place;
      case "Selector":
        return selector !== undefined && matches(selector, namespaces.get(home)?.labels ?? {});
      case "None":
        return false;
    }
  });
};

/** Only the namespace that is led into can grant it (ReferenceGrant). */
const isGranted = (
  route: RouteObject,
  namespace: string,
  service: string,
  { grants }: World,
): boolean => {
  const home = homeOf(route);
  if (namespace === home) return true;
  return (grants.get(namespace) ?? []).some(
    ({ from, to }) =>
      from.some(
        (who) => who.group === GATEWAY_GROUP && who.kind === route.kind && who.namespace === home,
      ) &&
      to.some(
        (what) =>
          (what.group ?? "") === "" &&
          what.kind === "Service" &&
          (what.name === undefined || what.name === service),
      ),
  );
};

/** Does the backend mean this port of its Service? */
const asks =
  ({ port, byTarget }: Backend) =>
  (one: ServicePort): boolean => {
    if (port === undefined) return true;
    if (byTarget === true) return one.target === port || one.name === port;
    return typeof port === "number" ? one.port === port : one.name === port;
  };

const wayIn = (
  route: RouteObject,
  backend: Backend,
  world: World,
  { report }: BuildContext,
): readonly WayIn[] => {
  const home = homeOf(route);
  const { services } = world;
  const { service: name, namespace = home, source } = backend;
  if (!isGranted(route, namespace, name, world)) {
    report(
      "BH0406",
      source,
      `this ${route.kind} leads into namespace \`${namespace}\`, which has not granted it`,
      `a ReferenceGrant in \`${namespace}\` would`,
    );
    return [];
  }
  const service = services.named(namespace, name);
  if (service === undefined) {
    const near = services.all.filter((one) => homeOf(one) === namespace);
    const names = near.map(({ metadata }) => metadata.name);
    const help = names.length > 0 && names.length < 10 ? didYouMean(name, names) : undefined;
    report("BH0405", source, `no Service \`${namespace}/${name}\` in these files`, help);
    return [];
  }
  if (!service.ports.some(asks(backend)) && service.ports.length > 0) {
    const message = `no port \`${backend.port}\` at Service \`${namespace}/${name}\``;
    const known = service.ports.map(({ port, name: called }) => called ?? String(port));
    report("BH0405", source, message, `it has ${known.map((one) => `\`${one}\``).join(", ")}`);
    return [];
  }
  const found = services.backends(service, asks(backend));
  return [
    {
      by: { kind: route.kind, namespace: home, name: route.metadata.name },
      source,
      service: { namespace, name },
      backends: found.map(({ workload, protocol, port }) => ({
        workload: workload.id,
        protocol,
        port,
      })),
    },
  ];
};

/** In the order of the files; what leads nowhere is told. */
export const waysIn = (
  resources: readonly Resource[],
  services: Services,
  namespaces: readonly Namespace[],
  context: BuildContext,
): readonly WayIn[] => {
  const kubernetes = resources.filter((one) => one.dialect === "kubernetes");
  const gateways = kubernetes.flatMap((one) => (one.role === "gateway" ? [one.object] : []));
  const grants = kubernetes.flatMap((one) => (one.role === "reference-grant" ? [one.object] : []));
  const world: World = {
    gateways: new Map(gateways.map((one) => [`${homeOf(one)}/${one.metadata.name}`, one])),
    grants: Map.groupBy(grants, homeOf),
    services,
    namespaces: new Map(namespaces.map((one) => [one.name, one])),
  };
  const routes = kubernetes.flatMap((one) => (one.role === "route" ? [one.object] : []));
  return routes.flatMap((route) => {
    const isLed = route.parents?.some((parent) => admits(parent, homeOf(route), world)) ?? true;
    if (!isLed) return [];
    return route.backends.flatMap((backend) => wayIn(route, backend, world, context));
  });
};
