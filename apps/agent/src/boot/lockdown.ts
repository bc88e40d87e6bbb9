/**
 * The wall of last resort, for a boot at which the saved policy cannot be put in force: what it enforced is cut off, or, where
 * nobody can say what that was, whatever this machine would pass on for others. The rules are of the simplest kind, since a
 * kernel that refused better ones has to take them. The first policy that takes effect lifts it.
 */
import { familyOf, type HostPolicy, type IpAddress } from "@bulkhead/model";
import type { HostCommands } from "../drivers/host-commands.ts";

export const LOCKDOWN_TABLE = "bulkhead_lockdown";

export interface Lockdown {
  /** Cut off from everything, this machine included. */
  readonly addresses: readonly IpAddress[];
  /** Nothing is passed on, whosever it is; the machine's own traffic goes on. */
  readonly forwarding: boolean;
}

/** Addresses that rules judge, for all flows or for the share of a rollout. */
export const enforcedAddresses = ({
  live,
  canary,
}: Pick<HostPolicy, "live" | "canary">): readonly IpAddress[] => [
  ...new Set(
    [live, canary?.maps].flatMap((set) =>
      set === undefined
        ? []
        : [...set.subjects.egress, ...set.subjects.ingress].map(([address]) => address),
    ),
  ),
];

/** Both ends of a packet, in both families. */
const cut = (addresses: readonly IpAddress[], end: "saddr" | "daddr"): string[] =>
  ([4, 6] as const).flatMap((family) => {
    const own = addresses.filter((address) => familyOf(address) === family);
    return own.length === 0
      ? []
      : [`${family === 4 ? "ip" : "ip6"} ${end} { ${own.join(", ")} } drop`];
  });

const table = (
  family: "inet" | "bridge",
  hooks: readonly (readonly [string, readonly string[], "accept" | "drop"])[],
): string =>
  [
    `add table ${family} ${LOCKDOWN_TABLE}`,
    `delete table ${family} ${LOCKDOWN_TABLE}`,
    `table ${family} ${LOCKDOWN_TABLE} {`,
    ...hooks.map(
      ([hook, rules, policy]) =>
        `chain ${hook} {\ntype filter hook ${hook} priority -10; policy ${policy};\n${rules.join("\n")}\n}`,
    ),
    "}\n",
  ].join("\n");

/** Transactions, most important first: on a kernel without filters on bridges the second one is refused. */
export function lockdownTexts({ addresses, forwarding }: Lockdown): readonly [string, string] {
  const sources = cut(addresses, "saddr");
  const destinations = cut(addresses, "daddr");
  const passing = forwarding ? "drop" : "accept";
  const forward = ["forward", [...sources, ...destinations], passing] as const;
  return [
    table("inet", [forward, ["input", sources, "accept"], ["output", destinations, "accept"]]),
    table("bridge", [forward]),
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
      const [routed, bridged] = lockdownTexts(lockdown);
      const refused = await load(routed);
      if (refused !== null) throw new Error(refused);
      return [await load(bridged)].filter((problem) => problem !== null);
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
