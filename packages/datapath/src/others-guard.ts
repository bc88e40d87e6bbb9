/**
 * Those who are not enforced, in `table netdev bulkhead`: what they do is not cut, but they do nothing in the name of
 * somebody who is, or of the machine. A name is an address in IP, ARP or neighbour discovery, and also a MAC: a bridge sends what is
 * for a MAC to where it saw it last, so one frame draws everything to whoever sent it.
 */
import { familyOf } from "@bulkhead/model";
import type { ConfinedEndpoint, IpAddress } from "@bulkhead/model";
import { addressHex } from "./address-bits.ts";
import { oneOf } from "./delivery-guard.ts";
import { BOTH } from "./family.ts";
import { HIDDEN } from "./hidden-tags.ts";
import { isGlobal } from "./spoof-guard.ts";
import type { TableBuilder } from "./ruleset.ts";

/** Where guards of those who are not enforced lead. */
export const OTHERS = "others";

const writeHeld = (table: TableBuilder, held: ReadonlySet<IpAddress>): void => {
  for (const { family, type } of BOTH) {
    const keys = [...held].filter((address) => familyOf(address) === family);
    table.set(
      { name: `held${family}`, kind: "set", type, flags: [] },
      keys.map((key) => ({ key })),
    );
  }
};

/** To be written once. `more`: further rules for them. */
export const writeOthers = (
  table: TableBuilder,
  enforced: readonly ConfinedEndpoint[],
  hostAddresses: readonly IpAddress[],
  more: readonly string[],
): void => {
  // Link-local addresses are not unique beyond their link.
  const held = new Set(
    [...enforced.flatMap(({ addresses }) => addresses), ...hostAddresses].filter(isGlobal),
  );
  writeHeld(table, held);
  writeMacs(table, enforced);
  table.chain(OTHERS, [
    `${HIDDEN} goto spoofed`,
    "ether saddr @macs goto spoofed",
    "ip saddr @held4 goto spoofed",
    "arp saddr ip @held4 goto spoofed",
    "ip6 saddr @held6 goto spoofed",
    ...advertised(held).map((match) => `${match} goto spoofed`),
    ...more,
  ]);
};

/** An advertisement for one of them: its target is 16 bytes at offset 8 of the ICMPv6 header (RFC 4861 §4.4). */
export const advertised = (addresses: Iterable<IpAddress>): readonly string[] => {
  const targets = [...addresses].filter((address) => familyOf(address) === 6).map(addressHex);
  return targets.length === 0
    ? []
    : [`icmpv6 type nd-neighbor-advert @th,64,128 ${oneOf(targets)}`];
};

/** MACs of enforced endpoints; also for `table bridge`. */
export const writeMacs = (table: TableBuilder, enforced: readonly ConfinedEndpoint[]): void => {
  table.set(
    { name: "macs", kind: "set", type: "ether_addr", flags: [] },
    [...new Set(enforced.map(({ mac }) => mac))].map((key) => ({ key })),
  );
};
