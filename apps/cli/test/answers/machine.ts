/** The machine: its workloads, how it stands, and where it drifted. */
import type { DriftAnswer, StatusAnswer, WorkloadsAnswer } from "@bulkhead/api";
import { NOW } from "../call.ts";
import { DIGEST, minute } from "./common.ts";

const workload = {
  id: "shop/web",
  namespace: "shop",
  name: "web",
  kind: "netns",
  labels: { app: "web", role: "frontend" },
  addresses: ["10.0.0.10", "fd00::10"],
  mode: "enforce",
  declared: true,
  attached: true,
  interface: "veth-web",
  netnsPath: "/run/netns/web",
  policies: ["Policy/shop/default-deny", "Intent/shop/web-to-db"],
} as const;

export const workloads: WorkloadsAnswer = {
  revision: 3,
  workloads: [
    {
      ...workload,
      labels: { ...workload.labels },
      addresses: [...workload.addresses],
      policies: [...workload.policies],
    },
    {
      ...workload,
      id: "shop/db",
      name: "db",
      labels: { app: "db" },
      addresses: ["10.0.0.14"],
      mode: "audit",
      interface: "veth-db",
      policies: [],
    },
    {
      ...workload,
      id: "lab/web",
      namespace: "lab",
      labels: {},
      addresses: ["10.0.9.10"],
      mode: "observe",
      declared: false,
      attached: false,
      interface: undefined,
      policies: [],
    },
  ],
  hostAddresses: ["10.0.0.1"],
};

const unit = {
  ...workload,
  namespace: "host",
  kind: "process",
  addresses: [],
  declared: false,
  mode: "observe",
  interface: undefined,
  netnsPath: undefined,
  policies: [],
} as const;

/** A machine with services of its own. */
export const units: WorkloadsAnswer = {
  ...workloads,
  workloads: [
    ...workloads.workloads.slice(0, 1),
    {
      ...unit,
      addresses: [],
      policies: [],
      id: "host/nginx.service",
      name: "nginx.service",
      labels: {
        "bulkhead.dev/unit": "nginx.service",
        "bulkhead.dev/slice": "system.slice",
        app: "nginx",
      },
      cgroup: "/system.slice/nginx.service",
      sockets: [
        { family: 4, protocol: 6, port: 80 },
        { family: 6, protocol: 6, port: 80 },
        { family: 4, protocol: 6, port: 8081, address: "127.0.0.1" },
      ],
      capabilities: ["CAP_NET_RAW"],
      running: {
        count: 3,
        processes: [
          { pid: 700, name: "nginx", user: "root" },
          { pid: 701, name: "nginx", user: "www-data" },
        ],
        users: ["root", "www-data"],
        executable: {
          path: "/usr/sbin/nginx",
          size: 1_250_000,
          digest: DIGEST,
          package: "nginx",
        },
      },
      idle: false,
    },
    {
      ...unit,
      addresses: [],
      policies: [],
      id: "host/cups.service",
      name: "cups.service",
      labels: { "bulkhead.dev/unit": "cups.service", app: "cups" },
      cgroup: "/system.slice/cups.service",
      sockets: [],
      borrowed: [
        { maker: "host/init.scope", how: "activated", ports: [{ protocol: 6, port: 631 }] },
      ],
      idle: false,
    },
    {
      ...unit,
      addresses: [],
      policies: [],
      id: "host/cron.service",
      name: "cron.service",
      labels: { "bulkhead.dev/unit": "cron.service", app: "cron" },
      cgroup: "/system.slice/cron.service",
      sockets: [],
      idle: true,
    },
  ],
  namespaces: [{ name: "shop", labels: { team: "shop" } }],
};

export const receipt = {
  host: "edge-1",
  revision: 3,
  digest: DIGEST,
  driver: "nftables",
  readAt: NOW - 1000,
  entries: 214,
  matches: true,
};

