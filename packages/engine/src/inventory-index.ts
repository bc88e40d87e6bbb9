/**
 * The inventory, arranged for questions: who owns an address, which labels does a namespace have. An address is a
 * workload's, the host's, or the world's, never two of them; workloads on the host's network own no address, and neither
 * do processes of the machine: who they are is told by the flow, or by the socket that it goes to.
 */
import {
  parseIp,
  type Inventory,
  type IpAddress,
  type IpFamily,
  type Labels,
  type Workload,
  type WorkloadId,
} from "@bulkhead/model";
import { compare } from "./order.ts";
import {
  isLoopback,
  LOOPBACK_ADDRESSES,
  sameSockets,
  SocketTable,
  type SocketOwners,
} from "./socket-owners.ts";

/** An address with its owner. `kind` is what entity and CIDR peers look at. */
export type Place = {
  readonly address: IpAddress;
  readonly family: IpFamily;
  readonly value: bigint;
  /** Workloads that claim the same address as `workload`, or the same socket. Almost always nobody. */
  readonly rivals: readonly Workload[];
  /** Interfaces of this machine, bridges among them, on which its owner has this address. */
  readonly interfaces: readonly string[];
  /** Of an address of the machine: the sockets of its processes there. */
  readonly sockets: readonly SocketOwners[];
} & (
  | { readonly kind: "workload"; readonly workload: Workload }
  /** Here the workload, where a flow tells of one, is a process: it is at this address, which is not its own. */
  | { readonly kind: "host" | "world"; readonly workload?: Workload | undefined }
);

/** An address that several workloads claim: what any of them would be denied is denied. */
export interface ContestedAddress {
  readonly address: IpAddress;
  readonly workloads: readonly WorkloadId[];
}

export interface InventoryIndex {
  readonly inventory: Inventory;
  /** Whom policies can select: workloads with a network of their own, and processes of the machine. By id. */
  readonly workloads: ReadonlyMap<WorkloadId, Workload>;
  /** Every address that a workload or the host owns: IPv4 before IPv6, then by value. */
  readonly known: readonly Place[];
  readonly contested: readonly ContestedAddress[];
  /**
   * Sockets at the addresses of 127.0.0.0/8 that are not among the known ones; undefined where there are no processes, and
   * nobody meets loopback.
   */
  readonly loopback: readonly SocketOwners[] | undefined;
  /** Who owns the address; never a process. `address` must be canonical text; anything else throws. */
  at(address: IpAddress): Place;
  /** Undefined: there is no such workload, or it has a network of its own. */
  process(id: WorkloadId): Workload | undefined;
  namespaceLabels(name: string): Labels;
}

/** The label that Kubernetes gives every namespace; nobody can set it to something else. */
export const NAMESPACE_NAME_LABEL = "kubernetes.io/metadata.name";

export function indexInventory(inventory: Inventory): InventoryIndex {
  const workloads = confinedWorkloads(inventory);
  const interfaces = interfacesOf(inventory);
  const machine = machineOf(inventory, workloads);
  const places = new Map<IpAddress, Place>();
  for (const [address, claimants] of claimsOf(workloads.values())) {
    places.set(address, ownedPlace(address, claimants, interfaces));
  }
  // A workload's claim comes before the host's: it may only lose the host's exemption by it, never gain it.
  for (const address of machine.addresses) {
    if (!places.has(address)) places.set(address, hostPlace(address, machine.sockets));
  }
  const known = [...places.values()].toSorted(byAddress);
  return assemble(inventory, workloads, places, known, machine);
}

export function isProcess({ kind }: Workload): boolean {
  return kind === "process";
}

/**
 * As `indexInventory`, at the cost of what changed since `before`: workloads that are the same objects are taken to say
 * the same, and a place that says the same is the same object.
 */
