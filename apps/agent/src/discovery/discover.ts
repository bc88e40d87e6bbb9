/**
 * Finds the workloads attached to this machine's network: every veth whose other end lies in another network namespace,
 * with that end's addresses, and the name that the system or the container runtime has for it.
 *
 * ```
 *  our links ──veth──► (peer index, namespace number) ──┬─ links and addresses there
 *                                                       ├─ container runtime: name, image, labels
 *                                                       ├─ /run/netns: name
 *                                                       └─ /proc: a process, for the nameless
 * ```
 */
import { sortIps, type BridgePort, type Endpoint, type IpAddress } from "@bulkhead/model";
import { isKernelError } from "../kernel/kernel-error.ts";
import { NETLINK_ROUTE, openNetlink, type NetlinkSocket } from "../kernel/netlink-socket.ts";
import { insideNetns } from "../kernel/netns.ts";
import { runningContainers, runtimeSockets, type Container } from "./docker.ts";
import { inhabitedNamespaces, namedNamespaces, NETNS_FOLDER, netnsIdOfPath } from "./namespaces.ts";
import {
  readAddresses,
  readLink,
  readLinks,
  type Link,
  type LinkAddress,
  type NetnsId,
} from "./rtnetlink.ts";

export interface DiscoveredEndpoint extends Endpoint {
  /** `netns:<name>`, `container:<name>`, or `netns:@<interface>` for a namespace without a name. Stable while it is attached. */
  readonly discoveredName: string;
  /** Link-local addresses of the workload's end; they belong to it, but say nothing beyond its link. */
  readonly linkLocal: readonly IpAddress[];
  /** The bridge that our side belongs to, if any. */
  readonly bridge?: string;
  readonly containerId?: string;
  readonly containerLabels?: Readonly<Record<string, string>>;
  readonly image?: string;
}

export interface Discovery {
  /** Sorted by name, then interface. `workload` holds the discovered name until an inventory says better. */
  readonly endpoints: readonly DiscoveredEndpoint[];
  /** Ports of our bridges that lead to no workload, and pairs of links with both ends here; sorted by interface. */
  readonly ports: readonly BridgePort[];
  /** Global addresses of our own namespace, sorted. */
  readonly hostAddresses: readonly IpAddress[];
  readonly hostLinkLocal: readonly IpAddress[];
  /** Attached, but what is behind them was on the move while we looked. */
  readonly unread: readonly BridgePort[];
  /** What runtimes say runs, whichever network it is in. */
  readonly containers: readonly Container[];
  /** What could not be asked, in sentences: discovery goes on without it. */
  readonly problems: readonly string[];
}

export interface DiscoverOptions {
  /** Paths of container runtimes' sockets. Default: those of Docker and Podman. */
  readonly containerSockets?: readonly string[];
  readonly netnsFolder?: string;
  /** Path of the network namespace to look from. Default: that of the calling thread. */
  readonly netns?: string;
}

export async function discover(options: DiscoverOptions = {}): Promise<Discovery> {
  const problems: string[] = [];
  const containers = await askRuntimes(options.containerSockets ?? runtimeSockets(), problems);
  // From here on nothing waits, so the kernel is seen within a few milliseconds and as little as possible changes meanwhile.
  const open = () => openNetlink(NETLINK_ROUTE);
  const socket = options.netns === undefined ? open() : insideNetns(options.netns, open);
  try {
    return scan(socket, containers, options.netnsFolder ?? NETNS_FOLDER, problems);
  } finally {
    socket.close();
  }
}

/** Each runtime for itself: one that fails hides nobody of another's. */
async function askRuntimes(
  sockets: readonly string[],
  problems: string[],
): Promise<readonly Container[]> {
  const answers = await Promise.allSettled(sockets.map((path) => runningContainers(path)));
  const found = answers.map((answer, index): readonly Container[] => {
    if (answer.status === "fulfilled") return answer.value ?? [];
    const why = (answer.reason as Error).message;
    problems.push(`containers at ${sockets[index]} are not seen: ${why}`);
    return [];
  });
  return eachItsName(found, sockets, problems);
}

/** One runtime keeps names apart, two do not: the later one's container must not pass for the other's. */
function eachItsName(
  found: readonly (readonly Container[])[],
  sockets: readonly string[],
  problems: string[],
): readonly Container[] {
  const owners = new Map<string, string>();
  return found.flatMap((containers, index) =>
    containers.map((container) => {
      const { id, name } = container;
      const owner = owners.get(name) ?? id;
      owners.set(name, owner);
      if (owner === id) return container;
      const apart = `${name}-${id.slice(0, 12)}`;
      problems.push(
        `two containers are called \`${name}\`: the one at ${sockets[index]} is \`${apart}\` here`,
      );
      return { ...container, name: apart };
    }),
  );
}

interface Attachment {
  readonly link: Link;
  readonly peer: number;
  readonly netns: NetnsId;
}

