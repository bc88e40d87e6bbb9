/** Policies written out by hand, each with a golden text of its own: what a person would want to see rendered. */
import type { HostPolicy, Row } from "@bulkhead/model";

/** Deadlines of the samples lie after this moment. */
export const SAMPLE_NOW = 1_800_000_000_000;

const ALLOW = { verdict: "allow", cookie: "a0000001" } as const;
const ADMIN = { verdict: "allow", cookie: "a0000002" } as const;
const DROP = { verdict: "drop", cookie: "d0000001" } as const;
const REJECT = { verdict: "reject", cookie: "e0000001" } as const;

const nothing: Row = { id: "00000001", protocols: [], others: DROP };
const database: Row = {
  id: "00000002",
  protocols: [
    {
      protocol: 6,
      intervals: [
        { first: 0, last: 5431, decision: DROP },
        { first: 5432, last: 5432, decision: ALLOW },
        { first: 5433, last: 65_535, decision: DROP },
      ],
    },
  ],
  others: DROP,
};
const many: Row = {
  id: "00000003",
  protocols: [
    {
      protocol: 1,
      intervals: [
        { first: 0, last: 2047, decision: REJECT },
        { first: 2048, last: 2303, decision: ADMIN },
        { first: 2304, last: 65_535, decision: REJECT },
      ],
    },
    {
      protocol: 6,
      intervals: [
        { first: 0, last: 21, decision: REJECT },
        { first: 22, last: 22, decision: ADMIN },
        { first: 23, last: 79, decision: REJECT },
        { first: 80, last: 80, decision: ADMIN },
        { first: 81, last: 442, decision: REJECT },
        { first: 443, last: 443, decision: ADMIN },
        { first: 444, last: 7999, decision: REJECT },
        { first: 8000, last: 8100, decision: ADMIN },
        { first: 8101, last: 8999, decision: REJECT },
        { first: 9000, last: 9000, decision: ADMIN },
        { first: 9001, last: 65_535, decision: REJECT },
      ],
    },
    { protocol: 47, intervals: [{ first: 0, last: 65_535, decision: ADMIN }] },
  ],
  others: REJECT,
};

const none = { subjects: { egress: [], ingress: [] }, maps: [], overlay: [] } as const;
const host = ["10.0.0.1", "fd00::1"] as const;

const web = {
  workload: "shop/web",
  interface: "veth-web",
  ifindex: 12,
  mac: "02:00:00:00:00:02",
  addresses: ["10.0.0.2", "fd00::2"],
} as const;
const db = {
  workload: "shop/db",
  interface: "veth-db",
  ifindex: 13,
  mac: "02:00:00:00:00:03",
  addresses: ["10.0.0.3", "fd00::3"],
} as const;

/** Nothing is judged; new connections are logged. */
const observe: HostPolicy = {
  revision: 1,
  endpoints: [
    { ...web, mode: "observe" },
    { ...db, mode: "observe" },
  ],
  hostAddresses: host,
  live: none,
  shadow: none,
  rows: [],
  profile: { nodeExempt: true, hairpinExempt: true },
};

const databaseClass = {
  subjects: {
    egress: [],
    ingress: [
      ["10.0.0.3", "0000000a"],
      ["fd00::3", "0000000a"],
    ],
  },
  maps: [
    {
      classId: "0000000a",
      direction: "ingress",
      exact: [
        ["10.0.0.2", "00000002"],
        ["fd00::2", "00000002"],
      ],
      ranges: [],
      defaultRow: "00000001",
    },
  ],
  overlay: [],
} as const;

/** The database's policy is staged: it reports and drops nothing. */
const audit: HostPolicy = {
  ...observe,
  endpoints: [
    { ...web, mode: "observe" },
    { ...db, mode: "audit" },
  ],
  shadow: databaseClass,
  rows: [nothing, database],
};

/** Enforced, with ranges, many ports, rejects, time-bound entries, and no exemptions. */
const enforce: HostPolicy = {
  ...observe,
  endpoints: [
    { ...web, mode: "enforce" },
    { ...db, mode: "enforce" },
  ],
  ports: [{ interface: "eth1", ifindex: 3 }],
  live: {
    subjects: { egress: [["10.0.0.2", "0000000b"]], ingress: databaseClass.subjects.ingress },
    maps: [
      {
        classId: "0000000b",
        direction: "egress",
        exact: [["10.0.0.3", "00000002"]],
        ranges: [
          ["192.0.2.0", "192.0.2.255", "00000003"],
          ["198.51.100.7", "198.51.100.9", "00000002"],
          ["2001:db8::", "2001:db8::ffff", "00000003"],
        ],
        defaultRow: "00000001",
      },
      ...databaseClass.maps,
    ],
    overlay: [
      {
        classId: "0000000b",
        direction: "egress",
        peer: ["203.0.113.5", "203.0.113.5"],
        protocol: 6,
        ports: [443, 443],
        decision: ALLOW,
        deadline: SAMPLE_NOW + 3_600_000,
      },
      {
        classId: "0000000a",
        direction: "ingress",
        peer: ["10.0.0.0", "10.0.0.255"],
        protocol: 17,
        ports: [1000, 2000],
        decision: REJECT,
        deadline: SAMPLE_NOW + 90_500,
      },
    ],
  },
  rows: [nothing, database, many],
  profile: { nodeExempt: false, hairpinExempt: false },
};

