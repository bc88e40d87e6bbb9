/**
 * The three kernel settings that enforcement rests on. Bridged packets reach the IP hooks only with
 * bridge-nf-call-*; connection accounting tells a connection's first packet from the rest. What they were before is
 * remembered in the tables' marker and put back on removal.
 */
import type { Before } from "@bulkhead/datapath";
import type { HostCommands } from "./host-commands.ts";

const SETTINGS: readonly { readonly key: keyof Before; readonly name: string }[] = [
  { key: "bridgeIptables", name: "net.bridge.bridge-nf-call-iptables" },
  { key: "bridgeIp6tables", name: "net.bridge.bridge-nf-call-ip6tables" },
  { key: "accounting", name: "net.netfilter.nf_conntrack_acct" },
];

const ON = "1";
/** This kernel has no such setting. */
const ABSENT = "-";

export const readSettings = async (host: HostCommands): Promise<Before> => {
  const values = await Promise.all(
    SETTINGS.map(async ({ key, name }) => [key, (await host.readSetting(name)) ?? ABSENT] as const),
  );
  return {
    bridgeIptables: ABSENT,
    bridgeIp6tables: ABSENT,
    accounting: ABSENT,
    ...Object.fromEntries(values),
  };
};

export const turnOn = async (host: HostCommands, current: Before): Promise<void> => {
  for (const { key, name } of SETTINGS)
    if (current[key] !== ABSENT && current[key] !== ON) await host.writeSetting(name, ON);
};

export const putBack = async (host: HostCommands, before: Before): Promise<void> => {
  for (const { key, name } of SETTINGS)
    if (before[key] !== ABSENT && before[key] !== ON) await host.writeSetting(name, before[key]);
};

/** Sentences for what somebody turned off. */
export const settingDifferences = (current: Before): readonly string[] =>
  SETTINGS.filter(({ key }) => current[key] !== ON && current[key] !== ABSENT).map(
    ({ key, name }) => `${name} is ${current[key]} instead of ${ON}`,
  );