function scan(
  socket: NetlinkSocket,
  containers: readonly Container[],
  folder: string,
  problems: string[],
): Discovery {
  const links = readLinks(socket);
  const own = readAddresses(socket);
  const attachments = links.flatMap((link): Attachment[] =>
    link.kind === "veth" &&
    link.peer !== undefined &&
    link.peerNetns !== undefined &&
    link.peerNetns >= 0
      ? [{ link, peer: link.peer, netns: link.peerNetns }]
      : [],
  );
  const names = namesOf(socket, new Set(attachments.map(({ netns }) => netns)), containers, folder);
  const bridges = new Map(links.map((link) => [link.ifindex, link.name]));
  const endpoints: DiscoveredEndpoint[] = [];
  const unread: BridgePort[] = [];
  for (const { link, peer, netns } of attachments) {
    const there = lookBehind(socket, link, { netns, ifindex: peer });
    // It vanished, or moved on, while we looked: the kernel's event about that brings the next scan.
    if (there === null) {
      unread.push({ interface: link.name, ifindex: link.ifindex });
      continue;
    }
    const name = names.get(netns) ?? { path: undefined };
    if (name.path === undefined) {
      problems.push(
        `the namespace behind ${link.name} has neither a name nor a process: it cannot be entered`,
      );
    }
    endpoints.push(endpointOf(link, there, name, bridges));
  }
  endpoints.sort(
    (a, b) =>
      compareText(a.discoveredName, b.discoveredName) || compareText(a.interface, b.interface),
  );
  return {
    endpoints,
    ports: portsOf(links, own),
    hostAddresses: sortIps([
      ...new Set(own.filter(({ scope }) => scope === "global").map(({ address }) => address)),
    ]),
    hostLinkLocal: sortIps([
      ...new Set(own.filter(({ scope }) => scope === "link").map(({ address }) => address)),
    ]),
    unread,
    containers,
    problems,
  };
}

/**
 * A pair of veths with both ends here counts only once both are in use here: runtimes make pairs here, hang one end on a
 * bridge, and then move the other end to where a workload is.
 */
function portsOf(links: readonly Link[], own: readonly LinkAddress[]): BridgePort[] {
  const bridges = new Set(
    links.filter(({ kind }) => kind === "bridge").map(({ ifindex }) => ifindex),
  );
  const addressed = new Set(
    own.filter(({ scope }) => scope === "global").map(({ ifindex }) => ifindex),
  );
  const inUse = new Set(
    links
      .filter(({ ifindex, master }) => master !== undefined || addressed.has(ifindex))
      .map(({ ifindex }) => ifindex),
  );
  return links
    .filter(({ ifindex, kind, master, peer, peerNetns }) =>
      kind === "veth"
        ? peer !== undefined && peerNetns === undefined && inUse.has(peer) && inUse.has(ifindex)
        : master !== undefined && bridges.has(master),
    )
    .map(({ name, ifindex }) => ({ interface: name, ifindex }))
    .toSorted((a, b) => compareText(a.interface, b.interface));
}

interface FarEnd {
  readonly mac: string;
  readonly addresses: readonly LinkAddress[];
}

/** More than any workload needs; one that gives itself more must not keep us busy with reading them. */
const MOST_ADDRESSES = 512;

/**
 * Asks for this one end by its number: who is root there may make thousands of other links, and it must not be lost among
 * them. Null when it is not there.
 */
function lookBehind(
  socket: NetlinkSocket,
  { ifindex: near }: Link,
  far: { readonly netns: NetnsId; readonly ifindex: number },
): FarEnd | null {
  try {
    const link = readLink(socket, far.netns, far.ifindex);
    // Another link may have the number by now.
    if (link?.kind !== "veth" || link.peer !== near) return null;
    return { mac: link.mac, addresses: readAddresses(socket, { ...far, limit: MOST_ADDRESSES }) };
  } catch (error) {
    if (isKernelError(error, "EINVAL", "ENOENT", "ENODEV")) return null;
    throw error;
  }
}

interface Name {
  readonly path: string | undefined;
  readonly netns?: string;
  readonly container?: Container;
}

/** A container's name goes before one under /run/netns, which tools also give to containers' namespaces. */
function namesOf(
  socket: NetlinkSocket,
  wanted: ReadonlySet<NetnsId>,
  containers: readonly Container[],
  folder: string,
): ReadonlyMap<NetnsId, Name> {
  const names = new Map<NetnsId, Name>();
  if (wanted.size === 0) return names;
  for (const container of containers) {
    const path = `/proc/${container.pid}/ns/net`;
    const id = netnsIdOfPath(socket, path);
    // Containers that share one namespace are one endpoint, named after the oldest.
    if (id !== null && wanted.has(id) && !names.has(id)) names.set(id, { path, container });
  }
  for (const [id, { name, path }] of namedNamespaces(socket, folder)) {
    if (wanted.has(id) && !names.has(id)) names.set(id, { path, netns: name });
  }
  const nameless = new Set([...wanted].filter((id) => !names.has(id)));
  if (nameless.size > 0)
    for (const [id, path] of inhabitedNamespaces(socket, nameless)) names.set(id, { path });
  return names;
}

function endpointOf(
  link: Link,
  { mac, addresses: there }: FarEnd,
  { path, netns, container }: Name,
  bridges: ReadonlyMap<number, string>,
): DiscoveredEndpoint {
  const discoveredName =
    container !== undefined ? `container:${container.name}` : `netns:${netns ?? `@${link.name}`}`;
  const bridge = link.master === undefined ? undefined : bridges.get(link.master);
  return {
    workload: discoveredName,
    kind: container === undefined ? "netns" : "container",
    interface: link.name,
    ifindex: link.ifindex,
    mac,
    addresses: sortIps(
      there.filter(({ scope }) => scope === "global").map(({ address }) => address),
    ),
    netnsPath: path ?? "",
    discoveredName,
    linkLocal: sortIps(there.filter(({ scope }) => scope === "link").map(({ address }) => address)),
    ...(bridge === undefined ? {} : { bridge }),
    ...(container === undefined
      ? {}
      : { containerId: container.id, containerLabels: container.labels, image: container.image }),
  };
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
