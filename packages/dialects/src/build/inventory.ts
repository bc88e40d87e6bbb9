/**
 * Who is there, as files declare it: native Inventory and Kubernetes objects. Workloads bound to a network namespace or
 * a container have no addresses yet; whoever discovers those adds them.
 */
import {
  createDiagnostic,
  formatSpan,
  NODES_NAMESPACE,
  parseProtocol,
  SERVICE_ACCOUNT_LABEL,
  sortIps,
  TCP,
  type Diagnostic,
  type IpAddress,
  type Labels,
  type Namespace,
  type OwnedSocket,
  type SourceSpan,
  type Workload,
  type WorkloadId,
  type WorkloadKind,
} from "@bulkhead/model";
import type { PodMaker } from "../kubernetes/objects.ts";
import type { NodeObject } from "../kubernetes/services.ts";
import type { InventoryFile } from "../native/kinds.ts";
import { DEFAULT_NAMESPACE, type Resource } from "../resource.ts";
import { controllerOf, MOST_NUMBERED, podsOf, tellsPodsApart, type MadePod } from "./made-pods.ts";

/** `workload` is whatever the agent discovers under this name. */
export interface Binding {
  readonly workload: WorkloadId;
  /** Of a unit the name may be the path of its control group. */
  readonly kind: "netns" | "container" | "unit";
  readonly name: string;
  /** Sockets that others made for it are known: it may be enforced without them. */
  readonly borrowedSockets?: "accepted";
}

export interface DeclaredInventory {
  readonly workloads: readonly Workload[];
  readonly namespaces: readonly Namespace[];
  readonly bindings: readonly Binding[];
  /** Of the machine, sorted: for deciding without it. */
  readonly hostAddresses: readonly IpAddress[];
}

type DeclaredWorkload = NonNullable<InventoryFile["spec"]["workloads"]>[number];

interface Draft {
  readonly workloads: Map<WorkloadId, Workload>;
  readonly namespaces: Map<string, { readonly labels: Labels; readonly source?: SourceSpan }>;
  readonly bindings: Map<string, Binding>;
  readonly diagnostics: Diagnostic[];
}

const NAME_LABEL = "kubernetes.io/metadata.name";

const addNamespace = (draft: Draft, name: string, labels: Labels, source: SourceSpan): void => {
  const before = draft.namespaces.get(name);
  if (before?.source !== undefined) {
    draft.diagnostics.push(
      createDiagnostic(
        "BH0108",
        source,
        `namespace \`${name}\` is declared twice`,
        `first at ${formatSpan(before.source)}`,
      ),
    );
    return;
  }
  draft.namespaces.set(name, { labels, source });
};

const BINDINGS = ["netns", "container", "unit"] as const;
const KINDS = { netns: "netns", container: "container", unit: "process" } as const;

/** What of the machine it is bound to; undefined: no agent sees it. */
const boundBy = (workload: DeclaredWorkload): Binding["kind"] | undefined =>
  BINDINGS.find((kind) => workload[kind] !== undefined);

const kindOf = (workload: DeclaredWorkload): WorkloadKind => {
  const bound = boundBy(workload);
  return workload.kind ?? (bound === undefined ? "external" : KINDS[bound]);
};

/** A path is known as it stands; where a unit runs, whoever discovers it finds out. */
const cgroupOf = ({ unit }: DeclaredWorkload): Pick<Workload, "cgroup"> =>
  unit?.startsWith("/") === true ? { cgroup: unit } : {};

const protocolOf = (word = "tcp") => parseProtocol(word) ?? TCP;

const socketsOf = ({ sockets }: DeclaredWorkload): Pick<Workload, "sockets"> => {
  if (sockets === undefined) return {};
  const owned = sockets.flatMap(({ port, protocol, address }): OwnedSocket[] => {
    const socket = { protocol: protocolOf(protocol), port };
    if (address === "0.0.0.0") return [{ family: 4, ...socket }];
    if (address === "::") return [{ family: 6, ...socket }];
    if (address !== undefined)
      return [{ address, family: address.includes(":") ? 6 : 4, ...socket }];
    return [
      { family: 4, ...socket },
      { family: 6, ...socket },
    ];
  });
  return { sockets: owned.toSorted((a, b) => a.port - b.port) };
};

const addDeclared = (draft: Draft, workload: DeclaredWorkload, home: string): void => {
  const namespace = workload.namespace ?? home;
  const id = `${namespace}/${workload.name}`;
  const before = draft.workloads.get(id);
  if (before !== undefined) {
    const first = before.source === undefined ? undefined : `first at ${formatSpan(before.source)}`;
    draft.diagnostics.push(
      createDiagnostic("BH0108", workload.source, `workload \`${id}\` is declared twice`, first),
    );
    return;
  }
  draft.workloads.set(id, {
    id,
    namespace,
    name: workload.name,
    kind: kindOf(workload),
    labels: workload.labels ?? {},
    addresses: sortIps(workload.addresses ?? []),
    namedPorts: (workload.ports ?? []).map(({ name, port, protocol }) => ({
      name,
      protocol: protocolOf(protocol),
      port,
    })),
    hostNetwork: false,
    ...cgroupOf(workload),
    ...socketsOf(workload),
    ...(workload.owner === undefined ? {} : { owner: workload.owner }),
    source: workload.source,
  });
  const kind = boundBy(workload);
  if (kind === undefined) return;
  const name = workload[kind]!;
  const taken = draft.bindings.get(`${kind}/${name}`);
  if (taken !== undefined) {
    draft.diagnostics.push(
      createDiagnostic(
        "BH0108",
        workload.source,
        `${kind} \`${name}\` is bound twice`,
        `it is \`${taken.workload}\` already`,
      ),
    );
    return;
  }
  const nested = [...draft.bindings.values()].find(
    (other) => kind === "unit" && other.kind === "unit" && isNested(other.name, name),
  );
  if (nested !== undefined) {
    draft.diagnostics.push(
      createDiagnostic(
        "BH0108",
        workload.source,
        `\`${name}\` and \`${nested.name}\` lie in one another`,
        `a control group covers all below it, and one of them is \`${nested.workload}\` already`,
      ),
    );
    return;
  }
  const { borrowedSockets } = workload;
  draft.bindings.set(`${kind}/${name}`, {
    workload: id,
    kind,
    name,
    ...(borrowedSockets === undefined ? {} : { borrowedSockets }),
  });
};

