/** What was seen: edges, flows, and what is suggested for them. */
import type { SuggestAnswer } from "@bulkhead/api";
import { TCP, UDP, type Edge, type Flow } from "@bulkhead/model";
import { NOW } from "../call.ts";
import { db, minute, web, world } from "./common.ts";

export function edge(over: Partial<Edge> = {}): Edge {
  return {
    source: web,
    destination: db,
    protocol: TCP,
    port: 5432,
    verdict: "forwarded",
    connections: 1204,
    established: 1200,
    failed: 4,
    bytes: 2_345_678,
    packets: 9_000,
    firstSeen: NOW - 90 * minute,
    lastSeen: NOW - 3_000,
    windows: 700,
    ...over,
  };
}

export const edges: readonly Edge[] = [
  edge(),
  edge({
    destination: world,
    port: 80,
    verdict: "dropped",
    rule: "Policy/shop/default-deny#egress",
    connections: 3,
    established: 0,
    failed: 3,
    bytes: 180,
  }),
  edge({
    source: db,
    destination: { ...web, address: "fd00::10" },
    protocol: UDP,
    port: 53,
    verdict: "audit",
    rule: "Policy/shop/default-deny#egress",
    connections: 1,
    failed: 0,
  }),
];

function flowOf(): Flow {
  return {
    start: NOW - 2000,
    end: NOW - 1990,
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
  };
}

export const flows: readonly Flow[] = [
  { ...flowOf(), verdict: "forwarded" },
  {
    ...flowOf(),
    start: NOW - 1000,
    verdict: "dropped",
    rule: "Policy/shop/db#ingress",
    connections: 3,
    established: 0,
    failed: 3,
  },
  { ...flowOf(), start: NOW - 500, verdict: "forwarded", established: 0, failed: 1 },
  {
    ...flowOf(),
    node: "server-1",
    start: NOW - 100,
    source: {
      ...web,
      process: {
        name: "nginx",
        pid: 812,
        uid: 33,
        user: "www-data",
        cgroup: "/system.slice/nginx.service",
        unit: "nginx.service",
      },
    },
    destination: { ...world, names: ["cdn.example.com", "www.example.com"] },
    port: 443,
  },
];

export const suggestion: SuggestAnswer = {
  files: [
    {
      name: "suggested.yaml",
      text: "# Least privilege\n---\napiVersion: bulkhead.dev/v1\nkind: Intent\n",
    },
  ],
  rules: [
    {
      resource: "Intent/shop/web-to-db",
      application: "shop",
      rule: "web → db",
      ports: "5432/tcp",
      connections: 1204,
      edges: 2,
      firstSeen: NOW - 90 * minute,
      lastSeen: NOW - 3000,
      rare: false,
      slack: { permitted: 6, used: 2, beyond: [{ cause: "copies", pairs: 4 }] },
    },
    {
      resource: "Intent/shop/report-to-db",
      application: "shop",
      purpose: "monitoring",
      rule: "report → db",
      ports: "5432/tcp",
      connections: 2,
      edges: 1,
      firstSeen: NOW - 90 * minute,
      lastSeen: NOW - 80 * minute,
      rare: true,
      slack: { permitted: 1, used: 1, beyond: [] },
    },
  ],
  setAside: [21, 22, 23, 25, 80, 443].map((port) => ({
    edge: edge({
      source: { ...web, name: "shop/intruder", workload: "shop/intruder" },
      port,
      established: 0,
      failed: 1,
      connections: 1,
    }),
    reason: "scan",
    detail: "`shop/intruder` tried 42 targets, 36 of which never answered",
  })),
  links: [
    {
      text: "shop/report → shop/db 5432/tcp",
      resource: "Intent/shop/report-to-db",
      firstSeen: NOW - 90 * minute,
    },
    {
      text: "shop/web → shop/db 5432/tcp",
      resource: "Intent/shop/web-to-db",
      firstSeen: NOW - 80 * minute,
    },
  ],
  applications: [{ id: "shop", namespace: "shop", owner: "red", workloads: 4 }],
  perApplication: [
    { name: "shop.yaml", application: "shop", text: "# shop\n---\nkind: Intent\n" },
    { name: "shop.till.yaml", application: "shop/till", text: "# till\n---\nkind: Policy\n" },
  ],
  networkSets: [
    {
      resource: "NetworkSet/shop/api.example.com",
      application: "shop",
      basis: { kind: "dns", name: "api.example.com", also: [] },
      cidrs: ["203.0.113.7/32", "203.0.113.8/32"],
      addresses: 2,
      firstSeen: NOW - 90 * minute,
      lastSeen: NOW - minute,
    },
  ],
  edges: 3,
  readiness: [
    {
      application: "shop",
      state: "ready-except",
      text: "ready except for the end of a quarter: 12 edges in 30 days; unseen 0.3 % (0–1.9 %)",
    },
    { application: "till", state: "learning", text: "learning" },
  ],
};
