/**
 * Anti-spoofing: `table netdev bulkhead` holds one ingress chain for the host side of each enforced endpoint. A frame
 * passes only with the endpoint's own MAC and addresses, in IP, ARP and neighbour discovery alike. Everything else,
 * such as VLAN-tagged or PPPoE frames that would pass the IP hooks unseen, is dropped and logged as spoofed.
 */
import { familyOf, sortIps } from "@bulkhead/model";
import type { ConfinedEndpoint, IpAddress } from "@bulkhead/model";
import { addressHex, linkLocalOf } from "./address-bits.ts";
import { oneOf, writeDelivery, writeLeaseDelivery, writeMisdirected } from "./delivery-guard.ts";
import { logRule } from "./frame.ts";
import { NOT_AS_SERVER, clientRules, writeMachine } from "./lease-guard.ts";
import { NO_COOKIE, formatLogPrefix } from "./log-prefix.ts";
import { OTHERS, writeOthers } from "./others-guard.ts";
import { TableBuilder } from "./ruleset.ts";
import type { Table } from "./ruleset.ts";

export const SPOOF_COUNTER = "spoofed";

/** A spoofer gets one log message a second and interface; all its frames are counted. */
const writeSpoofed = (table: TableBuilder): void => {
  const counter = table.counter(SPOOF_COUNTER);
  const suppressed = table.counter("spoofed_suppressed");
  table.set({
    name: "seen",
    kind: "set",
    type: "ifname",
    flags: ["dynamic", "timeout"],
    size: 4096,
    timeout: "1s",
  });
  const log = logRule(formatLogPrefix({ verdict: "spoofed", cookie: NO_COOKIE, reply: false }));
  table.chain("spoofed", [
    `counter name "${counter}"`,
    `iifname @seen counter name "${suppressed}" drop`,
    `add @seen { iifname } ${log} drop`,
    `counter name "${suppressed}" drop`,
  ]);
};

const MLD =
  "ip6 daddr ff00::/8 icmpv6 type { mld-listener-report, mld-listener-done, mld2-listener-report }";
/** The target address of a solicitation or advertisement: 16 bytes at offset 8 of the ICMPv6 header (RFC 4861 §4.3). */
const target = (address: IpAddress): string => `@th,64,128 ${addressHex(address)}`;

/**
 * Errors quote the packet that they are about, and an end quotes what was sent to it: its own address is then at byte 16
 * or 24 of the quoted header, 8 bytes into the error. Errors about connections of others are none of its business.
 */
const ERRORS = {
  4: "icmp type { destination-unreachable, source-quench, redirect, time-exceeded, parameter-problem }",
  6: "icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem }",
} as const;

const quotes = (address: IpAddress): string =>
  familyOf(address) === 4
    ? `@th,192,32 ${addressHex(address)}`
    : `@th,256,128 ${addressHex(address)}`;

const errorRules = (v4: readonly IpAddress[], v6: readonly IpAddress[]): readonly string[] => [
  ...v4.map((address) => `ip saddr ${oneOf(v4)} ${quotes(address)} accept`),
  ...v6.map((address) => `ip6 saddr ${oneOf(v6)} ${quotes(address)} accept`),
  "goto spoofed",
];

interface Guard {
  /** What errors may be about. */
  readonly errors: readonly string[];
  /** Rules of the base chain: what is certain by kind of frame. */
  readonly kinds: readonly string[];
  /** IPv6 by source address, after neighbour discovery has been looked at. */
  readonly sources: readonly string[];
}

