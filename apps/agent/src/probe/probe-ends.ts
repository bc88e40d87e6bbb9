/**
 * Where a probe is watched and who answers it: the choice of witness and listener by where its destination lies, how they are
 * shared between probes, and what a probe's packet looks like to each witness.
 */
import { ICMP, ICMPV6, TCP, UDP, type IpAddress } from "@bulkhead/model";
import type { Observation, ProbeRequest } from "./probe.ts";
import { hasPorts, sightingOf, type Sighting } from "./sighting.ts";
import { familyOf } from "./socket-address.ts";
import { openHostWitness, openPacketWitness, openTransitWitness, type Witness } from "./witness.ts";

/** The one socket that sees what crosses the agent's own namespace. */
export const TRANSIT = "transit";

/** What the agent's own namespace knows of addresses. */
export interface Surroundings {
  /** Does the agent's own namespace have the address? */
  isOwnAddress(address: IpAddress): boolean;
  /** Has the destination resolved; the result says whether that succeeded, null where it is not for us to resolve. */
  reachability(request: ProbeRequest, place: Observation["witness"]): () => boolean | null;
}

export function placeOf(
  { destination, destinationNetns }: ProbeRequest,
  surroundings: Surroundings,
): Observation["witness"] {
  if (destinationNetns !== undefined) return "destination";
  return surroundings.isOwnAddress(destination) ? "host" : "uplink";
}

export function openWitness(
  { protocol, destination, destinationNetns }: ProbeRequest,
  place: Observation["witness"],
): Witness {
  const family = familyOf(destination);
  if (destinationNetns !== undefined) return openPacketWitness(destinationNetns, family);
  return place === "host" ? openHostWitness(protocol, destination, family) : openTransitWitness();
}

export function witnessKey(
  { protocol, destination, destinationNetns }: ProbeRequest,
  place: Observation["witness"],
): string {
  if (place === "uplink") return TRANSIT;
  return place === "host"
    ? `host ${protocol} ${destination}`
    : `${place} ${destinationNetns ?? ""} ${familyOf(destination)}`;
}

export function responderKey({
  protocol,
  destination,
  destinationNetns,
  destinationCgroup,
  port,
}: ProbeRequest): string {
  // Protocols beyond TCP and UDP have one raw socket per address, whatever the port.
  return `${destinationNetns ?? ""} ${destinationCgroup ?? ""} ${protocol} ${destination} ${protocol === TCP || protocol === UDP ? port : ""}`;
}

/** As it looks where nothing has translated it yet. */
export function sightingFor(request: ProbeRequest, sourcePort: number): Sighting {
  const { protocol, source, destination } = request;
  return sightingOf(protocol, source, destination, sourcePort, portIn(request));
}

function portIn({ protocol, port }: ProbeRequest): number {
  return hasPorts(protocol) || protocol === ICMP || protocol === ICMPV6 ? port : 0;
}

/** On the way out address translation may have replaced the source and its port: protocol, destination and port remain. */
export function looseSighting(sighting: Sighting): Sighting {
  const [protocol, , destination, , port] = sighting.split(" ");
  return `${protocol} * ${destination} * ${port}`;
}

/** Something that several probes use; closed by the last of them. */
export interface Shared<T> {
  readonly value: T;
  users: number;
}

/** The shared thing of that key, opened if nobody has it yet; giving it back is added to `releases`. */
export function share<T extends { close(): void }>(
  table: Map<string, Shared<T>>,
  key: string,
  open: () => T,
  releases: (() => void)[],
): T {
  let shared = table.get(key);
  if (shared === undefined) {
    shared = { value: open(), users: 0 };
    table.set(key, shared);
  }
  const held = shared;
  held.users++;
  releases.push(() => {
    if (--held.users > 0) return;
    table.delete(key);
    held.value.close();
  });
  return held.value;
}