/** The database's policy holds for three flows in ten, and lets the web in; what is enforced for all denies the web. */
const canary: HostPolicy = {
  ...audit,
  live: {
    subjects: { egress: [["10.0.0.2", "0000000b"]], ingress: [] },
    maps: [
      { classId: "0000000b", direction: "egress", exact: [], ranges: [], defaultRow: "00000001" },
    ],
    overlay: [],
  },
  canary: {
    seed: 0x0badcafe,
    share: 3000,
    maps: {
      ...databaseClass,
      overlay: [
        {
          classId: "0000000a",
          direction: "ingress",
          peer: ["10.0.0.9", "10.0.0.9"],
          protocol: 6,
          ports: [80, 80],
          decision: ALLOW,
          deadline: SAMPLE_NOW + 3_600_000,
        },
      ],
    },
  },
};

const chatter: Row = {
  id: "00000004",
  protocols: [
    {
      protocol: 17,
      intervals: [
        { first: 0, last: 5352, decision: DROP },
        { first: 5353, last: 5353, decision: ALLOW },
        { first: 5354, last: 5999, decision: DROP },
        { first: 6000, last: 6010, decision: ALLOW },
        { first: 6011, last: 65_535, decision: DROP },
      ],
    },
  ],
  others: DROP,
};

/** The machine serves leases and names; one address is claimed by both of its workloads; the database hears groups. */
const served: HostPolicy = {
  revision: 5,
  endpoints: [
    { ...db, addresses: ["10.0.0.3", "10.0.0.4", "fd00::3"], mode: "enforce", dhcp: true },
    { ...web, addresses: ["10.0.0.2", "10.0.0.4", "fd00::2"], mode: "enforce", dhcp: true },
  ],
  hostAddresses: host,
  live: {
    ...databaseClass,
    maps: [
      {
        ...databaseClass.maps[0],
        ranges: [
          ["224.0.0.0", "239.255.255.255", "00000004"],
          ["255.255.255.255", "255.255.255.255", "00000004"],
          ["ff02::fb", "ff02::fb", "00000004"],
        ],
      },
    ],
  },
  shadow: none,
  rows: [nothing, database, chatter],
  profile: {
    nodeExempt: false,
    hairpinExempt: true,
    dns: [
      { address: "10.0.0.1", port: 53 },
      { address: "fd00::1", port: 5353 },
    ],
  },
  contested: ["10.0.0.4"],
};

/** The database is enforced beside neighbours that are not. */
const mixed: HostPolicy = {
  ...audit,
  revision: 6,
  endpoints: [
    { ...db, mode: "enforce" },
    { ...web, mode: "observe" },
  ],
  ports: [{ interface: "eth1", ifindex: 3 }],
  live: databaseClass,
  shadow: none,
};

export const SAMPLE_POLICIES = {
  observe,
  audit,
  enforce,
  canary,
  served,
  mixed,
} as const satisfies Record<string, HostPolicy>;

const nginx = { workload: "host/nginx", cgroup: "/system.slice/nginx.service", handle: "0a0b0c01" };
const redis = { workload: "host/redis", cgroup: "/system.slice/redis.service", handle: "0a0b0c02" };
const cron = { workload: "host/cron", cgroup: "/system.slice/cron.service", handle: "0a0b0c03" };

/** The machine's own processes: its golden text names control groups that no kernel of ours has. */
export const PROCESSES: HostPolicy = {
  ...SAMPLE_POLICIES.enforce,
  processes: [
    { ...cron, mode: "observe" },
    { ...nginx, mode: "enforce" },
    { ...redis, mode: "enforce" },
  ],
  managed: ["/system.slice"],
  profile: { nodeExempt: true, hairpinExempt: true },
  sockets: [
    { workload: redis.workload, address: "127.0.0.1", family: 4, protocol: 6, port: 6379 },
    { workload: nginx.workload, family: 4, protocol: 6, port: 443 },
  ],
  live: {
    ...SAMPLE_POLICIES.enforce.live,
    processes: {
      egress: [[nginx.workload, "0000000b"]],
      ingress: [[redis.workload, "0000000d"]],
    },
    maps: [
      ...SAMPLE_POLICIES.enforce.live.maps.map((map) =>
        map.direction === "ingress"
          ? { ...map, processes: [[nginx.workload, "00000002"] as const] }
          : map,
      ),
      {
        classId: "0000000d",
        direction: "ingress",
        exact: [],
        ranges: [],
        defaultRow: "00000001",
        processes: [[nginx.workload, "00000002"]],
      },
    ],
    processOverlay: [
      {
        classId: "0000000d",
        direction: "ingress",
        process: cron.workload,
        protocol: 6,
        ports: [6379, 6379],
        decision: ADMIN,
        deadline: SAMPLE_NOW + 3_600_000,
      },
    ],
  },
};
