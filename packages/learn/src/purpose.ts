/**
 * What everybody's network carries beside the work of the applications: names, time, leases, metadata, administration and
 * monitoring. It is known by its port, by where it goes, or by who asks, and is told by its name.
 */
import {
  formatPort,
  TCP,
  UDP,
  type Edge,
  type FlowEnd,
  type IpAddress,
  type Labels,
  type ProtocolNumber,
  type TrafficPurpose,
} from "@bulkhead/model";

/** Where clouds keep what a machine may know of itself, credentials included (AWS, Azure, Google and others agree on it). */
const METADATA: readonly IpAddress[] = ["169.254.169.254", "fd00:ec2::254"];

export const DNS_PORT = 53;

/** IANA's numbers, and exporters of Prometheus as their documents list them. */
const BY_PORT: readonly (readonly [ProtocolNumber, readonly number[], TrafficPurpose])[] = [
  [UDP, [DNS_PORT], "dns"],
  [TCP, [DNS_PORT, 853], "dns"],
  [UDP, [123], "ntp"],
  [UDP, [67, 68, 546, 547], "dhcp"],
  [TCP, [22], "ssh"],
  [UDP, [161, 8125], "monitoring"],
  [TCP, [9100, 9104, 9113, 9121, 9182, 9187, 9216, 9256, 9323, 10_250, 10_050], "monitoring"],
];

const MONITORS =
  /(^|[^a-z])(prometheus|vmagent|telegraf|zabbix|nagios|icinga|datadog|collectd|otel|opentelemetry|grafana-agent|alloy|metrics|monitoring)([^a-z]|$)/i;

/** Labels that say what a workload does. */
const ROLE_LABELS = ["app.kubernetes.io/name", "app", "k8s-app", "role", "bulkhead.dev/unit"];

export function purposeOf(
  edge: Pick<Edge, "source" | "destination" | "protocol" | "port">,
): TrafficPurpose | undefined {
  if (METADATA.includes(edge.destination.address)) return "metadata";
  return (
    purposeOfPort(edge.protocol, edge.port) ?? (asksAll(edge.source) ? "monitoring" : undefined)
  );
}

export function purposeOfPort(protocol: ProtocolNumber, port: number): TrafficPurpose | undefined {
  return BY_PORT.find(([one, ports]) => one === protocol && ports.includes(port))?.[2];
}

/** Is it a monitor by its own labels? Then whatever it asks is monitoring. */
function asksAll(end: FlowEnd): boolean {
  return isMonitor(end.labels);
}

export function isMonitor(labels: Labels): boolean {
  return ROLE_LABELS.some((key) => MONITORS.test(labels[key] ?? ""));
}

/** Well-known conversations with whoever listens (IANA's registries of multicast addresses and of ports). */
const HEARD: readonly (readonly [ProtocolNumber, number, string])[] = [
  [UDP, 67, "DHCP"],
  [UDP, 547, "DHCPv6"],
  [UDP, 5353, "mDNS"],
  [UDP, 5355, "LLMNR"],
  [UDP, 1900, "SSDP"],
  [UDP, 3702, "WS-Discovery"],
  [UDP, 137, "NetBIOS names"],
  [UDP, 138, "NetBIOS datagrams"],
  [UDP, 123, "NTP"],
  [UDP, 520, "RIP"],
  [112, 0, "VRRP"],
  [2, 0, "IGMP"],
  [89, 0, "OSPF"],
];

/** `mDNS`; or the port alone, where it is nothing that is known. */
export function heardName({ protocol, port }: Pick<Edge, "protocol" | "port">): string {
  const known = HEARD.find(([one, number]) => one === protocol && number === port)?.[2];
  return known ?? formatPort(protocol, port);
}
