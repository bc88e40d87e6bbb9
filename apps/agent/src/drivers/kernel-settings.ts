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

export const readSettings = (host: HostCommands): Before => {
  const found = SETTINGS.map(({ key, name }) => [key, host.readSetting(name) ?? ABSENT] as const);
  return {
    bridgeIptables: ABSENT,
    bridgeIp6tables: ABSENT,
    accounting: ABSENT,
    ...Object.fromEntries(found),
  };
};

export const turnOn = (host: HostCommands, current: Before): void => {
  for (const { key, name } of SETTINGS)
    if (current[key] !== ABSENT && current[key] !== ON) host.writeSetting(name, ON);
};

export const putBack = (host: HostCommands, before: Before): void => {
  for (const { key, name } of SETTINGS)
    if (before[key] !== ABSENT && before[key] !== ON) host.writeSetting(name, before[key]);
};

/** Sentences for what somebody turned off. */
export const settingDifferences = (current: Before): readonly string[] =>
  SETTINGS.filter(({ key }) => current[key] !== ON && current[key] !== ABSENT).map(
    ({ key, name }) => `${name} is ${current[key]} instead of ${ON}`,
  );
