/** The exemptions as a compiled HostPolicy has them, by addresses alone: what a datapath does at the end of a denial. */
import {
  familyOf,
  TCP,
  UDP,
  type FlowQuery,
  type HostPolicy,
  type IpAddress,
} from "@bulkhead/model";
import {
  ALL_DHCP_SERVERS,
  ALL_ONES,
  DHCP6_CLIENT,
  DHCP6_SERVER,
  DHCP_CLIENT,
  DHCP_SERVER,
} from "./exemption.ts";

type Asks = (query: FlowQuery) => boolean;

export interface CompiledExemptions {
  /** In both directions; the others in the direction that their name says. */
  readonly hairpin: Asks;
  readonly node: Asks;
  readonly ownNode: Asks;
  readonly dns: Asks;
  readonly dhcpRequest: Asks;
  readonly dhcpAnswer: Asks;
}

export function compiledExemptions({
  endpoints,
  hostAddresses,
  contested = [],
  profile,
}: HostPolicy): CompiledExemptions {
  const unsure = new Set(contested);
  const owners = new Map<IpAddress, string>();
  const served = new Set<IpAddress>();
  const nodes = new Map<IpAddress, ReadonlySet<IpAddress>>();
  for (const { workload, addresses, dhcp, node = [] } of endpoints) {
    const own = new Set(node);
    for (const address of addresses) {
      if (unsure.has(address)) continue;
      owners.set(address, workload);
      nodes.set(address, own);
      if (dhcp === true) served.add(address);
    }
  }
  const host = new Set(hostAddresses);
  const resolvers = new Set((profile.dns ?? []).map(({ address, port }) => `${address} ${port}`));
  return {
    hairpin: ({ source, destination }) =>
      profile.hairpinExempt && owners.has(source) && owners.get(source) === owners.get(destination),
    node: ({ source }) => profile.nodeExempt && host.has(source),
    ownNode: ({ source, destination }) =>
      profile.nodeExempt && nodes.get(destination)?.has(source) === true,
    dns: ({ destination, protocol, port }) =>
      (protocol === UDP || protocol === TCP) && resolvers.has(`${destination} ${port}`),
    dhcpRequest: ({ source, destination, protocol, port }) =>
      protocol === UDP &&
      served.has(source) &&
      (familyOf(destination) === 4
        ? port === DHCP_SERVER && (host.has(destination) || destination === ALL_ONES)
        : port === DHCP6_SERVER && destination === ALL_DHCP_SERVERS),
    dhcpAnswer: ({ source, destination, protocol, port }) =>
      protocol === UDP &&
      host.has(source) &&
      served.has(destination) &&
      port === (familyOf(source) === 4 ? DHCP_CLIENT : DHCP6_CLIENT),
  };
}
