/** Traffic of a small shop, as the store aggregates it. */
import { ICMP, TCP, UDP, type Edge, type Flow, type FlowEnd } from "@bulkhead/model";

export const NOON = Date.UTC(2026, 2, 31, 12);

export function workload(id: string, address: string, labels: Record<string, string>): FlowEnd {
  return { address, workload: id, name: id, labels };
}

export const web = workload("shop/web", "10.0.0.10", { app: "web" });
export const front1 = workload("shop/front-1", "10.0.0.11", { app: "storefront" });
export const front2 = workload("shop/front-2", "10.0.0.12", { app: "storefront" });
export const db = workload("shop/db", "10.0.0.14", { app: "db", role: "database" });
export const cron = workload("ops/cron", "fd00::20", {});
export const world = { address: "203.0.113.66", name: "world", labels: {} };
export const mirror = { address: "203.0.113.9", name: "world", labels: {} };
export const host = { address: "10.0.0.1", name: "host", labels: {} };
/** A NetworkSet, and a name that would break any of the pictures if it could. */
export const office = { address: "198.51.100.4", name: `office "A" <&|#>\\`, labels: {} };

export function edge(source: FlowEnd, destination: FlowEnd, over: Partial<Edge> = {}): Edge {
  return {
    source,
    destination,
    protocol: TCP,
    port: 8080,
    verdict: "forwarded",
    connections: 10,
    established: 10,
    failed: 0,
    bytes: 1000,
    packets: 40,
    firstSeen: NOON - 60_000,
    lastSeen: NOON,
    windows: 5,
    ...over,
  };
}

export const edges: readonly Edge[] = [
  edge(office, web, { port: 443, connections: 1204, bytes: 2_345_678, failed: 4 }),
  edge(web, front1),
  edge(web, front2, { connections: 5 }),
  edge(front1, db, { port: 5432, connections: 22 }),
  edge(front2, db, { port: 5432, connections: 0, established: 0, bytes: 70 }),
  edge(front1, db, { protocol: ICMP, port: 2048, connections: 1 }),
  edge(front1, db, { port: 5433, connections: 2 }),
  edge(front1, db, { protocol: UDP, port: 53, connections: 2 }),
  edge(front1, front2, { port: 7946, connections: 3 }),
  edge(db, web, { port: 9000, connections: 1, verdict: "audit", rule: "Policy/shop/db#egress" }),
  edge(cron, db, { port: 5432, connections: 2, established: 0, failed: 2, verdict: "rejected" }),
  edge(cron, db, { port: 22, connections: 1, established: 0, failed: 1, verdict: "dropped" }),
  edge(cron, host, { protocol: UDP, port: 123, connections: 1 }),
  edge(front1, world, { port: 443, connections: 6 }),
  edge(front1, mirror, { port: 443, connections: 6 }),
];

export function flow(over: Partial<Flow> = {}): Flow {
  return {
    start: NOON - 1500,
    end: NOON,
    source: web,
    destination: db,
    protocol: TCP,
    port: 5432,
    sourcePort: 40_000,
    verdict: "forwarded",
    connections: 1,
    established: 1,
    failed: 0,
    bytes: 1500,
    packets: 12,
    ...over,
  };
}
