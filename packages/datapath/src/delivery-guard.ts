/**
 * What reaches an enforced endpoint. Rules judge packets by the addresses they go to; a workload also receives what goes
 * to broadcast or multicast, to an address that it has on another interface, and frames that the IP hooks never see
 * because they carry the tag of VLAN 0. Where ingress is judged, nothing of that is delivered, except what neighbours
 * need to find each other, and broadcast and multicast that a rule lets in.
 */
import { familyOf } from "@bulkhead/model";
import type { ConfinedEndpoint } from "@bulkhead/model";
import { linkLocalOf } from "./address-bits.ts";
import { TAGGED_TWICE } from "./hidden-tags.ts";
import { FROM_MACHINE, NOT_FROM_OTHERS } from "./lease-guard.ts";
import type { TableBuilder } from "./ruleset.ts";

export const MISDIRECTED_COUNTER = "misdirected";

const NEIGHBOURS =
  "icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } ip6 hoplimit 255 accept";

/** nft prints a set of one as the element itself. */
export const oneOf = (values: readonly string[]): string =>
  values.length === 1 ? `${values[0]}` : `{ ${values.join(", ")} }`;

/** To be written once, before the endpoints. */
export const writeMisdirected = (table: TableBuilder): void => {
  const counter = table.counter(MISDIRECTED_COUNTER);
  table.chain("misdirected", [`counter name "${counter}" drop`]);
};

export const writeDelivery = (
  table: TableBuilder,
  { interface: device, mac, addresses, dhcp }: ConfinedEndpoint,
  suffix: string,
  /** Rules that let in what goes to broadcast and multicast. */
  groups: readonly string[],
): void => {
  const v4 = addresses.filter((address) => familyOf(address) === 4);
  const v6 = addresses.filter((address) => familyOf(address) === 6);
  const linkLocal = linkLocalOf(mac);
  table.chain(
    `deliver_${suffix}`,
    [
      "ether type != { ip, arp, ip6 } goto misdirected",
      ...(dhcp === true ? [...NOT_FROM_OTHERS, ...FROM_MACHINE] : []),
      ...(v4.length === 0 ? [] : [`ip daddr ${oneOf(v4)} accept`]),
      ...(v6.length === 0 ? [] : [`ip6 daddr ${oneOf(v6)} accept`]),
      ...(v6.includes(linkLocal) ? [] : [`ip6 daddr ${linkLocal} ${NEIGHBOURS}`]),
      ...groups,
      `ip6 daddr ff00::/8 ${NEIGHBOURS}`,
      "ip6 daddr ff00::/8 icmpv6 type mld-listener-query ip6 hoplimit 1 accept",
      "ether type != arp goto misdirected",
    ],
    hookOf(device),
  );
};

/** Where ingress is not judged, a client still takes leases from the machine alone. */
export const writeLeaseDelivery = (
  table: TableBuilder,
  { interface: device }: ConfinedEndpoint,
  suffix: string,
): void => {
  table.chain(
    `deliver_${suffix}`,
    [`${TAGGED_TWICE} goto misdirected`, ...NOT_FROM_OTHERS],
    hookOf(device),
  );
};

const hookOf = (device: string): string =>
  `type filter hook egress device "${device}" priority -150; policy accept;`;
