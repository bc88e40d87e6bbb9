/** What an agent found on its machine to protobuf and back: endpoints, ports, listeners, sessions, processes. */
import type {
  Discovered as ProtoDiscovered,
  DiscoveredEndpoint as ProtoEndpoint,
  Listener as ProtoListener,
} from "./gen/bulkhead/agent/v1/agent_pb.js";
import type { AgentMessage, DiscoveredEndpoint, Listener } from "./messages.ts";
import { decodeProcess, encodeProcess } from "./process-codec.ts";
import { oneOf, optional } from "./parse.ts";

type Discovered = Extract<AgentMessage, { readonly kind: "discovered" }>;

export function encodeDiscovered(found: Discovered) {
  return {
    endpoints: found.endpoints.map((endpoint) => ({
      ...endpoint,
      image: endpoint.image ?? "",
      bridge: endpoint.bridge ?? "",
      addresses: [...endpoint.addresses],
      listeners: endpoint.listeners.map((listener) => ({ ...listener })),
      capabilities: [...(endpoint.capabilities ?? [])],
    })),
    ports: found.ports.map(link),
    hostAddresses: [...found.hostAddresses],
    sessions: found.sessions.map((session) => ({ ...session })),
    hostListeners: found.hostListeners.map((listener) => ({ ...listener })),
    relays: [...found.relays],
    unread: found.unread.map(link),
    processes: found.processes.map(encodeProcess),
    processesProblem: found.processesProblem ?? "",
  };
}

export function decodeDiscovered(found: ProtoDiscovered): Discovered {
  return {
    kind: "discovered",
    endpoints: found.endpoints.map(decodeEndpoint),
    ports: found.ports.map(link),
    hostAddresses: found.hostAddresses,
    hostListeners: found.hostListeners.map(decodeListener),
    relays: found.relays,
    unread: found.unread.map(link),
    processes: found.processes.map(decodeProcess),
    ...optional("processesProblem", found.processesProblem),
    sessions: found.sessions.map(({ source, destination, protocol, port, what }) => ({
      source,
      destination,
      protocol,
      port,
      what,
    })),
  };
}

function link({
  interface: name,
  ifindex,
}: {
  readonly interface: string;
  readonly ifindex: number;
}) {
  return { interface: name, ifindex };
}

function decodeEndpoint(endpoint: ProtoEndpoint): DiscoveredEndpoint {
  return {
    kind: oneOf(["netns", "container"] as const, endpoint.kind, "endpoint.kind"),
    name: endpoint.name,
    containerLabels: endpoint.containerLabels,
    ...optional("image", endpoint.image),
    interface: endpoint.interface,
    ...optional("bridge", endpoint.bridge),
    ifindex: endpoint.ifindex,
    mac: endpoint.mac,
    addresses: endpoint.addresses,
    netnsPath: endpoint.netnsPath,
    listeners: endpoint.listeners.map(decodeListener),
    ...(endpoint.capabilities.length === 0 ? {} : { capabilities: endpoint.capabilities }),
  };
}

function decodeListener({ protocol, port, family }: ProtoListener): Listener {
  return { protocol, port, family: oneOf([4, 6] as const, family, "listener.family") };
}
