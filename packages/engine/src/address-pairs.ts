/** Between which addresses two ends may speak: within one machine over loopback, or from an address of it to the same one. */
import { familyOf, type IpAddress } from "@bulkhead/model";
import type { InventoryIndex } from "./inventory-index.ts";
import { LOOPBACK_ADDRESSES } from "./socket-owners.ts";

export interface AddressedEnd {
  /** Of a process: its machine's. */
  readonly addresses: readonly IpAddress[];
  readonly isProcess: boolean;
}

export function addressPairs(
  index: InventoryIndex,
  from: AddressedEnd,
  to: AddressedEnd,
): (readonly [IpAddress, IpAddress])[] {
  const isHere = ({ addresses, isProcess }: AddressedEnd) =>
    isProcess || addresses.every((address) => index.at(address).kind === "host");
  if ((from.isProcess || to.isProcess) && isHere(from) && isHere(to)) {
    const common = from.addresses.filter((address) => to.addresses.includes(address));
    return [...LOOPBACK_ADDRESSES, ...common].map((address) => [address, address]);
  }
  return from.addresses.flatMap((source) =>
    to.addresses.flatMap((destination) =>
      familyOf(source) === familyOf(destination) ? [[source, destination] as const] : [],
    ),
  );
}
