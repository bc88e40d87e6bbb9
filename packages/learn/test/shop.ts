/** A shop as the collector would report it: workloads with labels and addresses, and the edges between them. */
import {
  ICMP,
  TCP,
  UDP,
  type Edge,
  type FlowEnd,
  type Inventory,
  type Workload,
} from "@bulkhead/model";

export const HOST = "10.0.0.1";

export function workload(
  name: string,
  host: number,
  labels: Readonly<Record<string, string>>,
  namespace = "shop",
): Workload {
  return {
    id: `${namespace}/${name}`,
    namespace,
    name,
    kind: "netns",
    labels,
    addresses: [`10.0.0.${host}`, `fd00::${host.toString(16)}`],
    namedPorts: [],
    hostNetwork: false,
  };
}

export const SHOP: readonly Workload[] = [
  workload("web", 10, { app: "web", role: "frontend" }),
  workload("storefront-1", 11, { app: "storefront", role: "service" }),
  workload("storefront-2", 12, { app: "storefront", role: "service" }),
  workload("checkout", 13, { app: "checkout", role: "service" }),
  workload("db", 14, { app: "db", role: "database" }),
  workload("cache", 15, { app: "cache", role: "cache" }),
  workload("report", 17, { app: "report", role: "batch" }),
  workload("metrics", 18, { app: "metrics", role: "monitoring" }),
  workload("users", 20, { app: "users", role: "client" }),
  workload("dns", 53, { app: "dns", role: "infrastructure" }),
  workload("intruder", 66, { app: "intruder", role: "unknown" }),
];

export function inventoryOf(workloads: readonly Workload[] = SHOP): Inventory {
  const namespaces = [...new Set(workloads.map((item) => item.namespace))];
  return {
    workloads,
    namespaces: namespaces.map((name) => ({
      name,
      labels: { "kubernetes.io/metadata.name": name },
    })),
    hostAddresses: [HOST],
  };
}

export function endOf(nameOrAddress: string, family: 4 | 6 = 4, workloads = SHOP): FlowEnd {
  const found = workloads.find(
    (item) => item.id === nameOrAddress || item.id === `shop/${nameOrAddress}`,
  );
  if (found !== undefined) {
    const address = found.addresses[family === 4 ? 0 : 1] ?? "";
    return { address, workload: found.id, name: found.id, labels: found.labels };
  }
  if (nameOrAddress === "host") return { address: HOST, name: "host", labels: {} };
  return { address: nameOrAddress, name: "world", labels: {} };
}

/** A healthy edge, seen often; `over` changes what a test is about. */
export function edge(
  from: string,
  to: string,
  port: string,
  over: Partial<Edge> = {},
  family: 4 | 6 = 4,
  workloads = SHOP,
): Edge {
  const [number = "", protocol = "tcp"] = port.split("/");
  const connections = over.connections ?? 40;
  return {
    source: endOf(from, family, workloads),
    destination: endOf(to, family, workloads),
    protocol: protocol === "udp" ? UDP : protocol === "icmp" ? ICMP : TCP,
    port: Number(number),
    verdict: "forwarded",
    connections,
    established: connections,
    failed: 0,
    bytes: connections * 2_000,
    packets: connections * 10,
    firstSeen: 1_000_000,
    lastSeen: 1_060_000,
    windows: Math.min(connections, 30),
    ...over,
  };
}

export const silent = (over: Partial<Edge> = {}): Partial<Edge> => ({
  connections: 1,
  established: 0,
  failed: 1,
  bytes: 60,
  packets: 1,
  windows: 1,
  ...over,
});

export const USERS = ["users", "web", "storefront-1", "storefront-2", "checkout", "metrics"];

/** Everything the shop needs, over IPv4 and, for names, over IPv6 too. */
export function shopEdges(): readonly Edge[] {
  const rare = { connections: 2, established: 2, bytes: 9_000, packets: 30, windows: 2 };
  return [
    edge("users", "web", "80/tcp"),
    edge("users", "web", "80/tcp", {}, 6),
    ...["storefront-1", "storefront-2"].flatMap((name) => [
      edge("web", name, "8080/tcp"),
      edge(name, "checkout", "8081/tcp"),
      edge(name, "db", "5432/tcp"),
      edge(name, "cache", "6379/tcp"),
      edge("metrics", name, "9100/tcp"),
    ]),
    edge("checkout", "db", "5432/tcp"),
    edge("checkout", "cache", "6379/tcp"),
    edge("checkout", "203.0.113.20", "8443/tcp"),
    edge("report", "db", "5432/tcp", rare),
    edge("report", "cache", "6379/tcp", rare),
    edge("report", "dns", "53/udp", rare),
    edge("metrics", "web", "8088/tcp"),
    edge("metrics", "checkout", "9100/tcp"),
    ...USERS.flatMap((name) => [edge(name, "dns", "53/udp"), edge(name, "dns", "53/udp", {}, 6)]),
  ];
}

/** A port scan of the neighbours, a try at the database that gets an answer, names, and a way out. */
export function intruderEdges(): readonly Edge[] {
  const targets = ["web", "db", "cache", "checkout"];
  const ports = [21, 22, 23, 25, 80, 443, 3306, 5432, 6379, 8081];
  const open = new Set(["web 80", "db 5432", "cache 6379", "checkout 8081"]);
  const scan = targets.flatMap((to) =>
    ports.map((port) =>
      open.has(`${to} ${port}`)
        ? edge("intruder", to, `${port}/tcp`, {
            connections: 1,
            bytes: 900,
            packets: 8,
            windows: 1,
          })
        : edge("intruder", to, `${port}/tcp`, silent()),
    ),
  );
  return [
    ...scan,
    edge("intruder", "dns", "53/udp", { connections: 3, windows: 3 }),
    edge("intruder", "203.0.113.66", "80/tcp", { connections: 4, windows: 4 }),
  ];
}
