/** Every message survives the wire unchanged, and what this version does not know is refused by name. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { decodeAgentMessage } from "../src/agent-codec.ts";
import { AgentMessageSchema } from "../src/gen/bulkhead/agent/v1/agent_pb.js";
import {
  agentLinkService,
  WireError,
  type AgentMessage,
  type ControllerMessage,
} from "../src/index.ts";

const { connect } = agentLinkService;

const receipt = {
  revision: 4,
  digest: `sha256:${"ab".repeat(32)}`,
  driver: "nftables" as const,
  readAt: 1_790_000_000_123,
  entries: 12,
  signature: "c2ln",
};
const collector = {
  alive: true,
  received: 2 ** 40,
  delivered: 9,
  lost: 1,
  queueDepth: 3,
  lastEventAt: 1_790_000_000_000,
};

const agentMessages: readonly AgentMessage[] = [
  {
    kind: "hello",
    host: "box",
    boot: "b1",
    pid: 12,
    version: "0.1.0",
    driver: "nftables",
    publicKey: new Uint8Array([1, 2, 3]),
    sequence: 9,
    receipt,
    exemptions: { version: 1, list: ["neighbour discovery"] },
  },
  {
    kind: "discovered",
    endpoints: [
      {
        kind: "container",
        name: "web",
        containerLabels: { app: "web" },
        bridge: "br0",
        image: "nginx:1",
        interface: "veth1",
        ifindex: 4,
        mac: "02:00:00:00:00:01",
        addresses: ["10.0.0.2", "fd00::2"],
        netnsPath: "/proc/12/ns/net",
        listeners: [{ protocol: 6, port: 80, family: 4 }],
        capabilities: ["CAP_NET_ADMIN"],
      },
    ],
    ports: [{ interface: "eth1", ifindex: 3 }],
    relays: ["docker-proxy"],
    unread: [{ interface: "veth7", ifindex: 9 }],
    processes: [
      {
        cgroup: "/system.slice/nginx.service",
        form: "service",
        unit: "nginx.service",
        sockets: [
          { family: 4, protocol: 6, port: 80 },
          { address: "fd00::1", family: 6, protocol: 17, port: 443 },
        ],
        borrowed: [
          { maker: "/init.scope", how: "activated", ports: [{ protocol: 6, port: 81 }] },
          { maker: "", how: "moved", ports: [] },
        ],
        capabilities: ["CAP_NET_RAW"],
      },
      {
        cgroup: "/docker/0123",
        form: "container",
        unit: "0123",
        container: "web",
        containerLabels: { app: "web" },
        image: "nginx:1",
        sockets: [],
      },
      {
        cgroup: "/user.slice/user-1000.slice",
        form: "user",
        unit: "user-1000.slice",
        user: "alice",
        sockets: [],
      },
    ],
    processesProblem: "something",
    hostListeners: [{ protocol: 17, port: 53, family: 6 }],
    hostAddresses: ["10.0.0.1"],
    sessions: [
      { source: "10.0.0.9", destination: "10.0.0.1", protocol: 6, port: 22, what: "ssh session" },
    ],
  },
  {
    kind: "flows",
    sequence: 3,
    collector,
    records: [
      {
        start: 1_790_000_000_000,
        end: 1_790_000_000_900,
        source: "10.0.0.2",
        destination: "10.0.0.3",
        protocol: 6,
        port: 5432,
        sourcePort: 40000,
        verdict: "dropped",
        cookie: "0badcafe",
        direction: "ingress",
        connections: 2,
        established: 0,
        failed: 2,
        bytes: 120,
        packets: 2,
        probe: true,
        translated: true,
        sourceNames: ["web.example"],
        destinationNames: ["a.example", "b.example"],
        sourceProcess: { uid: 0 },
        destinationProcess: {
          name: "nginx",
          pid: 7,
          uid: 33,
          user: "www-data",
          cgroup: "/system.slice/nginx.service",
          unit: "nginx.service",
        },
      },
      {
        start: 1_790_000_000_000,
        end: 1_790_000_000_001,
        source: "10.0.0.2",
        destination: "10.0.0.3",
        protocol: 6,
        port: 5432,
        sourcePort: 40001,
        verdict: "forwarded",
        connections: 1,
        established: 1,
        failed: 0,
        bytes: 120,
        packets: 2,
        // Not root: nobody knows.
        sourceProcess: { cgroup: "/system.slice/feed.service", unit: "feed.service" },
      },
    ],
  },
  { kind: "applied", sequence: 5, revision: 4, receipt, differences: [] },
  { kind: "applied", sequence: 5, revision: 4, error: "no room", differences: ["a set is full"] },
  {
    kind: "drift",
    detectedAt: 1,
    revision: 4,
    expectedDigest: "sha256:a",
    actualDigest: null,
    differences: ["table missing"],
    repaired: true,
  },
  { kind: "rendered", id: "r1", ruleset: "table inet bulkhead {}" },
  {
    kind: "probed",
    id: "p1",
    sent: true,
    received: false,
    agree: true,
    outcome: "pass",
    detail: "no answer",
  },
  {
    kind: "health",
    at: 5,
    collector,
    receipt,
    capacity: 1_000_000,
    counters: { live_suppressed: 2 ** 40, not_syn: 0 },
    undecided: [
      {
        source: "10.0.0.9",
        sourcePort: 700,
        destination: "10.0.0.2",
        port: 8080,
        protocol: 6,
        until: 1_790_000_000_000,
      },
    ],
  },
  {
    kind: "connections",
    id: "c1",
    connections: [
      { source: "10.0.0.2", destination: "fd00::3", protocol: 6, port: 5432, connections: 7 },
      {
        source: "127.0.0.1",
        destination: "127.0.0.1",
        protocol: 6,
        port: 80,
        connections: 1,
        sourceCgroup: "/system.slice/curl.service",
        destinationCgroup: "/system.slice/nginx.service",
      },
    ],
    leftOut: 2,
  },
  {
    kind: "units",
    id: "u",
    units: [
      {
        cgroup: "/system.slice/nginx.service",
        count: 2,
        processes: [{ pid: 7, name: "nginx", user: "www-data" }],
        users: ["root", "www-data"],
        executable: { path: "/usr/sbin/nginx", size: 12, digest: "sha256:00", package: "nginx" },
      },
      { cgroup: "/a", count: 0, processes: [], users: [] },
      { cgroup: "/b", count: 1, processes: [], users: [], executable: { path: "/x", size: 0 } },
    ],
    error: "none",
  },
  { kind: "connections", id: "c2", connections: [], leftOut: 0, error: "no table" },
  {
    kind: "rule-counters",
    id: "h",
    counters: { live_suppressed: 7 },
    rules: [
      {
        cookie: "0badcafe",
        plane: "live",
        direction: "ingress",
        verdict: "drop",
        packets: 5,
        bytes: 300,
        lastHit: 1_790_000_000_000,
      },
      {
        cookie: "0badcaff",
        plane: "shadow",
        direction: "egress",
        verdict: "allow",
        packets: 0,
        bytes: 0,
      },
    ],
  },
  {
    kind: "rule-counters",
    id: "h",
    counters: { live_suppressed: 7 },
    rules: [],
    error: "no table",
  },
  {
    kind: "checked",
    id: "i1",
    checks: [
      { kind: "dns", address: "10.0.0.1", port: 53, outcome: "held", local: "10.0.0.2" },
      { kind: "ssh", address: "fd00::7", port: 22, outcome: "failed", detail: "no answer" },
    ],
  },
  { kind: "checked", id: "i2", checks: [], error: "no sockets left" },
  {
    kind: "expected",
    timeZone: "Europe/Berlin",
    schedules: [
      {
        name: "timer backup.timer",
        kind: "systemd-timer",
        expression: "*-*-1 03:00:00",
        unit: "backup.service",
        lastRun: 1_790_000_000_000,
        nextRun: 1_792_000_000_000,
      },
      {
        name: "cron /etc/crontab line 3",
        kind: "cron",
        expression: "0 3 * * *",
        timeZone: "Asia/Tokyo",
        since: 1_780_000_000_000,
        suspended: true,
      },
    ],
    dependencies: [
      {
        owner: { kind: "unit", cgroup: "/system.slice/shop.service" },
        host: "db",
        port: 5432,
        scheme: "postgresql",
        place: "environment DATABASE_URL",
      },
      { owner: { kind: "endpoint", interface: "veth1" }, host: "10.0.0.9", place: "argument host" },
    ],
    problems: ["/etc/crontab line 9: its times cannot be read"],
  },
  { kind: "kept", sequence: 7 },
  { kind: "went-back", sequence: 7, revision: 5, toRevision: 4 },
];

const controllerMessages: readonly ControllerMessage[] = [
  {
    kind: "welcome",
    publicKey: new Uint8Array([7]),
    drift: "report",
    readConfiguration: ["environment", "files"],
  },
  {
    kind: "policy",
    sequence: 6,
    revision: 5,
    digest: "sha256:a",
    policy: new Uint8Array([123, 125]),
    signature: new Uint8Array([9]),
  },
  {
    kind: "probe",
    id: "p",
    sourceNetns: "/run/netns/a",
    source: "10.0.0.1",
    destination: "10.0.0.2",
    protocol: 17,
    port: 53,
    expectPass: false,
  },
  {
    kind: "policy",
    sequence: 7,
    revision: 5,
    digest: "sha256:a",
    policy: new Uint8Array([123, 125]),
    signature: new Uint8Array([9]),
    holdMs: 20_000,
  },
  { kind: "keep", sequence: 7 },
  { kind: "keep", sequence: 7, holdMs: 60_000 },
  {
    kind: "check",
    id: "i1",
    found: true,
    invariants: [{ kind: "dns", address: "10.0.0.1", port: 53 }],
  },
  { kind: "settings", drift: "repair", readConfiguration: [] },
  { kind: "flows-stored", sequence: 8 },
  { kind: "connections", id: "c" },
  { kind: "rule-counters", id: "h" },
  { kind: "units", id: "u" },
];

describe("codec", () => {
  it.each(agentMessages.map((message) => [message.kind, message] as const))(
    "carries agent %s",
    (_, message) => {
      expect(connect.requestDeserialize(connect.requestSerialize(message))).toEqual(message);
    },
  );

  it.each(controllerMessages.map((message) => [message.kind, message] as const))(
    "carries controller %s",
    (_, message) => {
      expect(connect.responseDeserialize(connect.responseSerialize(message))).toEqual(message);
    },
  );

  it("refuses a word it does not know", () => {
    const bytes = toBinary(
      AgentMessageSchema,
      create(AgentMessageSchema, {
        kind: { case: "flows", value: { records: [{ verdict: "maybe" }] } },
      }),
    );
    expect(() => decodeAgentMessage(fromBinary(AgentMessageSchema, bytes))).toThrow(WireError);
    expect(connect.requestDeserialize(Buffer.from(bytes))).toMatchObject({
      kind: "unreadable",
      told: "flows",
      why: "form",
    });
  });

  it("refuses a message without a kind", () => {
    expect(connect.requestDeserialize(Buffer.alloc(0))).toMatchObject({
      kind: "unreadable",
      told: "a message",
    });
  });
});
