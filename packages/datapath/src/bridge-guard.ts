/**
 * The moment of attachment: `table bridge bulkhead` tells known ports of bridges from others, so that a link that
 * somebody attaches is held back from enforced workloads from its first frame on, before anybody has seen it. It may
 * speak to everyone else meanwhile, but in nobody's name. A port is known by its number, because a name is given again
 * when a workload is started anew; since numbers begin again after a restart of the machine, a number counts only as long
 * as it belongs to the name that was seen with it (`knownPorts`).
 *
 *   prerouting ── port confined? ── no ── in the name of an enforced workload? drop, before the bridge learns its MAC
 *        ├── input ── port known? ── no ── to an enforced workload's address, after destination NAT? drop
 *        └── forward ─ port known? ── no ── out to an enforced workload's port? drop, but for asking who is there
 *   forward ── an enforced workload sends out to a port where the address is not at home? drop
 *   input, forward ── packet hidden behind tags? drop, for nobody has seen in whose name it is (`hidden-tags.ts`)
 */
import type { BridgePort, ConfinedEndpoint, IpAddress } from "@bulkhead/model";
import { writeMisdirected } from "./delivery-guard.ts";
import { QUESTIONS } from "./lease-guard.ts";
import { HIDDEN, TAGGED_TWICE } from "./hidden-tags.ts";
import {
  CONFINED,
  KNOWN,
  heldBy,
  writeHomes,
  writeAddresses,
  writePortSet,
  writeRefusal,
  writeUnknown,
} from "./known-ports.ts";
import { advertised, writeMacs } from "./others-guard.ts";
import { TableBuilder } from "./ruleset.ts";
import type { Table } from "./ruleset.ts";
import { isGlobal } from "./spoof-guard.ts";

const base = (hook: string): string => `type filter hook ${hook} priority -200; policy accept;`;

/** What a client without a lease asks the machine for is none of its neighbours' business: only `input` needs it. */
const leaseRules = (
  table: TableBuilder,
  enforced: readonly ConfinedEndpoint[],
): readonly string[] => {
  const clients = enforced.filter(({ dhcp }) => dhcp === true);
  if (clients.length === 0) return [];
  table.set(
    { name: "clients", kind: "set", type: "ifname", flags: [] },
    clients.map(({ interface: key }) => ({ key })),
  );
  return QUESTIONS.map((question) => `iifname @clients ${question} goto misdirected`);
};

/** The whole bridge table, or undefined when nothing is enforced. */
export const renderBridge = (
  endpoints: readonly ConfinedEndpoint[],
  ports: readonly BridgePort[],
  hostAddresses: readonly IpAddress[],
  comment: string,
): Table | undefined => {
  const enforced = endpoints.filter(({ mode }) => mode === "enforce");
  if (enforced.length === 0) return undefined;
  const table = new TableBuilder("bridge", comment);
  const held = heldBy(endpoints);
  const machine = new Set(hostAddresses.filter(isGlobal));
  const taken = new Set([...endpoints.flatMap(({ addresses }) => addresses), ...hostAddresses]);
  writePortSet(table, KNOWN, [...endpoints, ...ports]);
  writePortSet(table, CONFINED, endpoints);
  table.set(
    { name: "enforced", kind: "set", type: "ifname", flags: [] },
    enforced.map(({ interface: key }) => ({ key })),
  );
  writeMacs(table, enforced);
  writeAddresses(table, "held", held);
  writeAddresses(table, "taken", taken);
  writeAddresses(table, "machine", machine);
  writeRefusal(table, "spoofed", "spoofed", "spoofed_suppressed", "spoofed");
  writeHomes(table, endpoints);
  writeUnknown(table);
  writeMisdirected(table);
  // A workload that was started anew may well come back with its address before anybody knows: no liar, but held back.
  table.chain("others_name", [`iif != @${KNOWN} goto unknown`, "goto spoofed"]);
  table.chain("names", [
    "ether saddr @macs goto others_name",
    "ip saddr @held4 goto others_name",
    "arp saddr ip @held4 goto others_name",
    "ip6 saddr @held6 goto others_name",
    ...advertised(held).map((match) => `${match} goto others_name`),
    // What a card brings in the machine's name may be its own: an address moves between machines.
    `iif != @${KNOWN} goto machines_name`,
  ]);
  table.chain("machines_name", [
    "ip saddr @machine4 goto unknown",
    "arp saddr ip @machine4 goto unknown",
    "ip6 saddr @machine6 goto unknown",
    ...advertised(machine).map((match) => `${match} goto unknown`),
  ]);
  table.chain("to_address", [
    "ip daddr @held4 goto unknown",
    "ip6 daddr @held6 goto unknown",
    // Whom such a frame is for nobody sees, and whoever is new can do without for a moment.
    `${TAGGED_TWICE} goto unknown`,
  ]);
  table.chain("to_port", [
    // So that it need not wait once it is known; but not as somebody who is there already.
    "arp operation request arp saddr ip != @taken4 accept",
    "icmpv6 type nd-neighbor-solicit ip6 hoplimit 255 ip6 saddr != @taken6 accept",
    "goto unknown",
  ]);
  table.chain("prerouting", [`iif != @${CONFINED} goto names`], base("prerouting"));
  const hidden = `${HIDDEN} goto spoofed`;
  table.chain("input", [`iif != @${KNOWN} goto to_address`, hidden], base("input"));
  table.chain("from_enforced", [
    ...leaseRules(table, enforced),
    // Link-local addresses are not unique beyond their link, and no rule lets data pass to them.
    "ip daddr != 169.254.0.0/16 ip daddr @taken4 goto elsewhere",
    "ip6 daddr != fe80::/10 ip6 daddr @taken6 goto elsewhere",
  ]);
  // A card may lead to a router, and that back to another bridge here.
  table.chain("elsewhere", [
    `oif @${CONFINED} goto misdirected`,
    `oif != @${KNOWN} goto misdirected`,
  ]);
  table.chain(
    "forward",
    [
      `iif != @${KNOWN} oifname @enforced goto to_port`,
      "ip daddr . oif @homes4 accept",
      "ip6 daddr . oif @homes6 accept",
      hidden,
      "iifname @enforced goto from_enforced",
    ],
    base("forward"),
  );
  return table.build();
};
