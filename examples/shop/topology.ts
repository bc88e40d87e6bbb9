/**
 * The shop as data: which workloads there are, their addresses, labels and open ports.
 * Everything else (namespaces, DNS zone, inventory, the intruder's target list) is derived from here.
 * What must be allowed between them is *not* here but in `truth.json`, written by hand.
 */

export type Family = "ipv4" | "ipv6";
export type Protocol = "tcp" | "udp" | "icmp";

export interface OpenPort {
  readonly port: number;
  readonly protocol: "tcp" | "udp";
  /** What speaks there; the intruder uses it to go beyond the handshake. */
  readonly speaks: "http" | "sql" | "redis" | "dns";
}

export interface ShopWorkload {
  readonly name: string;
  /** Last part of both addresses: 10.77.0.<host> and fd77::<host>. */
  readonly host: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly open: readonly OpenPort[];
  /** Names in the shop's DNS that lead here. */
  readonly names: readonly string[];
}

export const ZONE = "shop.test";
export const GATEWAY = { ipv4: "10.77.0.1", ipv6: "fd77::1", linkLocal: "fe80::1" } as const;
/** Listens in the host namespace, as a node exporter would: what an INPUT rule has to protect. */
export const HOST_PORT: OpenPort = { port: 9101, protocol: "tcp", speaks: "http" };

const http = (port: number): OpenPort => ({ port, protocol: "tcp", speaks: "http" });

export const WORKLOADS: readonly ShopWorkload[] = [
  {
    name: "web",
    host: 10,
    labels: { app: "web", role: "frontend" },
    open: [http(80), http(8088)],
    names: ["web"],
  },
  {
    name: "storefront-1",
    host: 11,
    labels: { app: "storefront", role: "service" },
    open: [http(8080), http(9100)],
    names: ["storefront", "storefront-1"],
  },
  {
    name: "storefront-2",
    host: 12,
    labels: { app: "storefront", role: "service" },
    open: [http(8080), http(9100)],
    names: ["storefront", "storefront-2"],
  },
  {
    name: "checkout",
    host: 13,
    labels: { app: "checkout", role: "service" },
    open: [http(8081), http(9100)],
    names: ["checkout"],
  },
  {
    name: "db",
    host: 14,
    labels: { app: "db", role: "database" },
    open: [{ port: 5432, protocol: "tcp", speaks: "sql" }],
    names: ["db"],
  },
  {
    name: "cache",
    host: 15,
    labels: { app: "cache", role: "cache" },
    open: [{ port: 6379, protocol: "tcp", speaks: "redis" }],
    names: ["cache"],
  },
  {
    name: "dns",
    host: 53,
    labels: { app: "dns", role: "infrastructure" },
    open: [
      { port: 53, protocol: "udp", speaks: "dns" },
      { port: 53, protocol: "tcp", speaks: "dns" },
    ],
    names: ["dns"],
  },
  {
    name: "report",
    host: 17,
    labels: { app: "report", role: "batch" },
    open: [],
    names: ["report"],
  },
  {
    name: "metrics",
    host: 18,
    labels: { app: "metrics", role: "monitoring" },
    open: [],
    names: ["metrics"],
  },
  { name: "users", host: 20, labels: { app: "users", role: "client" }, open: [], names: ["users"] },
  {
    name: "intruder",
    host: 66,
    labels: { app: "intruder", role: "unknown" },
    open: [],
    names: ["intruder"],
  },
];

export interface WorldAddress {
  readonly name: string;
  readonly ipv4: string;
  readonly ipv6: string;
  readonly open: readonly OpenPort[];
}

/** "The internet": one namespace behind the host with two servers of very different meaning. */
export const WORLD_GATEWAY = { ipv4: "203.0.113.1", ipv6: "2001:db8:113::1" } as const;
export const WORLD: readonly WorldAddress[] = [
  { name: "payments.example", ipv4: "203.0.113.20", ipv6: "2001:db8:113::20", open: [http(8443)] },
  {
    name: "anywhere.example",
    ipv4: "203.0.113.66",
    ipv6: "2001:db8:113::66",
    open: [http(80), http(8443)],
  },
];

/**
 * What programs are configured with, beyond what they find by the shop's own names. Nobody asks for a refund while the shop is
 * watched: a destination that is known from here alone.
 */
export const CONFIGURATION: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  checkout: {
    PAYMENTS_URL: "http://payments.example:8443/charge",
    REFUNDS_URL: "http://refunds.example:9443/refunds",
  },
};

export function ipv4Of(workload: ShopWorkload): string {
  return `10.77.0.${workload.host}`;
}

export function ipv6Of(workload: ShopWorkload): string {
  return `fd77::${workload.host}`;
}

/** Link-local addresses are reachable on the bridge too, and easily forgotten by a policy. */
export function linkLocalOf(workload: ShopWorkload): string {
  return `fe80::77:${workload.host}`;
}

export function workloadNamed(name: string): ShopWorkload {
  const found = WORKLOADS.find((workload) => workload.name === name);
  if (found === undefined) throw new Error(`the shop has no workload \`${name}\``);
  return found;
}
