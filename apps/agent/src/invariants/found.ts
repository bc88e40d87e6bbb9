/**
 * What a machine lives by without anybody saying so: the resolvers and time servers that it is set up with, the servers
 * of its leases, the metadata of its cloud, and open SSH sessions. Read anew each time; what cannot be read is not there.
 */
import { Resolver } from "node:dns/promises";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  canonicalIp,
  INVARIANT_PORTS,
  invariantKey,
  type Invariant,
  type InvariantKind,
  type IpAddress,
} from "@bulkhead/model";
import type { HostSession } from "@bulkhead/wire";

const METADATA: IpAddress = "169.254.169.254";
const RESOLVE_MS = 800;
const MAX_TIME_SERVERS = 4;

export interface Configured {
  readonly dns: readonly IpAddress[];
  /** Names or addresses. */
  readonly ntp: readonly string[];
  readonly dhcp: readonly IpAddress[];
  readonly metadata: readonly IpAddress[];
}

export function configuredHere(root = "/"): Configured {
  const texts = (...paths: readonly string[]): readonly string[] =>
    paths.flatMap((path) => filesAt(join(root, path)));
  return {
    dns: texts("etc/resolv.conf", "run/systemd/resolve/resolv.conf").flatMap(resolversIn),
    ntp: texts(
      "etc/systemd/timesyncd.conf",
      "etc/systemd/timesyncd.conf.d",
      "run/systemd/timesyncd.conf.d",
      "etc/chrony/chrony.conf",
      "etc/chrony/sources.d",
      "etc/chrony.conf",
      "etc/ntp.conf",
      "etc/ntpsec/ntp.conf",
    ).flatMap(timeServersIn),
    dhcp: texts("run/systemd/netif/leases", "var/lib/dhcp").flatMap(leaseServersIn),
    // Elsewhere the address is nobody's, and asking it would only take time.
    metadata: existsSync(join(root, "run/cloud-init")) ? [METADATA] : [],
  };
}

/** Names are looked up, for a bounded time. */
export async function invariantsFound(
  configured: Configured,
  sessions: readonly HostSession[],
): Promise<readonly Invariant[]> {
  const times = await addressesOf(configured.ntp, configured.dns);
  const usual = (kind: Exclude<InvariantKind, "connect">, addresses: readonly IpAddress[]) =>
    addresses.map((address): Invariant => ({ kind, address, port: INVARIANT_PORTS[kind] }));
  const all = [
    ...sessions.map(({ source, port }): Invariant => ({ kind: "ssh", address: source, port })),
    ...usual("dns", configured.dns),
    ...usual("ntp", times),
    ...usual("dhcp", configured.dhcp),
    ...usual("metadata", configured.metadata),
  ];
  return [...new Map(all.map((one) => [invariantKey(one), one])).values()];
}

async function addressesOf(
  servers: readonly string[],
  resolvers: readonly IpAddress[],
): Promise<readonly IpAddress[]> {
  const resolver = new Resolver({ timeout: RESOLVE_MS, tries: 1 });
  if (resolvers.length > 0)
    resolver.setServers(resolvers.map((one) => (one.includes(":") ? `[${one}]` : one)));
  const late = new Promise<readonly string[]>((resolve) => {
    setTimeout(() => {
      resolver.cancel();
      resolve([]);
    }, RESOLVE_MS).unref();
  });
  const found = await Promise.all(
    [...new Set(servers)].slice(0, MAX_TIME_SERVERS).map((server) => {
      const address = canonicalIp(server);
      if (address !== null) return [address];
      // A name that cannot be told is a time server that does not work, before as after.
      return Promise.race([resolver.resolve4(server).catch(() => []), late]);
    }),
  );
  return found.map(([first]) => first).flatMap((one) => canonicalIp(one ?? "") ?? []);
}

const linesOf = (text: string): readonly string[] =>
  text.split("\n").map((line) => line.replace(/[#;].*$/, "").trim());

export const resolversIn = (text: string): readonly IpAddress[] =>
  linesOf(text).flatMap((line) => {
    const [, address = ""] = /^nameserver\s+([^\s%]+)$/.exec(line) ?? [];
    return canonicalIp(address) ?? [];
  });

/** Of chrony and ntpd (`pool NAME …`), and of systemd-timesyncd (`NTP=NAME NAME`). */
export const timeServersIn = (text: string): readonly string[] =>
  linesOf(text).flatMap((line) => {
    const [, server] = /^(?:server|pool|peer)\s+(\S+)/.exec(line) ?? [];
    const [, servers] = /^(?:Fallback)?NTP=(.+)$/.exec(line) ?? [];
    return [...(server === undefined ? [] : [server]), ...(servers?.split(/\s+/) ?? [])];
  });

/** Of systemd-networkd (`SERVER_ADDRESS=`), and the last one of dhclient. */
export const leaseServersIn = (text: string): readonly IpAddress[] => {
  const networkd = /^SERVER_ADDRESS=(\S+)$/m.exec(text)?.[1];
  const dhclient = [...text.matchAll(/option dhcp-server-identifier ([^;\s]+);/g)].at(-1)?.[1];
  return [networkd, dhclient].flatMap((one) => canonicalIp(one ?? "") ?? []);
};

/** The texts of a file, or of all files in a folder; none when there is none. */
function filesAt(path: string): readonly string[] {
  try {
    return [readFileSync(path, "utf8")];
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "EISDIR") return readdirSync(path).flatMap((name) => filesAt(join(path, name)));
    if (code === "ENOENT" || code === "ENOTDIR" || code === "EACCES") return [];
    throw error;
  }
}
