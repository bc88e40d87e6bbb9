/**
 * The inventory, arranged for questions: who owns an address, which labels does a namespace have. An address is a
 * workload's, the host's, or the world's, never two of them; workloads on the host's network own no address.
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

/** An address with its owner. `kind` is what entity and CIDR peers look at. */
export type Place = {
  readonly address: IpAddress;
  readonly family: IpFamily;
  readonly value: bigint;
  /** Workloads that claim the same address as `workload`. Almost always nobody. */
  readonly rivals: readonly Workload[];
} & (
  | { readonly kind: "workload"; readonly workload: Workload }
  | { readonly kind: "host" | "world"; readonly workload?: undefined }
);

/** An address that several workloads claim: what any of them would be denied is denied. */
export interface ContestedAddress {
  readonly address: IpAddress;
  readonly workloads: readonly WorkloadId[];
}

export interface InventoryIndex {
  readonly inventory: Inventory;
  /** Workloads that have a network of their own, by id. */
  readonly workloads: ReadonlyMap<WorkloadId, Workload>;
  /** Every address that a workload or the host owns: IPv4 before IPv6, then by value. */
  readonly known: readonly Place[];
  readonly contested: readonly ContestedAddress[];
  /** `address` must be canonical text; anything else throws. */
  at(address: IpAddress): Place;
  namespaceLabels(name: string): Labels;
}

/** The label that Kubernetes gives every namespace; nobody can set it to something else. */
export const NAMESPACE_NAME_LABEL = "kubernetes.io/metadata.name";

export function indexInventory(inventory: Inventory): InventoryIndex {
  const workloads = new Map<WorkloadId, Workload>();
  const claims = new Map<IpAddress, Workload[]>();
  const confined = inventory.workloads.filter((workload) => !workload.hostNetwork);
  for (const workload of confined.toSorted((a, b) => compare(a.id, b.id))) {
    if (workloads.has(workload.id)) continue;
    workloads.set(workload.id, workload);
    for (const address of new Set(workload.addresses)) {
      const others = claims.get(address);
      if (others) others.push(workload);
      else claims.set(address, [workload]);
    }
  }

  const places = new Map<IpAddress, Place>();
  const contested: ContestedAddress[] = [];
  for (const [address, owners] of claims) {
    const [workload, ...rivals] = owners;
    places.set(address, { ...numeric(address), rivals, kind: "workload", workload: workload! });
    if (owners.length > 1) contested.push({ address, workloads: owners.map(({ id }) => id) });
  }
  // A workload's claim comes before the host's: it may only lose the host's exemption by it, never gain it.
  for (const address of inventory.hostAddresses) {
    if (!places.has(address))
      places.set(address, { ...numeric(address), rivals: NOBODY, kind: "host" });
  }

  const namespaces = new Map<string, Labels>();
  for (const { name, labels } of inventory.namespaces) {
    namespaces.set(name, { ...labels, [NAMESPACE_NAME_LABEL]: name });
  }

  return {
    inventory,
    workloads,
    known: [...places.values()].toSorted(byAddress),
    contested,
    at: (address) => places.get(address) ?? { ...numeric(address), rivals: NOBODY, kind: "world" },
    namespaceLabels: (name) => namespaces.get(name) ?? { [NAMESPACE_NAME_LABEL]: name },
  };
}

const NOBODY: readonly Workload[] = [];

/** Everyone whom the address may mean. */
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
