/** The native resources that `smallestChange` proposes, as a person would write them. */
import {
  API_VERSION,
  formatPort,
  formatSelector,
  groupAt,
  hostCidr,
  isReservedLabel,
  selectorOf,
  type Cidr,
  type Direction,
  type ExceptionManifest,
  type FlowQuery,
  type IntentManifest,
  type PeerManifest,
  type PolicyManifest,
  type Selector,
  type Workload,
  type WorkloadsManifest,
} from "@bulkhead/model";
import type { Place } from "./inventory-index.ts";

const EXCEPTION_LASTS = 24 * 60 * 60 * 1000;
/** Labels that name an instance or a version of it: no policy should. */
const INSTANCE_LABELS = new Set([
  "pod-template-hash",
  "controller-revision-hash",
  "pod-template-generation",
  "controller-uid",
  "batch.kubernetes.io/controller-uid",
  "batch.kubernetes.io/job-completion-index",
  "statefulset.kubernetes.io/pod-name",
  "apps.kubernetes.io/pod-index",
]);

/** Addresses under one name, `namespace/name`. */
export interface NamedAddresses {
  readonly name: string;
  readonly cidrs: readonly Cidr[];
}

/**
 * An end as a person named it: `atLarge` when that was the world itself, `set` when it was a NetworkSet, and the address only
 * stands for it.
 */
export type End = Place & { readonly atLarge?: boolean; readonly set?: NamedAddresses };

export interface Ends {
  readonly source: End;
  readonly destination: End;
}

/** What the workload and its replicas have in common; null when that is nothing. */
export function stableSelector({ labels }: Workload): Selector | null {
  const stable = Object.entries(labels).filter(
    ([key]) => !INSTANCE_LABELS.has(key) && !isReservedLabel(key),
  );
  if (stable.length === 0) return null;
  return selectorOf(stable.map(([key, value]) => ({ key, operator: "In", values: [value] })));
}

function peerManifest(place: End, namespace: string): PeerManifest {
  switch (place.kind) {
    case "workload":
      return selection(place.workload, namespace);
    case "host":
      return place.workload ? selection(place.workload, namespace) : { entity: "host" };
    case "world":
      if (place.set !== undefined) return { networkSet: within(place.set.name, namespace) };
      return place.atLarge === true
        ? { entity: groupAt(place) ?? "world" }
        : { cidr: hostCidr(place.address) };
  }
}

/** As a resource of the namespace calls it. */
function within(name: string, namespace: string): string {
  return name.startsWith(`${namespace}/`) ? name.slice(namespace.length + 1) : name;
}

function selection(workload: Workload, namespace: string): string | WorkloadsManifest {
  const selector = formatSelector(stableSelector(workload)!);
  return workload.namespace === namespace ? selector : { selector, namespace: workload.namespace };
}

export function oneEnd(ends: Ends, query: FlowQuery, direction: Direction): PolicyManifest {
  const subject = direction === "egress" ? ends.source.workload! : ends.destination.workload!;
  const { namespace } = subject;
  const ports = [formatPort(query.protocol, query.port)];
  return {
    apiVersion: API_VERSION,
    kind: "Policy",
    metadata: { name: nameOf(ends, query), namespace },
    spec: {
      subject: selection(subject, namespace),
      ...(direction === "egress"
        ? { egress: [{ to: [peerManifest(ends.destination, namespace)], ports }] }
        : { ingress: [{ from: [peerManifest(ends.source, namespace)], ports }] }),
    },
  };
}

export function intent(ends: Ends, query: FlowQuery): IntentManifest {
  return {
    apiVersion: API_VERSION,
    kind: "Intent",
    ...fromTo(ends, query),
  };
}

export function exception(ends: Ends, query: FlowQuery, now: number): ExceptionManifest {
  const { metadata, spec } = fromTo(ends, query);
  return {
    apiVersion: API_VERSION,
    kind: "Exception",
    metadata,
    spec: {
      ...spec,
      owner: "<who answers for it>",
      reason: "<why it is needed>",
      expires: new Date(now + EXCEPTION_LASTS).toISOString(),
    },
  };
}

/** Lives where the destination lives; when that is no workload, with the source. */
function fromTo(ends: Ends, query: FlowQuery) {
  const namespace = (ends.destination.workload ?? ends.source.workload)!.namespace;
  return {
    metadata: { name: nameOf(ends, query), namespace },
    spec: {
      from: peerManifest(ends.source, namespace),
      to: peerManifest(ends.destination, namespace),
      ports: [formatPort(query.protocol, query.port)],
    },
  };
}

const LONGEST_NAME = 63;

function nameOf({ source, destination }: Ends, { protocol, port }: FlowQuery): string {
  return `allow-${endName(source)}-to-${endName(destination)}-${formatPort(protocol, port)}`
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .slice(0, LONGEST_NAME)
    .replace(/-$/, "");
}

function endName(place: End): string {
  if (place.workload !== undefined) return place.workload.name;
  if (place.kind === "host") return "host";
  if (place.set !== undefined) return place.set.name.slice(place.set.name.indexOf("/") + 1);
  return place.atLarge === true ? (groupAt(place) ?? "world") : place.address;
}