const isNested = (a: string, b: string): boolean =>
  a.startsWith("/") && b.startsWith("/") && (a.startsWith(`${b}/`) || b.startsWith(`${a}/`));

const namespaceOf = (object: PodMaker): string => object.metadata.namespace ?? DEFAULT_NAMESPACE;

const nodeId = (name: string): WorkloadId => `${NODES_NAMESPACE}/${name}`;

const addNode = (draft: Draft, { metadata, addresses, source }: NodeObject): void => {
  const { name, labels = {} } = metadata;
  draft.workloads.set(nodeId(name), {
    id: nodeId(name),
    namespace: NODES_NAMESPACE,
    name,
    kind: "node",
    labels,
    addresses: sortIps(addresses),
    namedPorts: [],
    hostNetwork: false,
    source,
  });
};

const addPods = (
  draft: Draft,
  objects: readonly PodMaker[],
  resources: readonly Resource[],
): void => {
  const areToldApart =
    objects.some(({ numbers }) => numbers !== undefined) && tellsPodsApart(resources);
  const owners = new Set(
    objects.flatMap((object) => {
      const owner = controllerOf(object);
      return owner === undefined ? [] : [`${namespaceOf(object)}/${owner.kind}/${owner.name}`];
    }),
  );
  for (const object of objects) {
    const namespace = namespaceOf(object);
    // What it made stands in the files itself.
    if (owners.has(`${namespace}/${object.kind}/${object.metadata.name}`)) continue;
    if (areToldApart && (object.numbers?.count ?? 0) > MOST_NUMBERED) {
      draft.diagnostics.push(
        createDiagnostic(
          "BH0404",
          object.source,
          `\`${namespace}/${object.metadata.name}\` has too many pods to tell them apart: no selector finds one by its name or number`,
          `up to ${MOST_NUMBERED} are told apart`,
        ),
      );
    }
    for (const made of podsOf(object, areToldApart)) addPod(draft, object, made);
  }
};

const addPod = (draft: Draft, object: PodMaker, { name, labels }: MadePod): void => {
  const namespace = namespaceOf(object);
  const { nodeName } = object.facts;
  const plain = `${namespace}/${name}`;
  const id = draft.workloads.has(plain)
    ? `${namespace}/${object.kind.toLowerCase()}.${name}`
    : plain;
  const owner =
    object.kind === "Pod"
      ? controllerOf(object)
      : { kind: object.kind, name: object.metadata.name };
  draft.workloads.set(id, {
    id,
    namespace,
    name,
    kind: "pod",
    labels: { ...labels, [SERVICE_ACCOUNT_LABEL]: object.facts.serviceAccount },
    addresses: sortIps(object.facts.addresses),
    namedPorts: object.facts.namedPorts,
    hostNetwork: object.facts.hostNetwork,
    ...(nodeName === undefined ? {} : { node: nodeId(nodeName) }),
    ...(owner === undefined ? {} : { owner }),
    source: object.source,
  });
};

export const buildInventory = (
  resources: readonly Resource[],
  diagnostics: Diagnostic[],
): DeclaredInventory => {
  const draft: Draft = {
    workloads: new Map(),
    namespaces: new Map(),
    bindings: new Map(),
    diagnostics,
  };
  const pods: PodMaker[] = [];
  const hostAddresses = new Set<IpAddress>();
  for (const resource of resources) {
    if (resource.dialect === "native") {
      if (resource.object.kind !== "Inventory") continue;
      const { metadata, spec } = resource.object;
      for (const { name, labels, source } of spec.namespaces ?? []) {
        addNamespace(draft, name, labels ?? {}, source);
      }
      for (const address of spec.machine?.addresses ?? []) hostAddresses.add(address);
      for (const workload of spec.workloads ?? []) {
        addDeclared(draft, workload, metadata.namespace ?? DEFAULT_NAMESPACE);
      }
    } else if (resource.dialect !== "kubernetes") {
      continue;
    } else if (resource.role === "namespace") {
      const { metadata, source } = resource.object;
      addNamespace(draft, metadata.name, metadata.labels ?? {}, source);
    } else if (resource.role === "pods") pods.push(resource.object);
    else if (resource.role === "node") addNode(draft, resource.object);
  }
  addPods(draft, pods, resources);
  const workloads = [...draft.workloads.values()];
  for (const { namespace } of workloads) {
    if (namespace !== NODES_NAMESPACE && !draft.namespaces.has(namespace))
      draft.namespaces.set(namespace, { labels: {} });
  }
  return {
    workloads,
    // The name label is the cluster's word, not the file's: a forged one gains nothing (CVE-2023-39347).
    namespaces: [...draft.namespaces].map(([name, { labels }]) => ({
      name,
      labels: { ...labels, [NAME_LABEL]: name },
    })),
    bindings: [...draft.bindings.values()],
    hostAddresses: sortIps([...hostAddresses]),
  };
};
