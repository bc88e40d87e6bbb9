/**
 * Who is who, right now: what the agent finds attached, joined with what operators declared. An attachment nobody
 * declared is a workload too, under the name it was found by, so that it is seen, counted and can be named later.
 */
import { indexInventory, reindexInventory, type InventoryIndex } from "@bulkhead/engine";
import {
  sortIps,
  type BridgePort,
  type Endpoint,
  type Inventory,
  type IpAddress,
  type LocalProcess,
  type Workload,
  type WorkloadId,
} from "@bulkhead/model";
import type { DiscoveredEndpoint, HostSession, Listener } from "@bulkhead/wire";
import { attachmentName, foundAs } from "./found-as.ts";
import type { Declared } from "./declared.ts";
import { runtimeLabels } from "./runtime-labels.ts";
import type { KnownProcess } from "./unit-memory.ts";
import { joinUnits } from "./units.ts";

export interface Surroundings {
  readonly endpoints: readonly DiscoveredEndpoint[];
  readonly ports: readonly BridgePort[];
  readonly hostAddresses: readonly IpAddress[];
  readonly sessions: readonly HostSession[];
  readonly hostListeners: readonly Listener[];
  /** Programs of the machine that speak to workloads in its name. */
  readonly relays: readonly string[];
  /** Links whose other end the agent could not read. */
  readonly unread: readonly BridgePort[];
  /** Units of this machine, also those that do not run now. */
  readonly processes: readonly KnownProcess[];
  /** Why they are not told apart, or not all. */
  readonly processesProblem?: string;
}

export const NO_SURROUNDINGS: Surroundings = {
  endpoints: [],
  ports: [],
  hostAddresses: [],
  sessions: [],
  hostListeners: [],
  relays: [],
  unread: [],
  processes: [],
};

export interface Attachment {
  readonly discovered: DiscoveredEndpoint;
  readonly workload: WorkloadId;
}

export interface World {
  readonly inventory: Inventory;
  readonly index: InventoryIndex;
  readonly endpoints: readonly Endpoint[];
  /** Ports of bridges that lead to no workload of this machine. */
  readonly ports: readonly BridgePort[];
  readonly attachments: ReadonlyMap<WorkloadId, readonly Attachment[]>;
  /** Process workloads of this machine, sorted by workload. */
  readonly processes: readonly LocalProcess[];
  /** What was discovered of each; nothing of one that was only declared. */
  readonly units: ReadonlyMap<WorkloadId, readonly KnownProcess[]>;
  readonly processesProblem?: string;
  readonly declared: ReadonlySet<WorkloadId>;
  readonly sessions: readonly HostSession[];
  readonly hostListeners: readonly Listener[];
  readonly relays: readonly string[];
}

/** `before`, any other world, makes it cheaper and changes nothing. */
export function buildWorld(declared: Declared, surroundings: Surroundings, before?: World): World {
  const bound = new Map<string, Workload>();
  const workloads = new Map<WorkloadId, Workload>();
  for (const { workload, binding } of declared.workloads) {
    workloads.set(workload.id, workload);
    if (binding !== undefined) bound.set(`${binding.kind} ${binding.name}`, workload);
  }
  const attachments = new Map<WorkloadId, Attachment[]>();
  const endpoints: Endpoint[] = [];
  const contested = contestedAddresses(surroundings);
  for (const discovered of surroundings.endpoints) {
    const known = bound.get(`${discovered.kind} ${discovered.name}`);
    // Whoever is attached here runs here: this machine is its node, whatever a file says.
    const { node: _elsewhere, ...workload } = known ?? undeclared(discovered, workloads);
    const addresses = discovered.addresses.filter((address) => !contested.has(address));
    const before = attachments.get(workload.id);
    const others = before === undefined ? [] : (workloads.get(workload.id)?.addresses ?? []);
    workloads.set(workload.id, {
      ...workload,
      kind: discovered.kind,
      // What is seen goes before what was declared about addresses.
      addresses: sortIps([...new Set([...others, ...addresses])]),
    });
    const attachment = { discovered, workload: workload.id };
    if (before === undefined) attachments.set(workload.id, [attachment]);
    else before.push(attachment);
    const { kind, ifindex, mac, netnsPath, bridge } = discovered;
    endpoints.push({
      workload: workload.id,
      kind,
      interface: discovered.interface,
      ...(bridge === undefined ? {} : { bridge }),
      ifindex,
      mac,
      addresses,
      netnsPath,
    });
  }
  const { processes, units, unitNames } = joinUnits(declared, surroundings.processes, workloads);
  const inventory: Inventory = {
    workloads: [...workloads.values()].toSorted((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)),
    namespaces: withEveryNamespace(declared, workloads.values()),
    hostAddresses: surroundings.hostAddresses,
    attachments: endpoints,
    foundAs: foundAs({ declared, workloads, attachments, units, unitNames }),
  };
  return {
    inventory,
    index:
      before === undefined ? indexInventory(inventory) : reindexInventory(inventory, before.index),
    endpoints,
    ports: surroundings.ports,
    attachments,
    processes,
    units,
    ...(surroundings.processesProblem === undefined
      ? {}
      : { processesProblem: surroundings.processesProblem }),
    declared: new Set(declared.workloads.map(({ workload }) => workload.id)),
    sessions: surroundings.sessions,
    hostListeners: surroundings.hostListeners,
    relays: surroundings.relays,
  };
}

/** Link-local addresses that two links use are no name for anybody. */
function contestedAddresses({ endpoints, hostAddresses }: Surroundings): ReadonlySet<IpAddress> {
  const owners = new Map<IpAddress, string>(
    hostAddresses.filter(isLinkLocal).map((address) => [address, ""] as const),
  );
  const contested = new Set<IpAddress>();
  for (const endpoint of endpoints) {
    for (const address of endpoint.addresses) {
      if (!isLinkLocal(address)) continue;
      const owner = owners.get(address);
      if (owner !== undefined && owner !== endpoint.interface) contested.add(address);
      owners.set(address, endpoint.interface);
    }
  }
  return contested;
}

export function isLinkLocal(address: IpAddress): boolean {
  return address.startsWith("fe80:") || address.startsWith("169.254.");
}

function undeclared(
  discovered: DiscoveredEndpoint,
  taken: ReadonlyMap<WorkloadId, Workload>,
): Workload {
  const { containerLabels } = discovered;
  const { namespace, base } = attachmentName(discovered);
  // Somebody declared that name for something else; several interfaces of one namespace share theirs.
  const name =
    taken.get(`${namespace}/${base}`)?.source === undefined
      ? base
      : `${base}-${discovered.interface}`;
  const id = `${namespace}/${name}`;
  const known = taken.get(id);
  if (known !== undefined) return known;
  return {
    id,
    namespace,
    name,
    kind: discovered.kind,
    labels: runtimeLabels(containerLabels),
    addresses: [],
    namedPorts: [],
    hostNetwork: false,
  };
}

function withEveryNamespace(
  declared: Declared,
  workloads: Iterable<Workload>,
): Inventory["namespaces"] {
  const namespaces = new Map(declared.namespaces.map((namespace) => [namespace.name, namespace]));
  for (const { namespace } of workloads) {
    if (!namespaces.has(namespace)) namespaces.set(namespace, { name: namespace, labels: {} });
  }
  return [...namespaces.values()].toSorted((a, b) =>
    a.name < b.name ? -1 : a.name > b.name ? 1 : 0,
  );
}
