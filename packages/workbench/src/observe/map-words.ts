/** The words on a service map, the same in every picture of it. */
import { bytes, many, thousands } from "../words.ts";
import type { MapArrow, MapNode, MapPort } from "./service-map.ts";

/** `5432/tcp, 53/udp and 2 more` */
export function portsText(ports: readonly MapPort[], limit = 3): string {
  const shown = ports.slice(0, limit).map(({ port }) => port);
  const more = ports.length - shown.length;
  return more === 0 ? shown.join(", ") : `${shown.join(", ")} and ${more} more`;
}

/** `1,204`, `3 denied`, `1 would be denied`; connections from before the time asked for have only bytes. */
export function countText({ outcome, connections, bytes: size }: MapArrow): string {
  if (connections === 0 && size > 0) return "open";
  const count = thousands(connections);
  if (outcome === "passed") return count;
  return outcome === "audit" ? `${count} would be denied` : `${count} denied`;
}

/** `2 workloads`, `3 addresses`; nothing to say of one that is alone. */
export function membersText({ kind, members }: MapNode): string | undefined {
  if (members.length < 2) return undefined;
  return kind === "outside"
    ? many(members.length, "address", "addresses")
    : many(members.length, "workload");
}

/** Everything an arrow stands for, for those who ask. */
export function arrowText(arrow: MapArrow, from: MapNode, to: MapNode): string {
  const outcome = { passed: "passed", audit: "would be denied", denied: "denied" }[arrow.outcome];
  const ports = arrow.ports.map(({ port, connections }) => `${port} ×${thousands(connections)}`);
  const failed = arrow.failed === 0 ? "" : `, ${thousands(arrow.failed)} failed`;
  return `${labelOf(from)} → ${labelOf(to)}: ${outcome}, ${ports.join(", ")}${failed}, ${bytes(arrow.bytes)}`;
}

/** With its namespace. */
export function labelOf({ namespace, name }: MapNode): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}
