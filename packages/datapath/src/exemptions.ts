/**
 * Exemptions that are asked for at the end of a denial only, so that they cost nothing to what is allowed: a workload's
 * way to itself, the machine's own resolver, and leases where the machine serves them. As everything else they go by
 * conntrack's tuples, so that replies and errors share the answer. `compiledExemptions` in the engine says the same.
 */
import { familyOf, UDP, TCP } from "@bulkhead/model";
import type { HostPolicy, IpAddress, IpFamily } from "@bulkhead/model";
import { BOTH, V4, V6 } from "./family.ts";
import { HOST, SELF } from "./frame.ts";
import { portLookups } from "./port-lookups.ts";
import type { Table, TableBuilder } from "./ruleset.ts";

const RESOLVER = { 4: "resolver4", 6: "resolver6" } as const;
const SERVED = { 4: "served4", 6: "served6" } as const;
const CONTESTED = { 4: "contested4", 6: "contested6" } as const;

export const DHCP = { 4: { server: 67, client: 68 }, 6: { server: 547, client: 546 } } as const;
/** Where a client that knows no server sends: RFC 2131 §4.1, RFC 8415 §7.1. */
export const ALL_SERVERS = { 4: "255.255.255.255", 6: "ff02::1:2" } as const;

const isServed = ({ endpoints }: HostPolicy): boolean =>
  endpoints.some(({ dhcp }) => dhcp === true);

const hasResolvers = ({ profile }: HostPolicy): boolean => (profile.dns ?? []).length > 0;

/** Rules to stand before a denial. Resolvers are asked about where a workload sends. */
export const exemptJumps = (
  policy: HostPolicy,
  direction: "egress" | "ingress",
): readonly string[] => [
  ...(policy.profile.hairpinExempt ? ["jump hairpin"] : []),
  ...(direction === "egress" && hasResolvers(policy) ? ["jump resolver"] : []),
  ...(isServed(policy) ? [`jump lease_${direction}`] : []),
];

const inFamily = (family: IpFamily, addresses: Iterable<IpAddress>): IpAddress[] =>
  [...new Set(addresses)].filter((address) => familyOf(address) === family);

/** By workload: its addresses that nobody else claims. */
const ownAddresses = ({ endpoints, contested = [] }: HostPolicy): Map<string, Set<IpAddress>> => {
  const unsure = new Set(contested);
  const owned = new Map<string, Set<IpAddress>>();
  for (const { workload, addresses } of endpoints) {
    const known = owned.get(workload) ?? new Set();
    owned.set(workload, known);
    for (const address of addresses) if (!unsure.has(address)) known.add(address);
  }
  return owned;
};

/** Every pair of addresses of one workload. */
const writeSelf = (table: TableBuilder, policy: HostPolicy): void => {
  const owned = ownAddresses(policy);
  for (const { family, type } of BOTH) {
    const pairs = new Set<string>();
    for (const addresses of owned.values()) {
      const own = inFamily(family, addresses);
      for (const a of own) for (const b of own) pairs.add(`${a} . ${b}`);
    }
    table.set(
      { name: SELF[family], kind: "set", type: `${type} . ${type}`, flags: [] },
      [...pairs].map((key) => ({ key })),
    );
  }
  table.chain(
    "hairpin",
    BOTH.map(
      ({ source, destination, family }) =>
        `${source} . ${destination} @${SELF[family]} goto exempt`,
    ),
  );
};

const writeResolvers = (table: TableBuilder, { profile }: HostPolicy): void => {
  for (const { family, type } of BOTH)
    table.set(
      { name: RESOLVER[family], kind: "set", type: `${type} . inet_service`, flags: [] },
      (profile.dns ?? [])
        .filter(({ address }) => familyOf(address) === family)
        .map(({ address, port }) => ({ key: `${address} . ${port}` })),
    );
  table.chain(
    "resolver",
    BOTH.flatMap(({ destination, family }) =>
      portLookups(
        [TCP, UDP],
        (port) => `${destination} . ${port} @${RESOLVER[family]}`,
        "goto exempt",
      ),
    ),
  );
};

const writeLeases = (table: TableBuilder, { endpoints, contested = [] }: HostPolicy): void => {
  const unsure = new Set(contested);
  const served = endpoints
    .filter(({ dhcp }) => dhcp === true)
    .flatMap(({ addresses }) => addresses)
    .filter((address) => !unsure.has(address));
  for (const { family, type } of BOTH)
    table.set(
      { name: SERVED[family], kind: "set", type, flags: [] },
      inFamily(family, served).map((key) => ({ key })),
    );
  const towards = (ends: string, port: number): readonly string[] =>
    portLookups([UDP], (at) => `${ends} ${at} ${port}`, "goto exempt");
  const to4 = `${V4.source} @${SERVED[4]} ${V4.destination}`;
  const to6 = `${V6.source} @${SERVED[6]} ${V6.destination}`;
  table.chain("lease_egress", [
    ...towards(`${to4} @${HOST[4]}`, DHCP[4].server),
    ...towards(`${to4} ${ALL_SERVERS[4]}`, DHCP[4].server),
    ...towards(`${to6} ${ALL_SERVERS[6]}`, DHCP[6].server),
  ]);
  table.chain(
    "lease_ingress",
    BOTH.flatMap(({ source, destination, family }) =>
      towards(`${source} @${HOST[family]} ${destination} @${SERVED[family]}`, DHCP[family].client),
    ),
  );
};

/** The chains that `exemptJumps` names; each ends in `exempt`, which the frame writes. */
export const writeExemptions = (table: TableBuilder, policy: HostPolicy): void => {
  if (policy.profile.hairpinExempt) writeSelf(table, policy);
  if (hasResolvers(policy)) writeResolvers(table, policy);
  if (isServed(policy)) writeLeases(table, policy);
  writeContested(table, policy);
};

/** Addresses that more than one workload claims. */
export const writeContested = (table: TableBuilder, { contested = [] }: HostPolicy): void => {
  if (contested.length === 0) return;
  for (const { family, type } of BOTH)
    table.set(
      { name: CONTESTED[family], kind: "set", type, flags: [] },
      inFamily(family, contested).map((key) => ({ key })),
    );
};

/** What of a policy stands in these sets and nowhere else. */
export const readExemptions = (
  table: Table,
): { readonly dns?: HostPolicy["profile"]["dns"]; readonly contested?: readonly IpAddress[] } => {
  const keys = (names: Readonly<Record<IpFamily, string>>): string[] =>
    BOTH.flatMap(({ family }) => [...(table.sets.get(names[family])?.elements.keys() ?? [])]);
  const dns = keys(RESOLVER).map((key) => {
    const [address = "", port] = key.split(" . ");
    return { address, port: Number(port) };
  });
  const contested = keys(CONTESTED);
  return {
    ...(dns.length === 0 ? {} : { dns }),
    ...(contested.length === 0 ? {} : { contested }),
  };
};
