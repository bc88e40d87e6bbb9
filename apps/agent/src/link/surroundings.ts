/** What discovery found, in the words of the link, together with who listens where and which sessions must not be cut. */
import { sortIps } from "@bulkhead/model";
import type { HostSession, Listener } from "@bulkhead/wire";
import type { Discovery } from "../discovery/index.ts";
import type { Attached } from "./agent-parts.ts";
import type { CapabilitiesByPath } from "./capabilities.ts";

export interface Inspectors {
  listenersIn(netnsPath: string): readonly Listener[];
  /** Names of programs that speak to workloads as this machine. */
  relays(): readonly string[];
  /** By the path of the namespace, for those at these paths whose processes reach beyond it. */
  capabilities(netnsPaths: readonly string[]): CapabilitiesByPath;
  /** In the namespaces at these paths. */
  sessions(netnsPaths: readonly string[]): readonly HostSession[];
}

/**
 * What is behind a link may be moved to and fro so that no look ever catches it; as long as the link is there, it is
 * what it was.
 */
export function keepUnread(now: Attached, before: Attached | undefined): Attached {
  const missed = (before?.endpoints ?? []).filter((endpoint) =>
    now.unread.some(
      ({ interface: name, ifindex }) => name === endpoint.interface && ifindex === endpoint.ifindex,
    ),
  );
  return missed.length === 0 ? now : { ...now, endpoints: [...now.endpoints, ...missed] };
}

const held = (capabilities: readonly string[] = []) =>
  capabilities.length === 0 ? {} : { capabilities };

export const OWN_NETNS = "/proc/self/ns/net";

export function surroundingsOf(found: Discovery, inspect: Inspectors): Attached {
  const listeners = new Map<string, readonly Listener[]>();
  const listenersOf = (path: string): readonly Listener[] => {
    let known = listeners.get(path);
    if (known === undefined) {
      known = path === "" ? [] : inspect.listenersIn(path);
      listeners.set(path, known);
    }
    return known;
  };
  const paths = [
    ...new Set(found.endpoints.map(({ netnsPath }) => netnsPath).filter((path) => path !== "")),
  ];
  const capabilities = inspect.capabilities(paths);
  return {
    endpoints: found.endpoints.map((endpoint) => ({
      kind: endpoint.kind,
      name: endpoint.discoveredName.slice(endpoint.discoveredName.indexOf(":") + 1),
      containerLabels: endpoint.containerLabels ?? {},
      ...(endpoint.image === undefined ? {} : { image: endpoint.image }),
      interface: endpoint.interface,
      ...(endpoint.bridge === undefined ? {} : { bridge: endpoint.bridge }),
      ifindex: endpoint.ifindex,
      mac: endpoint.mac,
      // Over its link-local address a workload reaches its neighbours as well as over any other.
      addresses: sortIps([...endpoint.addresses, ...endpoint.linkLocal]),
      netnsPath: endpoint.netnsPath,
      listeners: listenersOf(endpoint.netnsPath),
      ...held(capabilities.get(endpoint.netnsPath)),
    })),
    ports: found.ports,
    hostAddresses: sortIps([...new Set([...found.hostAddresses, ...found.hostLinkLocal])]),
    sessions: inspect.sessions([OWN_NETNS, ...paths]),
    hostListeners: inspect.listenersIn(OWN_NETNS),
    relays: inspect.relays(),
    unread: found.unread,
  };
}
