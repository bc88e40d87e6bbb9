/**
 * High ports that are no services: answers taken for connections, and ports that two programs agree upon over another
 * connection (FTP's data, ONC and Microsoft RPC). They are told, and never written as one rule a port.
 */
import { ICMP, ICMPV6, TCP, UDP } from "@bulkhead/model";
import type { Relation } from "./ends.ts";
import { isContinuing, substanceOf } from "./payload.ts";

/** Where Linux takes source ports from (`net.ipv4.ip_local_port_range`). */
export const EPHEMERAL_FROM = 32_768;
/** Below are ports that only privileged programs listen on, and nobody negotiates those. */
const NEGOTIATED_FROM = 1024;
const NEGOTIATED_PORTS = 3;
const HABIT_WINDOWS = 10;

/** Where the ports of others are agreed upon, and by which protocol. */
const CONTROL: readonly (readonly [number, string])[] = [
  [21, "FTP"],
  [990, "FTP"],
  [111, "ONC RPC"],
  [135, "Microsoft RPC"],
];

/** The pair of ends in either direction, so that a response mistaken for a connection finds its request. */
export function pairKey(relation: Relation): string {
  return [relation.source.key, relation.destination.key].toSorted().join("\n");
}

/** Why it is no service, in a sentence; undefined when nothing speaks against it. */
export function ephemeralDetail(
  relation: Relation,
  relations: ReadonlyMap<string, readonly Relation[]>,
  severalPorts: number,
): string | undefined {
  if (relation.protocol === ICMP || relation.protocol === ICMPV6) return undefined;
  const between = relations.get(pairKey(relation)) ?? [];
  return (
    answered(relation, between) ??
    negotiated(relation, between) ??
    sprayed(relation, between, severalPorts)
  );
}

/** From a server's port to whoever asked it: seen the wrong way round, since its beginning was not seen. */
function answered(relation: Relation, between: readonly Relation[]): string | undefined {
  if (relation.port < EPHEMERAL_FROM || isHabit(relation)) return undefined;
  const request = between.find(
    (other) =>
      other.protocol === relation.protocol &&
      other.source.key === relation.destination.key &&
      other.port < EPHEMERAL_FROM,
  );
  if (request === undefined) return undefined;
  return `looks like the answer to a connection on port ${request.port} the other way`;
}

function negotiated(relation: Relation, between: readonly Relation[]): string | undefined {
  if (relation.port < NEGOTIATED_FROM || isHabit(relation)) return undefined;
  if (relation.protocol !== TCP && relation.protocol !== UDP) return undefined;
  const sameWay = between.filter((other) => other.source.key === relation.source.key);
  const control = CONTROL.find(([port]) => sameWay.some((other) => other.port === port));
  if (control === undefined) return undefined;
  const dynamic = sameWay.filter((other) => other.port >= NEGOTIATED_FROM && !isHabit(other));
  if (dynamic.length < NEGOTIATED_PORTS) return undefined;
  const [port, name] = control;
  const ports = dynamic.map((other) => other.port);
  return `one of ${dynamic.length} ports (${Math.min(...ports)} to ${Math.max(...ports)}) that ${name} agrees upon over port ${port}: give the server a fixed range, and allow that by hand`;
}

function sprayed(
  relation: Relation,
  between: readonly Relation[],
  severalPorts: number,
): string | undefined {
  if (relation.port < EPHEMERAL_FROM || isHabit(relation)) return undefined;
  const high = between.filter(
    (other) =>
      other.protocol === relation.protocol &&
      other.source.key === relation.source.key &&
      other.port >= EPHEMERAL_FROM,
  );
  if (high.length < severalPorts) return undefined;
  return `one of ${high.length} high ports between the same two: negotiated, not a service`;
}

/** A port that carries data in many windows, or without end, is a service, whatever its number. */
function isHabit(relation: Relation): boolean {
  const windows = relation.edges.reduce((sum, edge) => sum + edge.windows, 0);
  if (relation.edges.some(isContinuing)) return true;
  return windows > HABIT_WINDOWS && relation.edges.some((edge) => substanceOf(edge) === "data");
}
