/**
 * Those who are not enforced, in `table netdev bulkhead`: what they do is not cut, but they do nothing in the name of
 * somebody who is. A name is an address in IP, ARP or neighbour discovery, and also a MAC: a bridge sends what is
 * for a MAC to where it saw it last, so one frame draws everything to whoever sent it.
 */
import { familyOf } from "@bulkhead/model";
import type { ConfinedEndpoint, IpAddress } from "@bulkhead/model";
import { BOTH } from "./family.ts";
import { HIDDEN } from "./hidden-tags.ts";
import { isGlobal } from "./spoof-guard.ts";
import type { TableBuilder } from "./ruleset.ts";

/** Where guards of those who are not enforced lead. */
export const OTHERS = "others";

/** Global addresses of enforced endpoints, which nobody else may use; link-local ones are not unique beyond their link. */
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
  more: readonly string[],
): void => {
  writeHeld(table, new Set(enforced.flatMap(({ addresses }) => addresses).filter(isGlobal)));
  writeMacs(table, enforced);
  table.chain(OTHERS, [
    `${HIDDEN} goto spoofed`,
    "ether saddr @macs goto spoofed",
    "ip saddr @held4 goto spoofed",
    "arp saddr ip @held4 goto spoofed",
    "ip6 saddr @held6 goto spoofed",
    ...more,
  ]);
};

/** MACs of enforced endpoints; also for `table bridge`. */
export const writeMacs = (table: TableBuilder, enforced: readonly ConfinedEndpoint[]): void => {
  table.set(
    { name: "macs", kind: "set", type: "ether_addr", flags: [] },
    [...new Set(enforced.map(({ mac }) => mac))].map((key) => ({ key })),
  );
};