export const status: StatusAnswer = {
  version: "0.1.0",
  state: "ok",
  problems: [],
  startedAt: NOW - 3 * 3600 * 1000,
  revision: 3,
  mode: "enforce",
  resources: { enforce: 4, audit: 0 },
  digest: DIGEST,
  profile: { nodeExempt: true, hairpinExempt: true, default: "allow" },
  modes: { observe: 1, audit: 1, enforce: 9 },
  coverage: { workloads: 11, underPolicy: 10, enforced: 9, ratio: 10 / 11, enforcedRatio: 9 / 11 },
  agents: [
    {
      host: "edge-1",
      connected: true,
      since: NOW - 1000,
      pid: 4711,
      version: "0.1.0",
      driver: "nftables",
      endpoints: 11,
      exemptions: { version: 1, list: ["neighbour discovery", "ICMP errors"] },
      counters: {
        live_suppressed: 1200,
        shadow_suppressed: 4,
        live_overflowed: 0,
        not_syn: 2,
        dns_read: 1530,
        dns_malformed: 2,
        dns_lost: 1,
        dns_suppressed: 40,
      },
      receipt: { ...receipt, ageMs: 1200, signed: true },
      collector: {
        alive: true,
        received: 120_400,
        delivered: 120_400,
        lost: 0,
        queueDepth: 0,
        lastEventAt: NOW - 10,
      },
    },
  ],
  drift: { setting: "repair", total: 0 },
  flows: {
    store: "3f0c5f0e-6d7b-4b52-8d66-0a9c1f1d2e3b",
    stored: 98_000,
    bytes: 7_340_032,
    oldest: NOW - 86_400_000,
    newest: NOW - 1000,
    waiting: 0,
    redated: 0,
    unstored: 0,
    writable: true,
  },
  lostEvents: 0,
  alarms: [],
  probe: {
    revision: 3,
    rules: 28,
    boundaries: 40,
    passed: 68,
    failed: 0,
    skipped: 0,
    proven: true,
    tookMs: 4200,
    at: NOW - 5 * minute,
  },
};

export const invariants: StatusAnswer["invariants"] & object = {
  at: NOW - minute,
  revision: 3,
  checks: [
    {
      name: "dns 10.0.0.1",
      kind: "dns",
      address: "10.0.0.1",
      port: 53,
      before: "held",
      after: "held",
    },
    {
      name: "ssh from 192.0.2.7",
      kind: "ssh",
      address: "192.0.2.7",
      port: 22,
      before: "held",
      after: "held",
    },
    {
      name: "ntp 10.0.0.2",
      kind: "ntp",
      address: "10.0.0.2",
      port: 123,
      before: "held",
      after: "failed",
      detail: "no answer within 1.5 s",
    },
    {
      name: "dns 10.0.0.9",
      kind: "dns",
      address: "10.0.0.9",
      port: 53,
      before: "failed",
      detail: "connect ECONNREFUSED",
    },
  ],
};

export const unwell: StatusAnswer = {
  ...status,
  invariants,
  state: "failing",
  resources: { enforce: 3, audit: 2 },
  problems: [
    "the agent on edge-1 is away",
    "3 events were lost",
    "drift on edge-1: table inet bulkhead is gone (2 times)",
  ],
  notices: ["shop/router has processes with CAP_NET_ADMIN"],
  confirm: { revision: 3, by: NOW + 42_000, revertsTo: 2 },
  agents: [
    {
      ...status.agents[0]!,
      connected: false,
      counters: { live_suppressed: 9, live_overflowed: 70_000, unknown_port: 31 },
      collector: { ...status.agents[0]!.collector, alive: false, lost: 3, queueDepth: 12 },
      receipt: { ...receipt, matches: false, ageMs: 9000, signed: false },
    },
  ],
  drift: {
    setting: "report",
    total: 2,
    last: {
      host: "edge-1",
      detectedAt: NOW - minute,
      revision: 3,
      expectedDigest: DIGEST,
      actualDigest: null,
      differences: ["table inet bulkhead is gone"],
      repaired: false,
    },
  },
  flows: { ...status.flows, waiting: 1200, unstored: 7, writable: false },
  undecided: [
    {
      source: { address: "198.51.100.7", name: "world", labels: {} },
      destination: { address: "10.0.0.10", workload: "shop/web", name: "shop/web", labels: {} },
      protocol: 6,
      port: 8080,
      connections: 2,
      until: NOW + 4 * minute,
    },
  ],
  lostEvents: 3,
  alarms: [
    {
      at: NOW - minute,
      kind: "verdict",
      message: "shop/web → shop/db 5432/tcp was forwarded; the reference says drop",
      count: 2,
    },
    {
      at: NOW - minute,
      kind: "drift",
      message: "drift on edge-1: table inet bulkhead is gone",
      count: 2,
    },
  ],
  probe: undefined,
};

export const drifted: DriftAnswer = {
  setting: "report",
  reports: [
    {
      host: "edge-1",
      detectedAt: NOW - 2 * minute,
      revision: 3,
      expectedDigest: DIGEST,
      actualDigest: DIGEST,
      differences: ["chain forward was emptied"],
      repaired: true,
    },
    {
      host: "edge-1",
      detectedAt: NOW - minute,
      revision: 3,
      expectedDigest: DIGEST,
      actualDigest: null,
      differences: [1, 2, 3, 4, 5, 6, 7].map((n) => `element 10.0.0.${n} missing from class a`),
      repaired: false,
    },
  ],
};

/** The machine is judged like its workloads, and serves them. */
export const servesLeasesAndNames: StatusAnswer = {
  ...status,
  profile: {
    nodeExempt: false,
    hairpinExempt: true,
    default: "allow",
    dhcp: ["br0", "br1"],
    dns: [
      { address: "10.0.0.1", port: 53 },
      { address: "fd00::1", port: 5353 },
    ],
  },
};
