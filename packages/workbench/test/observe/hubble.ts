/** Lines of a Hubble export, as `hubble observe -o jsonpb` writes them, for tests. */

export interface Pod {
  readonly ip: string;
  readonly namespace: string;
  readonly pod: string;
  readonly app: string;
}

export const WEB: Pod = { ip: "10.1.0.5", namespace: "shop", pod: "web-7d4f", app: "web" };
export const DB: Pod = { ip: "10.1.0.6", namespace: "shop", pod: "db-0", app: "db" };

function endpoint(end: Pod | string, labels: readonly string[]): unknown {
  if (typeof end === "string") return { identity: 2, labels };
  return {
    ID: 3,
    identity: 4711,
    cluster_name: "default",
    namespace: end.namespace,
    labels: [
      `k8s:app=${end.app}`,
      "k8s:io.cilium.k8s.policy.cluster=default",
      `k8s:io.kubernetes.pod.namespace=${end.namespace}`,
    ],
    pod_name: end.pod,
    workloads: [{ name: end.app, kind: "Deployment" }],
  };
}

export interface PacketOver {
  readonly time?: string;
  readonly sourcePort?: number;
  readonly flags?: Readonly<Record<string, true>>;
  readonly reply?: boolean | null;
  readonly verdict?: string;
  readonly names?: readonly string[];
  readonly reserved?: string;
  readonly protocol?: "TCP" | "UDP";
}

/** `from` and `to` are the packet's own: a reply comes from the server. */
export function packet(
  from: Pod | string,
  to: Pod | string,
  port: number,
  over: PacketOver = {},
): Record<string, unknown> {
  const { time = "2026-03-31T17:00:00.123456789Z", sourcePort = 40_000, reply = false } = over;
  const reserved = [over.reserved ?? "reserved:world"];
  const ipOf = (end: Pod | string): string => (typeof end === "string" ? end : end.ip);
  const protocol = over.protocol ?? "TCP";
  const ports = reply === true ? [port, sourcePort] : [sourcePort, port];
  return {
    time,
    uuid: "c4b3",
    verdict: over.verdict ?? "FORWARDED",
    IP: { source: ipOf(from), destination: ipOf(to), ipVersion: "IPv4" },
    l4: {
      [protocol]: {
        source_port: ports[0],
        destination_port: ports[1],
        ...(protocol === "TCP" ? { flags: over.flags ?? { SYN: true } } : {}),
      },
    },
    source: endpoint(from, reserved),
    destination: endpoint(to, reserved),
    Type: "L3_L4",
    node_name: "node-1",
    ...(over.names === undefined ? {} : { destination_names: over.names }),
    event_type: { type: 4, sub_type: 3 },
    traffic_direction: "EGRESS",
    ...(reply === null ? {} : { is_reply: reply }),
  };
}

/** A connection that was answered, seen at both ends. */
export function connection(
  from: Pod | string,
  to: Pod | string,
  port: number,
  sourcePort: number,
  over: PacketOver = {},
): readonly Record<string, unknown>[] {
  const { names: _names, ...back } = over;
  return [
    packet(from, to, port, { ...over, sourcePort, flags: { SYN: true } }),
    packet(from, to, port, { ...over, sourcePort, flags: { SYN: true } }),
    packet(to, from, port, { ...back, sourcePort, flags: { SYN: true, ACK: true }, reply: true }),
  ];
}

export const line = (flow: Record<string, unknown>, bare = false): string =>
  JSON.stringify(bare ? flow : { flow, node_name: "node-1", time: flow["time"] });