export function reindexInventory(inventory: Inventory, before: InventoryIndex): InventoryIndex {
  const workloads = confinedWorkloads(inventory);
  const fresh = [...workloads.values()].filter(
    (workload) => before.workloads.get(workload.id) !== workload,
  );
  const gone = [...before.workloads.values()].filter(({ id }) => !workloads.has(id));
  const changed = [...fresh, ...gone];
  const claims = claimsOf(fresh);
  const interfaces = interfacesOf(inventory);
  const machine = machineOf(inventory, workloads);
  const hosts = new Set(machine.addresses);
  const touched = new Set([
    ...changed.flatMap(({ id, addresses }) => [
      ...addresses,
      ...(before.workloads.get(id)?.addresses ?? []),
    ]),
    ...machineOf(before.inventory, before.workloads).addresses,
    ...hosts,
    ...attachedAddresses(before.inventory),
    ...attachedAddresses(inventory),
  ]);

  const places = new Map<IpAddress, Place>();
  for (const place of before.known) places.set(place.address, place);
  const moved: Place[] = [];
  for (const address of touched) {
    const old = places.get(address);
    const staying = old?.kind === "workload" ? ownersOf(old) : [];
    const claimants = [
      ...staying.filter((owner) => workloads.get(owner.id) === owner),
      ...(claims.get(address) ?? []),
    ].toSorted((a, b) => compare(a.id, b.id));
    const place =
      claimants.length > 0
        ? ownedPlace(address, claimants, interfaces)
        : hosts.has(address) && hostPlace(address, machine.sockets);
    if (place === false) places.delete(address);
    else if (old === undefined || !isSamePlace(old, place)) {
      places.set(address, place);
      moved.push(place);
    }
  }
  const kept = before.known.filter((place) => places.get(place.address) === place);
  const known = mergePlaces(kept, moved.toSorted(byAddress));
  return assemble(inventory, workloads, places, known, machine);
}

/** All but those on the host's network, by id; of several with one id the first. */
function confinedWorkloads(inventory: Inventory): Map<WorkloadId, Workload> {
  const workloads = new Map<WorkloadId, Workload>();
  const confined = inventory.workloads.filter((workload) => !workload.hostNetwork);
  for (const workload of confined.toSorted((a, b) => compare(a.id, b.id))) {
    if (!workloads.has(workload.id)) workloads.set(workload.id, workload);
  }
  return workloads;
}

function claimsOf(workloads: Iterable<Workload>): Map<IpAddress, Workload[]> {
  const claims = new Map<IpAddress, Workload[]>();
  for (const workload of workloads) {
    if (isProcess(workload)) continue;
    for (const address of workload.addresses) {
      if (isLoopback(numeric(address))) continue;
      const claimants = claims.get(address);
      if (claimants === undefined) claims.set(address, [workload]);
      else if (claimants.at(-1) !== workload) claimants.push(workload);
    }
  }
  return claims;
}

/** The machine as its processes see it. */
interface Machine extends Pick<InventoryIndex, "loopback"> {
  /** That somebody may ask about one by one. */
  readonly addresses: readonly IpAddress[];
  readonly sockets: SocketTable;
}

function machineOf(
  { hostAddresses }: Inventory,
  workloads: ReadonlyMap<WorkloadId, Workload>,
): Machine {
  const processes = [...workloads.values()].filter(isProcess);
  const sockets = new SocketTable(processes);
  if (processes.length === 0) return { addresses: hostAddresses, sockets, loopback: undefined };
  const bound = [...sockets.addresses].filter((address) => isLoopback(numeric(address)));
  return {
    addresses: [...hostAddresses, ...LOOPBACK_ADDRESSES, ...bound],
    sockets,
    loopback: sockets.unbound(4),
  };
}

function hostPlace(address: IpAddress, sockets: SocketTable): Place {
  const place = outside(address);
  return { ...place, sockets: sockets.at(address, place.family), kind: "host" };
}

