/**
 * The wires: namespaces, one bridge in a host namespace, veth pairs, addresses and routes. Links are
 * created directly in the namespaces they belong to; the root namespace never sees an interface of ours.
 */
import { readFileSync, readdirSync, readlinkSync, statSync } from "node:fs";
import { run, tryRun } from "./command.ts";
import { startTimeOf, type ProcessMark } from "./processes.ts";

export interface Attachment {
  /** Namespace of the workload. */
  readonly namespace: string;
  /** Name of the host end, a port of the bridge. */
  readonly port: string;
  /** Addresses with prefix length, both families. */
  readonly addresses: readonly string[];
  readonly linkLocal: string;
}

export interface BridgedSite {
  /** Namespace that plays the host. */
  readonly host: string;
  readonly gateway: readonly string[];
  readonly gatewayLinkLocal: string;
  readonly routes: { readonly ipv4: string; readonly ipv6: string };
  readonly attachments: readonly Attachment[];
}

export interface UplinkSite {
  readonly host: string;
  readonly namespace: string;
  readonly hostAddresses: readonly string[];
  readonly addresses: readonly string[];
  readonly gateway: { readonly ipv4: string; readonly ipv6: string };
  readonly inside: { readonly ipv4: string; readonly ipv6: string };
}

export function inNamespace(namespace: string, command: readonly string[]): readonly string[] {
  return ["nsenter", `--net=/run/netns/${namespace}`, ...command];
}

export async function addNamespaces(names: readonly string[]): Promise<void> {
  await run(["ip", "-batch", "-"], { input: names.map((name) => `netns add ${name}\n`).join("") });
}

// Addresses are usable at once: duplicate address detection would cost a second each.
const QUIET = [
  "net.ipv6.conf.all.accept_dad=0",
  "net.ipv6.conf.default.accept_dad=0",
  "net.ipv6.conf.default.accept_ra=0",
];
const ROUTER = ["net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"];

export async function wireBridge(site: BridgedSite): Promise<void> {
  await Promise.all([
    run(inNamespace(site.host, ["sysctl", "-qw", ...QUIET, ...ROUTER])),
    ...site.attachments.map((end) => run(inNamespace(end.namespace, ["sysctl", "-qw", ...QUIET]))),
  ]);
  await batch(site.host, [
    "link set lo up",
    // Without snooping, neighbour discovery works from the first packet on.
    "link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
    "link set br0 addrgenmode none",
    `address add ${site.gatewayLinkLocal}/64 dev br0 nodad`,
    ...site.gateway.map((address) => `address add ${address} dev br0${nodad(address)}`),
    "link set br0 up",
  ]);
  await run(["ip", "-batch", "-"], {
    input: site.attachments
      .map(
        (end) =>
          `link add eth0 netns ${end.namespace} type veth peer name ${end.port} netns ${site.host}\n`,
      )
      .join(""),
  });
  await batch(
    site.host,
    site.attachments.flatMap((end) => [
      `link set ${end.port} addrgenmode none`,
      `link set ${end.port} master br0`,
      `link set ${end.port} up`,
    ]),
  );
  await Promise.all(
    site.attachments.map((end) =>
      batch(end.namespace, [
        "link set lo up",
        "link set eth0 addrgenmode none",
        `address add ${end.linkLocal}/64 dev eth0 nodad`,
        ...end.addresses.map((address) => `address add ${address} dev eth0${nodad(address)}`),
        "link set eth0 up",
        `route add default via ${site.routes.ipv4}`,
        `route add default via inet6 ${site.routes.ipv6}`,
      ]),
    ),
  );
}

/**
 * A routed network behind the host: what the workloads see as the internet. The host's end is a macvlan, as
 * a network card would be, and not a veth, whose other end is somebody's workload.
 */
export async function wireUplink(site: UplinkSite): Promise<void> {
  await run(inNamespace(site.namespace, ["sysctl", "-qw", ...QUIET]));
  await batch(site.namespace, [
    "link add lan type veth peer name far",
    "link set far up",
    "link set lan up",
    "link add link lan name eth0 type macvlan mode bridge",
    `link add link lan name uplink netns ${site.host} type macvlan mode bridge`,
  ]);
  await batch(site.host, [
    ...site.hostAddresses.map((address) => `address add ${address} dev uplink${nodad(address)}`),
    "link set uplink up",
  ]);
  await batch(site.namespace, [
    "link set lo up",
    ...site.addresses.map((address) => `address add ${address} dev eth0${nodad(address)}`),
    "link set eth0 up",
    `route add ${site.inside.ipv4} via ${site.gateway.ipv4}`,
    `route add ${site.inside.ipv6} via ${site.gateway.ipv6}`,
  ]);
}

async function batch(namespace: string, lines: readonly string[]): Promise<void> {
  await run(["ip", "-n", namespace, "-batch", "-"], { input: `${lines.join("\n")}\n` });
}

function nodad(address: string): string {
  return address.includes(":") ? " nodad" : "";
}

export function namespaceExists(name: string): boolean {
  return statSync(`/run/netns/${name}`, { throwIfNoEntry: false }) !== undefined;
}

export async function deleteNamespace(name: string): Promise<void> {
  const result = await tryRun(["ip", "netns", "delete", name]);
  if (result.code !== 0 && namespaceExists(name))
    throw new Error(`cannot remove namespace ${name}: ${result.stderr.trim()}`);
}

/** Every process that lives in one of these namespaces. They were made by us, so whatever runs there ends with them. */
export function processesIn(namespaces: readonly string[]): readonly ProcessMark[] {
  const inodes = new Set<string>();
  for (const name of namespaces) {
    const entry = statSync(`/run/netns/${name}`, { throwIfNoEntry: false });
    if (entry !== undefined) inodes.add(`net:[${entry.ino}]`);
  }
  const found: ProcessMark[] = [];
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const pid = Number(entry);
    try {
      if (pid === process.pid || !inodes.has(readlinkSync(`/proc/${entry}/ns/net`))) continue;
      const start = startTimeOf(pid);
      if (start !== undefined)
        found.push({ name: readFileSync(`/proc/${entry}/comm`, "utf8").trim(), pid, start });
    } catch {
      continue; // it ended while we looked: nothing to end
    }
  }
  return found;
}
