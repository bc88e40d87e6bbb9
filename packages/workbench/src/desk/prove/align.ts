/**
 * Two folders over the same ends, so that what they permit can be compared: who is in one of them only is judged by the
 * other's policies as well, and whoever has stand-ins has the same ones on both sides.
 */
import { indexInventory, isProcess, type Side } from "@bulkhead/engine";
import {
  cidrRange,
  hostCidr,
  type Inventory,
  type IpAddress,
  type Workload,
  type WorkloadId,
} from "@bulkhead/model";
import type { Desk } from "../desk.ts";
import { namedRanges, standIns } from "../stand-in-addresses.ts";

export interface Aligned {
  readonly one: Side;
  readonly other: Side;
  readonly isStandIn: (address: IpAddress) => boolean;
  /** Who is in one folder and not in the other. */
  readonly onlyInOne: readonly WorkloadId[];
  readonly onlyInOther: readonly WorkloadId[];
}

export function alignDesks(one: Desk, other: Desk): Aligned {
  const ids = [...new Set([one, other].flatMap(({ index }) => [...index.workloads.keys()]))];
  const real = addressesOf(ids, [one, other]);
  const everybody = ids.map((id) => one.index.workloads.get(id) ?? other.index.workloads.get(id)!);
  const lacking = everybody.filter((each) => !isProcess(each) && real.get(each.id)!.length === 0);
  const hosts = [one, other].map(({ index }) => index.inventory.hostAddresses);
  const told = hosts
    .flat()
    .filter((address) => !one.isStandIn(address) && !other.isStandIn(address));
  const hostLacks = told.length === 0 && hosts.flat().length > 0;

  const known = [...[...real.values()].flat(), ...told].map((address) =>
    cidrRange(hostCidr(address)),
  );
  const named = [...namedRanges([one.set, other.set]), ...known];
  const count = lacking.length + (hostLacks ? 1 : 0);
  const [four, six] = [standIns(4, count, named), standIns(6, count, named)];
  const pair = (at: number): readonly IpAddress[] => [four[at]!, six[at]!];
  const given = new Map(lacking.map(({ id }, at) => [id, pair(at)]));
  const hostAddresses = hostLacks ? pair(lacking.length) : [...new Set(told)];

  const side = (own: Desk, others: Desk): Side => {
    const names = new Set(own.index.inventory.namespaces.map(({ name }) => name));
    const inventory: Inventory = {
      workloads: ids.map((id): Workload => {
        const each = own.index.workloads.get(id) ?? others.index.workloads.get(id)!;
        return { ...each, addresses: isProcess(each) ? [] : (given.get(id) ?? real.get(id)!) };
      }),
      namespaces: [
        ...own.index.inventory.namespaces,
        ...others.index.inventory.namespaces.filter(({ name }) => !names.has(name)),
      ],
      hostAddresses,
    };
    return { set: own.set, index: indexInventory(inventory) };
  };
  const made = new Set([...four, ...six]);
  const onlyIn = ({ index }: Desk, without: Desk) =>
    [...index.workloads.keys()].filter((id) => !without.index.workloads.has(id));
  return {
    one: side(one, other),
    other: side(other, one),
    isStandIn: (address) => made.has(address),
    onlyInOne: onlyIn(one, other),
    onlyInOther: onlyIn(other, one),
  };
}

/** What the files tell, the first folder's before the second's; an address that two of them claim is neither's. */
function addressesOf(
  ids: readonly WorkloadId[],
  desks: readonly Desk[],
): ReadonlyMap<WorkloadId, readonly IpAddress[]> {
  const told = new Map(
    ids.map((id) => {
      const each = desks.map(({ index, isStandIn }) =>
        (index.workloads.get(id)?.addresses ?? []).filter((address) => !isStandIn(address)),
      );
      return [id, each.find((addresses) => addresses.length > 0) ?? []] as const;
    }),
  );
  const claims = Map.groupBy([...told.values()].flat(), (address) => address);
  return new Map(
    [...told].map(([id, addresses]) => [
      id,
      addresses.filter((address) => claims.get(address)!.length === 1),
    ]),
  );
}