/** `claimants` by id, at least one. */
function ownedPlace(
  address: IpAddress,
  [workload, ...rivals]: readonly Workload[],
  interfaces: ReadonlyMap<string, readonly string[]>,
): Place {
  return {
    ...numeric(address),
    rivals: rivals.length === 0 ? NOBODY : rivals,
    interfaces: interfaces.get(`${workload!.id} ${address}`) ?? NO_INTERFACES,
    sockets: NO_SOCKETS,
    kind: "workload",
    workload: workload!,
  };
}

function assemble(
  inventory: Inventory,
  workloads: ReadonlyMap<WorkloadId, Workload>,
  places: ReadonlyMap<IpAddress, Place>,
  known: readonly Place[],
  { sockets, loopback }: Machine,
): InventoryIndex {
  const namespaces = new Map<string, Labels>();
  for (const { name, labels } of inventory.namespaces) {
    namespaces.set(name, { ...labels, [NAMESPACE_NAME_LABEL]: name });
  }
  return {
    inventory,
    workloads,
    known,
    loopback,
    contested: known
      .filter(({ rivals }) => rivals.length > 0)
      .map((place) => ({
        address: place.address,
        workloads: ownersOf(place).map(({ id }) => id),
      })),
    at(address) {
      const place = places.get(address);
      if (place !== undefined) return place;
      const unknown = outside(address);
      return isLoopback(unknown) ? hostPlace(address, sockets) : { ...unknown, kind: "world" };
    },
    process(id) {
      const workload = workloads.get(id);
      return workload !== undefined && isProcess(workload) ? workload : undefined;
    },
    namespaceLabels: (name) => namespaces.get(name) ?? { [NAMESPACE_NAME_LABEL]: name },
  };
}

function attachedAddresses({ attachments = [] }: Inventory): IpAddress[] {
  return attachments.flatMap(({ addresses }) => addresses);
}

function isSamePlace(a: Place, b: Place): boolean {
  return (
    a.kind === b.kind &&
    a.workload === b.workload &&
    isSameList(a.rivals, b.rivals) &&
    isSameList(a.interfaces, b.interfaces) &&
    sameSockets(a.sockets, b.sockets)
  );
}

function isSameList<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((one, i) => one === b[i]);
}

/** Both sorted, nothing twice. */
function mergePlaces(a: readonly Place[], b: readonly Place[]): Place[] {
  const merged: Place[] = [];
  let at = 0;
  for (const place of b) {
    while (at < a.length && byAddress(a[at]!, place) < 0) merged.push(a[at++]!);
    merged.push(place);
  }
  for (; at < a.length; at++) merged.push(a[at]!);
  return merged;
}

const NOBODY: readonly Workload[] = [];
const NO_INTERFACES: readonly string[] = [];
const NO_SOCKETS: readonly SocketOwners[] = [];

function outside(address: IpAddress) {
  return {
    ...numeric(address),
    rivals: NOBODY,
    interfaces: NO_INTERFACES,
    sockets: NO_SOCKETS,
  };
}

/** By workload and address, with a space between. */
function interfacesOf({ attachments = [] }: Inventory): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const { workload, interface: name, bridge, addresses } of attachments) {
    const names = bridge === undefined ? [name] : [name, bridge];
    for (const address of addresses) {
      const key = `${workload} ${address}`;
      found.set(key, [...(found.get(key) ?? []), ...names]);
    }
  }
  return found;
}

/** Everyone whom the address, or the socket there, may mean. */
export function ownersOf({ workload, rivals }: Place): readonly Workload[] {
  return workload === undefined ? rivals : [workload, ...rivals];
}

function numeric(address: IpAddress): Pick<Place, "address" | "family" | "value"> {
  const parsed = parseIp(address);
  if (parsed === null) throw new TypeError(`not an IP address: \`${address}\``);
  return { address, family: parsed.family, value: parsed.value };
}

/** IPv4 before IPv6, then by value. */
export function byAddress(
  a: Pick<Place, "family" | "value">,
  b: Pick<Place, "family" | "value">,
): number {
  return compare(a.family, b.family) || compare(a.value, b.value);
}
