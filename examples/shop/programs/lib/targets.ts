/**
 * What an intruder tries, derived from the topology: every workload, the host and the world, on the ports
 * that are open somewhere in the shop and a few that never are, over every route there is.
 */
import {
  GATEWAY,
  HOST_PORT,
  WORKLOADS,
  WORLD,
  WORLD_GATEWAY,
  ipv4Of,
  ipv6Of,
  linkLocalOf,
  type OpenPort,
} from "../../topology.ts";
import type { Means, Route, Target } from "./attempts.ts";

interface Place {
  readonly name: string;
  readonly open: readonly OpenPort[];
  readonly addresses: readonly { readonly route: Route; readonly address: string }[];
}

export const PLACES: readonly Place[] = [
  ...WORKLOADS.map((workload) => ({
    name: workload.name,
    open: workload.open,
    addresses: [
      { route: "ipv4", address: ipv4Of(workload) },
      { route: "ipv6", address: ipv6Of(workload) },
      { route: "link-local", address: `${linkLocalOf(workload)}%eth0` },
    ] as const,
  })),
  {
    name: "host",
    open: [HOST_PORT],
    addresses: [
      { route: "ipv4", address: GATEWAY.ipv4 },
      { route: "ipv6", address: GATEWAY.ipv6 },
      { route: "link-local", address: `${GATEWAY.linkLocal}%eth0` },
      // The host answers on its other side, too.
      { route: "ipv4", address: WORLD_GATEWAY.ipv4 },
      { route: "ipv6", address: WORLD_GATEWAY.ipv6 },
    ],
  },
  ...WORLD.map((server) => ({
    name: server.name,
    open: server.open,
    addresses: [
      { route: "ipv4", address: server.ipv4 },
      { route: "ipv6", address: server.ipv6 },
    ] as const,
  })),
];

/** Closed everywhere in the shop: what makes a scan look like one. */
const NEVER_OPEN = [22, 23, 445, 3306, 3389, 27017];

function flatten(
  self: string,
  choose: (place: Place) => readonly { readonly port: number; readonly means: Means }[],
): readonly Target[] {
  return PLACES.filter((place) => place.name !== self).flatMap((place) =>
    choose(place).flatMap((what) =>
      place.addresses.map((where) => ({ name: place.name, ...where, ...what })),
    ),
  );
}

/** Every open port: what counts as reach. */
export function portTargets(self: string): readonly Target[] {
  return flatten(self, (place) =>
    place.open.map((open) => ({ port: open.port, means: shallow(open) })),
  );
}

/** Every address, by ICMP echo. */
export function echoTargets(self: string): readonly Target[] {
  return flatten(self, () => [{ port: 0, means: "icmp" }]);
}

function shallow(open: OpenPort): Means {
  return open.protocol === "udp" ? "dns" : "tcp";
}

/** With what the port speaks: SQL login, Redis read, HTTP fetch. */
export function deepTargets(self: string): readonly Target[] {
  return flatten(self, (place) =>
    place.open
      .filter((open) => open.speaks !== "dns")
      .map((open) => ({ port: open.port, means: open.speaks })),
  );
}

/** The noise of a port scan: closed ports, over IPv4 and IPv6. */
export function scanTargets(self: string): readonly Target[] {
  return flatten(self, () => NEVER_OPEN.map((port) => ({ port, means: "tcp" as const }))).filter(
    (target) => target.route !== "link-local",
  );
}