const guardOf = (endpoint: ConfinedEndpoint, own: string, about: string): Guard => {
  const { mac } = endpoint;
  const addresses = sortIps(endpoint.addresses);
  const v4 = addresses.filter((address) => familyOf(address) === 4);
  const v6 = addresses.filter((address) => familyOf(address) === 6);
  // Neighbour discovery needs the link-local address that belongs to this MAC even where nobody listed it.
  const linkLocal = linkLocalOf(mac);
  const listed = v6.includes(linkLocal);
  const neighbours = listed ? v6 : [...v6, linkLocal];
  const kinds = [
    // The type on the wire: the kernel has taken a VLAN tag off by now, and the IP matches below would not see it.
    "ether type != { ip, arp, ip6 } goto spoofed",
    `ether saddr != ${mac} goto spoofed`,
  ];
  const errors = errorRules(v4, v6);
  if (endpoint.dhcp === true) kinds.push(...clientRules(endpoint));
  if (v4.length > 0) {
    kinds.push(`${ERRORS[4]} goto ${about}`);
    kinds.push(`ip saddr ${oneOf(v4)} accept`);
    // An ARP probe (RFC 5227) has no sender address yet.
    kinds.push(`arp saddr ether ${mac} arp saddr ip ${oneOf(["0.0.0.0", ...v4])} accept`);
  }
  if (v6.length === 0)
    return { errors, kinds: [...kinds, "goto spoofed"], sources: ["goto spoofed"] };
  kinds.push("icmpv6 type { nd-router-advert, nd-redirect } goto spoofed");
  for (const address of neighbours) {
    // Duplicate address detection asks from `::` for the address it is about to take.
    kinds.push(`ip6 saddr :: icmpv6 type nd-neighbor-solicit ${target(address)} accept`);
    kinds.push(`icmpv6 type nd-neighbor-advert ${target(address)} goto ${own}`);
  }
  kinds.push(`ip6 saddr :: ${MLD} ip6 hoplimit 1 accept`);
  kinds.push("icmpv6 type nd-neighbor-advert goto spoofed", `goto ${own}`);
  const sources = [`${ERRORS[6]} goto ${about}`, `ip6 saddr ${oneOf(v6)} accept`];
  if (!listed) {
    sources.push(
      `ip6 saddr ${linkLocal} icmpv6 type { nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert } ip6 hoplimit 255 accept`,
      `ip6 saddr ${linkLocal} ${MLD} ip6 hoplimit 1 accept`,
    );
  }
  return { errors, kinds, sources: [...sources, "goto spoofed"] };
};

/** Interface names hold characters that nft does not take in names of chains. */
const chainSuffix = (name: string): string =>
  [...name]
    .map((c) => (/[A-Za-z0-9-]/.test(c) ? c : `_${c.codePointAt(0)?.toString(16)}`))
    .join("");

export const isGlobal = (address: IpAddress): boolean =>
  !address.startsWith("fe80:") && !address.startsWith("169.254.");

/** The whole netdev table, or undefined when nothing is enforced. `judged`: addresses whose ingress is judged. */
export const renderGuard = (
  endpoints: readonly ConfinedEndpoint[],
  judged: ReadonlySet<IpAddress>,
  hostAddresses: readonly IpAddress[],
  groups: (endpoint: ConfinedEndpoint) => readonly string[],
  comment: string,
): Table | undefined => {
  const enforced = endpoints.filter(({ mode }) => mode === "enforce");
  if (enforced.length === 0) return undefined;
  const table = new TableBuilder("netdev", comment);
  writeSpoofed(table);
  writeMisdirected(table);
  const serving = enforced.some(({ dhcp }) => dhcp === true);
  if (serving) writeMachine(table, hostAddresses);
  writeOthers(table, enforced, hostAddresses, serving ? NOT_AS_SERVER : []);
  for (const endpoint of endpoints) {
    const suffix = chainSuffix(endpoint.interface);
    const hook = `type filter hook ingress device "${endpoint.interface}" priority -150; policy accept;`;
    if (endpoint.mode !== "enforce") {
      table.chain(`guard_${suffix}`, [`goto ${OTHERS}`], hook);
      continue;
    }
    const own = `own_${suffix}`;
    const about = `errors_${suffix}`;
    const { errors, kinds, sources } = guardOf(endpoint, own, about);
    table.chain(about, errors);
    table.chain(own, sources);
    table.chain(`guard_${suffix}`, kinds, hook);
    if (endpoint.addresses.some((address) => judged.has(address)))
      writeDelivery(table, endpoint, suffix, groups(endpoint));
    else if (endpoint.dhcp === true) writeLeaseDelivery(table, endpoint, suffix);
  }
  return table.build();
};
