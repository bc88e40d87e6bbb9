/** Names of flow ends and ports as the demo compares them: `db`, `payments.example`, `5432/tcp`. */
import type { Edge, FlowEnd } from "@bulkhead/model";
import { SHOP_NAMESPACE } from "@bulkhead/example-shop/inventory";
import { pairKey } from "./truth.ts";

const PROTOCOLS: Readonly<Record<number, string>> = {
  1: "icmp",
  6: "tcp",
  17: "udp",
  58: "icmp",
  132: "sctp",
};

export function nameOf(end: FlowEnd): string {
  const name = end.workload ?? end.name;
  return name.startsWith(`${SHOP_NAMESPACE}/`) ? name.slice(SHOP_NAMESPACE.length + 1) : name;
}

export function portName(edge: Edge): string {
  const protocol = PROTOCOLS[edge.protocol] ?? String(edge.protocol);
  return protocol === "icmp" ? "icmp" : `${edge.port}/${protocol}`;
}

export function keyOf(edge: Edge): string {
  return pairKey(nameOf(edge.source), nameOf(edge.destination), portName(edge));
}

export function touchesIntruder(edge: Edge): boolean {
  return nameOf(edge.source) === "intruder" || nameOf(edge.destination) === "intruder";
}

export function isIpv6(edge: Edge): boolean {
  return edge.destination.address.includes(":");
}
