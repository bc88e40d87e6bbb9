/**
 * Guards of interfaces that are not there. Since Linux 6.16 a chain may be bound to an interface that does not exist
 * yet, and takes hold when it appears; older kernels refuse the whole transaction. For those, the ruleset without such
 * chains, and the commands that add them once the interfaces have come.
 */
import type { Chain, Ruleset, Table } from "./ruleset.ts";

const DEVICE = / device "([^"]+)"/;

const deviceOf = ({ base }: Chain): string | undefined => DEVICE.exec(base ?? "")?.[1];

/** Every interface that some chain is bound to. */
export const boundDevices = ({ netdev }: Ruleset): ReadonlySet<string> =>
  new Set([...(netdev?.chains.values() ?? [])].flatMap((chain) => deviceOf(chain) ?? []));

const isBoundTo = (chain: Chain, devices: ReadonlySet<string>): boolean => {
  const device = deviceOf(chain);
  return device !== undefined && devices.has(device);
};

/** The same ruleset without the chains bound to `devices`; what those refer to stays. */
export const withoutDevices = (ruleset: Ruleset, devices: ReadonlySet<string>): Ruleset => {
  const { netdev } = ruleset;
  if (netdev === undefined || devices.size === 0) return ruleset;
  const chains = [...netdev.chains].filter(([, chain]) => !isBoundTo(chain, devices));
  return { ...ruleset, netdev: { ...netdev, chains: new Map(chains) } };
};

const commands = ({ family, name: table }: Table, { name, base = "", rules }: Chain): string[] => [
  `add chain ${family} ${table} ${name} { ${base} }`,
  `flush chain ${family} ${table} ${name}`,
  ...rules.map((rule) => `add rule ${family} ${table} ${name} ${rule}`),
];

/** Binds what `withoutDevices` left out, in one transaction; empty when there is nothing to bind. */
export const bindDevices = ({ netdev }: Ruleset, devices: ReadonlySet<string>): string => {
  if (netdev === undefined) return "";
  const lines = [...netdev.chains.values()]
    .filter((chain) => isBoundTo(chain, devices))
    .flatMap((chain) => commands(netdev, chain));
  return lines.length === 0 ? "" : `${lines.join("\n")}\n`;
};
