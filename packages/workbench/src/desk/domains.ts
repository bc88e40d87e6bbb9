/**
 * What workloads reach by name: for every domain that a rule names, what is permitted to an address that it stands for and
 * to no other of the world. Such an address is made up, in no prefix of any rule, and the rules are asked about it.
 */
import {
  cidrRange,
  emptyPorts,
  equalPorts,
  formatPorts,
  hostCidr,
  isEmptyPorts,
  parseIp,
  type IpAddress,
  type Peer,
  type PolicySet,
  type PortSet,
} from "@bulkhead/model";
import { matchesExpression, type InventoryIndex } from "@bulkhead/engine";
import type { PartyConnection } from "./connectivity.ts";
import { domainName } from "./end-names.ts";
import { expand } from "./expansion.ts";
import { namedRanges, standIns } from "./stand-in-addresses.ts";
import type { WorldPiece } from "./world-pieces.ts";

type DomainPeer = Extract<Peer, { kind: "domain" }>;

/** `among`: all connections under a set, found anew. `base`: those under the set itself, which knows no names. */
export function namedConnections(
  set: PolicySet,
  { known }: InventoryIndex,
  base: readonly PartyConnection[],
  among: (set: PolicySet) => readonly PartyConnection[],
): readonly PartyConnection[] {
  const domains = domainsOf(set);
  if (domains.size === 0) return [];
  const owned = known.map(({ address }) => cidrRange(hostCidr(address)));
  const addresses = standIns(4, domains.size, [...namedRanges([set]), ...owned]);
  const addressOf = new Map([...domains.keys()].map((pattern, at) => [pattern, addresses[at]!]));
  const named = expand({ connections: among(withAddresses(set, domains, addressOf)) });
  const unnamed = expand({ connections: base });
  const found = new Map<
    string,
    { readonly names: string[]; readonly to: string; ports: PortSet }
  >();
  for (const [pattern, address] of addressOf) {
    for (const name of named.names) {
      const ports = portsAt(named.worldOf(name, "to"), address);
      const anyway = portsAt(unnamed.worldOf(name, "to"), address);
      if (isEmptyPorts(ports) || equalPorts(ports, anyway)) continue;
      const key = `${pattern} ${formatPorts(ports)}`;
      const alike = found.get(key);
      if (alike === undefined) found.set(key, { names: [name], to: domainName(pattern), ports });
      else alike.names.push(name);
    }
  }
  return [...found.values()].map(({ names, to, ports }) => ({
    from: { kind: "workloads", names },
    to: { kind: "workloads", names: [to] },
    ports,
  }));
}

function domainsOf({ stages }: PolicySet): ReadonlyMap<string, DomainPeer> {
  const peers = stages.flatMap(({ blocks }) =>
    blocks.flatMap(({ rules }) => rules.flatMap((rule): readonly Peer[] => rule.peers)),
  );
  return new Map(
    peers.flatMap((peer) => (peer.kind === "domain" ? [[peer.pattern, peer] as const] : [])),
  );
}

/** A pattern without wildcards is a name itself, which wider patterns hold, too. */
function withAddresses(
  set: PolicySet,
  domains: ReadonlyMap<string, DomainPeer>,
  addressOf: ReadonlyMap<string, IpAddress>,
): PolicySet {
  const cidrs = ({ pattern, regex }: DomainPeer): readonly Peer[] => {
    const held = [...domains.keys()].filter(
      (other) => other === pattern || (!other.includes("*") && matchesExpression(regex, other)),
    );
    return held.map((other) => ({
      kind: "cidr",
      cidr: hostCidr(addressOf.get(other)!),
      except: [],
      matchesWorkloads: false,
    }));
  };
  const stages = set.stages.map((stage) => ({
    ...stage,
    blocks: stage.blocks.map((block) => ({
      ...block,
      rules: block.rules.map((rule) => ({
        ...rule,
        peers: rule.peers.flatMap((peer) => (peer.kind === "domain" ? cidrs(peer) : [peer])),
      })),
    })),
  }));
  return { ...set, stages };
}

function portsAt(pieces: readonly WorldPiece[], address: IpAddress): PortSet {
  const { family, value } = parseIp(address)!;
  const here = pieces.find(
    ({ range }) => range.family === family && range.first <= value && value <= range.last,
  );
  return here?.ports ?? emptyPorts;
}
