/**
 * The wall of last resort, for a boot at which the saved policy cannot be put in force: what it enforced is cut off, or, where
 * nobody can say what that was, whatever this machine would pass on for others. The rules are of the simplest kind, since a
 * kernel that refused better ones has to take them. The first policy that takes effect lifts it.
 */
import { familyOf, type HostPolicy, type IpAddress } from "@bulkhead/model";
import type { HostCommands } from "../drivers/host-commands.ts";

export const LOCKDOWN_TABLE = "bulkhead_lockdown";

export interface Lockdown {
  /**
   * Cut off from everything, this machine included. Where `forwarding` is set nobody vouches for them, and they are cut off
   * from this machine only as what hangs on a veth here: else who wrote the file could lock out an administrator.
   */
  readonly addresses: readonly IpAddress[];
  /** Nothing is passed on, whosever it is; the machine's own traffic goes on. */
  readonly forwarding: boolean;
}

/**
 * Addresses that rules judge. Not those that only a rollout judges: what cuts without asking whose flow it is goes by what is
 * in force for all, and a rollout's share is no wall.
 */
export const enforcedAddresses = ({ live }: Pick<HostPolicy, "live">): readonly IpAddress[] => [
  ...new Set([...live.subjects.egress, ...live.subjects.ingress].map(([address]) => address)),
];

/** Both ends of a packet, in both families. */
const cut = (addresses: readonly IpAddress[], end: "saddr" | "daddr"): string[] =>
  ([4, 6] as const).flatMap((family) => {
    const own = addresses.filter((address) => familyOf(address) === family);
    return own.length === 0
      ? []
      : [`${family === 4 ? "ip" : "ip6"} ${end} { ${own.join(", ")} } drop`];
  });

interface Hook {
  readonly name: "input" | "output" | "forward";
  readonly rules: readonly string[];
  readonly policy?: "drop";
}

const chains = (family: "inet" | "bridge", hooks: readonly Hook[]): string =>
  [
    `table ${family} ${LOCKDOWN_TABLE} {`,
    ...hooks.map(
      ({ name, rules, policy = "accept" }) =>
        `chain ${name} {\ntype filter hook ${name} priority -10; policy ${policy};\n${rules.join("\n")}\n}`,
    ),
    "}\n",
  ].join("\n");

const table = (family: "inet" | "bridge", hooks: readonly Hook[]): string =>
  [
    `add table ${family} ${LOCKDOWN_TABLE}`,
    `delete table ${family} ${LOCKDOWN_TABLE}`,
    chains(family, hooks),
  ].join("\n");

/** What comes and goes by a link that only workloads have. In the table for bridges, a link is a port. */
const byVeth = (family: "inet" | "bridge", addresses: readonly IpAddress[]): string =>
  chains(family, [
    {
      name: "input",
      rules: cut(addresses, "saddr").map((rule) => `meta iifkind "veth" ${rule}`),
    },
    {
      name: "output",
      rules: cut(addresses, "daddr").map((rule) => `meta oifkind "veth" ${rule}`),
    },
  ]);

/**
 * Between workloads of one bridge only what shows plainly by its addresses that neither end is cut off. Tags, groups and
 * link-local addresses do not show it, and a workload reaches its neighbours by them.
 */
const betweenPorts = (): string =>
  [
    `table bridge ${LOCKDOWN_TABLE} {`,
    "chain between {",
    "ether type != { ip, arp, ip6 } drop",
    "ether type arp accept",
    "icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } ip6 hoplimit 255 accept",
    "meta pkttype { broadcast, multicast } drop",
    "ip daddr { 224.0.0.0/4, 255.255.255.255 } drop",
    "ip6 saddr fe80::/10 drop",
    "ip6 daddr { fe80::/10, ff00::/8 } drop",
    "}",
    "chain ports {",
    "type filter hook forward priority -9; policy accept;",
    'meta iifkind "veth" meta oifkind "veth" jump between',
    "}",
    "}\n",
  ].join("\n");

/**
 * Transactions, each of which stands without those after it. Most important first: on a kernel without filters on bridges
 * those for bridges are refused.
 */
export function lockdownTexts({ addresses, forwarding }: Lockdown): readonly [string, ...string[]] {
  if (forwarding) {
    const nothing = { name: "forward", rules: [], policy: "drop" } as const;
    const shut = [table("inet", [nothing]), table("bridge", [nothing])] as const;
    if (addresses.length === 0) return [...shut];
    return [...shut, byVeth("inet", addresses), byVeth("bridge", addresses)];
  }
  const sources = cut(addresses, "saddr");
  const destinations = cut(addresses, "daddr");
  const forward = { name: "forward", rules: [...sources, ...destinations] } as const;
  return [
    table("inet", [
      forward,
      { name: "input", rules: sources },
      { name: "output", rules: destinations },
    ]),
    table("bridge", [forward]),
    betweenPorts(),
  ];
}

export interface Wall {
  /** Returns what the kernel did not take, empty when the wall is whole. Throws when it took nothing. */
  raise(lockdown: Lockdown): Promise<readonly string[]>;
  /** No wall is no error. */
  lift(): Promise<void>;
}

export function createWall({ nft }: Pick<HostCommands, "nft">): Wall {
  const load = async (script: string): Promise<string | null> => {
    const { code, stderr } = await nft(["-f", "-"], script);
    return code === 0 ? null : `nft: ${stderr.trim().split("\n")[0] ?? `exit ${code}`}`;
  };
  return {
    async raise(lockdown) {
      const [essential, ...more] = lockdownTexts(lockdown);
      const refused = await load(essential);
      if (refused !== null) throw new Error(refused);
      const problems: string[] = [];
      for (const text of more) {
        const problem = await load(text);
        if (problem !== null) problems.push(problem);
      }
      return problems;
    },
    async lift() {
      const { stdout } = await nft(["list", "tables"]);
      const there = stdout.split("\n").filter((line) => line.endsWith(` ${LOCKDOWN_TABLE}`));
      if (there.length === 0) return;
      const problem = await load(`${there.map((line) => `delete ${line}`).join("\n")}\n`);
      if (problem !== null) throw new Error(`the lockdown could not be lifted: ${problem}`);
    },
  };
}
