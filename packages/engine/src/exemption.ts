/**
 * What takes a flow out of policy, in one direction of it. The datapath has the same exemptions in its fixed chains, and
 * `EXEMPTIONS` there is the list that people are shown.
 */
import {
  TCP,
  UDP,
  type Direction,
  type Exemption,
  type FlowQuery,
  type Profile,
  type Workload,
} from "@bulkhead/model";
import { isProcess, type Place } from "./inventory-index.ts";

type AtPort = Pick<FlowQuery, "protocol" | "port">;

/** RFC 2131 §4.1, RFC 8415 §7.2. */
export const DHCP_SERVER = 67;
export const DHCP_CLIENT = 68;
export const DHCP6_SERVER = 547;
export const DHCP6_CLIENT = 546;
export const ALL_ONES = "255.255.255.255";
export const ALL_DHCP_SERVERS = "ff02::1:2";

/** `here` is the end whose policy would be asked, `peer` the other one. `isSubject`: does any policy ask about this process? */
export function exemptionOf(
  profile: Profile,
  here: Place & { readonly workload: Workload },
  peer: Place,
  query: AtPort,
  direction: Direction,
  isSubject: (process: Workload) => boolean,
): Exemption | null {
  const sure = here.rivals.length + peer.rivals.length === 0;
  if (profile.hairpinExempt && sure && peer.workload === here.workload) return "hairpin";
  // The node is who has no policy there; and the way from one of its processes to another is nobody's privilege.
  const fromNode = direction === "ingress" && peer.kind === "host" && !isProcess(here.workload);
  if (profile.nodeExempt && fromNode && !(peer.workload && isSubject(peer.workload))) return "node";
  const fromOwn = direction === "ingress" && isOwnNode(here.workload, peer.workload);
  if (profile.nodeExempt && sure && fromOwn) return "node";
  if (direction === "egress" && toResolver(profile, peer, query)) return "dns";
  const served = profile.dhcp?.some((name) => here.interfaces.includes(name)) === true;
  if (served && sure && aboutLease(peer, query, direction)) return "dhcp";
  return null;
}

/** Does it run there? An inventory that has nodes tells (decision 0104); elsewhere the machine is everybody's node. */
export function isOwnNode(workload: Workload, node: Workload | undefined): boolean {
  return node?.kind === "node" && workload.node === node.id;
}

function toResolver({ dns = [] }: Profile, peer: Place, { protocol, port }: AtPort): boolean {
  if (peer.kind !== "host" || (protocol !== UDP && protocol !== TCP)) return false;
  return dns.some((one) => one.address === peer.address && one.port === port);
}

/** Between a client and the machine as its server. The client's first words come from 0.0.0.0, which is no workload's. */
function aboutLease(peer: Place, { protocol, port }: AtPort, direction: Direction): boolean {
  if (protocol !== UDP) return false;
  const v4 = peer.family === 4;
  if (direction === "ingress") {
    return peer.kind === "host" && port === (v4 ? DHCP_CLIENT : DHCP6_CLIENT);
  }
  return v4
    ? port === DHCP_SERVER && (peer.kind === "host" || peer.address === ALL_ONES)
    : port === DHCP6_SERVER && peer.address === ALL_DHCP_SERVERS;
}
