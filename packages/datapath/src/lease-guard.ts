/**
 * Leases on interfaces where the machine is declared to serve them, in `table netdev bulkhead`: a client may ask before it
 * has an address, its answers come from the machine, and nobody else on the link plays the server.
 */
import { familyOf } from "@bulkhead/model";
import type { ConfinedEndpoint, IpAddress } from "@bulkhead/model";
import { linkLocalOf } from "./address-bits.ts";
import { ALL_SERVERS, DHCP } from "./exemptions.ts";
import { BOTH } from "./family.ts";
import type { TableBuilder } from "./ruleset.ts";

const MACHINE = { 4: "machine4", 6: "machine6" } as const;

type Ports = (typeof DHCP)[4 | 6];
const asks = ({ client, server }: Ports): string => `udp sport ${client} udp dport ${server}`;
const answers = ({ client, server }: Ports): string => `udp sport ${server} udp dport ${client}`;

/** To be written once, where somebody enforced is served. */
export const writeMachine = (table: TableBuilder, hostAddresses: readonly IpAddress[]): void => {
  for (const { family, type } of BOTH)
    table.set(
      { name: MACHINE[family], kind: "set", type, flags: [] },
      hostAddresses.filter((address) => familyOf(address) === family).map((key) => ({ key })),
    );
};

/** What a client sends; before the rules about its addresses. A probe for a collision comes from 0.0.0.0 (RFC 5227). */
export const clientRules = ({ mac }: ConfinedEndpoint): readonly string[] => [
  `${answers(DHCP[4])} goto spoofed`,
  `${answers(DHCP[6])} goto spoofed`,
  `ip saddr 0.0.0.0 ip daddr ${ALL_SERVERS[4]} ${asks(DHCP[4])} accept`,
  `arp saddr ether ${mac} arp saddr ip 0.0.0.0 accept`,
  `ip6 saddr ${linkLocalOf(mac)} ip6 daddr ${ALL_SERVERS[6]} ${asks(DHCP[6])} accept`,
];

export const QUESTIONS: readonly string[] = [asks(DHCP[4]), asks(DHCP[6])];

/** Whoever is not enforced does not speak as the machine either. */
export const NOT_AS_SERVER: readonly string[] = BOTH.map(
  ({ packetSource, family }) =>
    `${packetSource} @${MACHINE[family]} udp dport ${DHCP[family].client} goto spoofed`,
);

/** What reaches a client: first what nobody but the machine may send. An offer goes to an address that it has not yet. */
export const NOT_FROM_OTHERS: readonly string[] = BOTH.map(
  ({ packetSource, family }) =>
    `${packetSource} != @${MACHINE[family]} udp dport ${DHCP[family].client} goto misdirected`,
);
export const FROM_MACHINE: readonly string[] = BOTH.map(
  ({ packetSource, family }) =>
    `${packetSource} @${MACHINE[family]} ${answers(DHCP[family])} accept`,
);
