/** Answers of a small shop, as the controller would give them. */
import type {
  AnswerOf,
  ApplyAnswer,
  DriftAnswer,
  ExplainAnswer,
  HistoryAnswer,
  PlanAnswer,
  ProbeEvent,
  ReplayAnswer,
  RouteName,
  StatusAnswer,
  SuggestAnswer,
  WorkloadsAnswer,
} from "@bulkhead/api";
import { TCP, UDP, type Decision, type Edge, type Flow, type FlowEnd } from "@bulkhead/model";
import { NOW } from "./call.ts";

const DIGEST = `sha256:${"ab".repeat(32)}`;
const minute = 60_000;

export const web: FlowEnd = {
  address: "10.0.0.10",
  workload: "shop/web",
  name: "shop/web",
  labels: { app: "web" },
};
export const db: FlowEnd = {
  address: "10.0.0.14",
  workload: "shop/db",
  name: "shop/db",
  labels: { app: "db" },
};
const world: FlowEnd = { address: "203.0.113.66", name: "world", labels: {} };

const span = { file: "policy.yaml", line: 12, column: 5 };
const policy = { kind: "Policy", namespace: "shop", name: "db" };
const byRule = {
  kind: "rule",
  stage: "application",
  policy: { kind: "Intent", namespace: "shop", name: "web-to-db" },
  rule: "Intent/shop/web-to-db#egress",
  source: { file: "policy.yaml", line: 30, column: 3 },
} as const;
const byIsolation = {
  kind: "isolation",
  stage: "application",
  policy,
  block: "Policy/shop/db#ingress",
  source: span,
} as const;

export const allowed: Decision = {
  verdict: "allow",
  egress: {
    direction: "egress",
    verdict: "allow",
    determinedBy: byRule,
    logged: [],
    ambiguous: false,
  },
  ingress: {
    direction: "ingress",
    verdict: "allow",
    determinedBy: { kind: "default" },
    logged: [],
    ambiguous: false,
  },
};
export const denied: Decision = {
  verdict: "drop",
  egress: {
    direction: "egress",
    verdict: "allow",
    determinedBy: { kind: "default" },
    logged: [],
    ambiguous: false,
  },
  ingress: {
    direction: "ingress",
    verdict: "drop",
    determinedBy: byIsolation,
    logged: [],
    ambiguous: false,
  },
};

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

const receipt = {
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
      counters: { live_suppressed: 1200, shadow_suppressed: 4, live_overflowed: 0, not_syn: 2 },
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
    stored: 98_000,
    oldest: NOW - 86_400_000,
    newest: NOW - 1000,
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

export const unwell: StatusAnswer = {
  ...status,
  state: "failing",
  problems: ["the agent on edge-1 is away", "3 events were lost"],
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
  flows: { ...status.flows, unstored: 7, writable: false },
  lostEvents: 3,
  alarms: [
    {
      at: NOW - minute,
      kind: "verdict",
      message: "shop/web → shop/db 5432/tcp was forwarded; the reference says drop",
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
      rule: "web → db",
      ports: "5432/tcp",
      connections: 1204,
      edges: 2,
      firstSeen: NOW - 90 * minute,
      lastSeen: NOW - 3000,
      rare: false,
    },
    {
      resource: "Intent/shop/report-to-db",
      rule: "report → db",
      ports: "5432/tcp",
      connections: 2,
      edges: 1,
      firstSeen: NOW - 90 * minute,
      lastSeen: NOW - 80 * minute,
      rare: true,
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
  edges: 3,
};

export const replay: ReplayAnswer = {
  revision: 2,
  since: NOW - 7 * 86_400_000,
  edges: 40,
  connections: 5210,
  newlyDenied: [{ edge: edge(), before: allowed, after: denied }],
  newlyAllowed: [
    { edge: edge({ source: db, destination: web, port: 80 }), before: denied, after: allowed },
  ],
  unchanged: 38,
  diagnostics: [
    {
      code: "BH0303",
      severity: "warning",
      span: { file: "POLICY", line: 2, column: 7, endLine: 2, endColumn: 10 },
      message: "`web` has expired",
      help: "remove it",
    },
  ],
};

const resources = {
  added: ["Intent/shop/web-to-db", "Policy/shop/default-deny"],
  changed: ["Intent/shop/users-to-web"],
  removed: [],
  unchanged: ["NetworkSet/shop/payments"],
  kept: ["Policy/lab/old"],
};

export const plan: PlanAnswer = {
  revision: 2,
  resources,
  permitted: {
    added: [{ from: "shop/web", to: "shop/db", ports: "5432/tcp" }],
    removed: [{ from: "shop/intruder", to: "shop/db, shop/web", ports: "all" }],
  },
  replay: { ...replay, newlyAllowed: [], diagnostics: [] },
  capacity: { classes: 12, rows: 30, entries: 214, overlay: 0, limit: 500_000, fits: true },
  tests: [
    { test: "web reaches db", passed: true, message: "allow" },
    {
      test: "the intruder reaches nothing",
      passed: false,
      message: "`allow`, expected `deny`",
      source: span,
    },
  ],
  diagnostics: [],
};

export const applied: ApplyAnswer = {
  revision: 3,
  mode: "enforce",
  dryRun: false,
  changed: true,
  resources,
  digest: DIGEST,
  receipts: [receipt],
  confirmBy: NOW + 60_000,
  tests: [],
  diagnostics: [],
  notices: ["shop/db has connections that the policy would not allow: they end"],
  tookMs: 187.4,
};

export const deleted: ApplyAnswer = {
  ...applied,
  revision: 4,
  resources: {
    ...resources,
    added: [],
    changed: [],
    removed: ["Policy/shop/default-deny"],
    kept: [],
  },
  confirmBy: undefined,
  notices: [],
  underWay: [],
  permitted: {
    added: [{ from: "shop/intruder", to: "shop/db", ports: "5432/tcp" }],
    removed: [],
  },
};

export const history: HistoryAnswer = {
  revisions: [
    {
      revision: 3,
      time: NOW - minute,
      kind: "rollback",
      author: "ada",
      reason: "broke checkout",
      mode: "enforce",
      forced: false,
      resources,
      files: ["policy.yaml"],
      restores: 1,
      confirmed: "pending",
      prevHash: "b",
      hash: `sha256:${"c".repeat(64)}`,
    },
    {
      revision: 2,
      time: NOW - 5 * minute,
      kind: "apply",
      author: "ada",
      reason: "",
      mode: "enforce",
      forced: true,
      resources,
      files: ["policy.yaml"],
      confirmed: "reverted",
      prevHash: "a",
      hash: `sha256:${"b".repeat(64)}`,
    },
    {
      revision: 1,
      time: NOW - 90 * minute,
      kind: "apply",
      author: "ci",
      reason: "first",
      mode: "audit",
      forced: false,
      resources,
      files: ["policy.yaml", "inventory.yaml"],
      confirmed: "not-needed",
      prevHash: "",
      hash: `sha256:${"a".repeat(64)}`,
    },
  ],
  current: 3,
  intact: true,
};

export const explained: ExplainAnswer = {
  from: "shop/web",
  to: "shop/db",
  port: "5432/tcp",
  view: "live",
  verdict: "drop",
  revision: 3,
  modes: { from: "enforce", to: "enforce" },
  paths: [
    {
      source: { name: "shop/web", address: "10.0.0.10" },
      destination: { name: "shop/db", address: "10.0.0.14" },
      protocol: TCP,
      port: 5432,
      decision: denied,
      trace: [
        {
          direction: "ingress",
          stage: "application",
          block: "Policy/shop/db#ingress",
          rule: "Policy/shop/db#ingress/checkout",
          outcome: "peer: app is web, not checkout",
          matched: false,
          source: span,
        },
        {
          direction: "ingress",
          stage: "application",
          block: "Policy/shop/db#ingress",
          outcome: "isolates: drop",
          matched: true,
          source: span,
        },
      ],
    },
    {
      source: { name: "shop/web", address: "fd00::10" },
      destination: { name: "shop/db", address: "fd00::14" },
      protocol: TCP,
      port: 5432,
      decision: denied,
      trace: [],
    },
  ],
  smallestChange: {
    name: "Intent/shop/web-to-db",
    fillIn: [],
    text: "apiVersion: bulkhead.dev/v1\nkind: Intent\nmetadata: {name: web-to-db, namespace: shop}\nspec: {from: app=web, to: app=db, ports: [5432/tcp]}\n",
  },
  seen: { connections: 1204, lastSeen: NOW - 3000, verdicts: ["forwarded", "dropped"] },
};

export const barred: ExplainAnswer = {
  ...explained,
  smallestChange: {
    name: "Exception/shop/web-to-db",
    text: "apiVersion: bulkhead.dev/v1\nkind: Exception\nspec: {owner: FILL-IN}\n",
    fillIn: ["owner", "reason"],
  },
  inTheWay: "`Policy/shop/lockdown` of tier guardrail denies it",
};

export const permitted: ExplainAnswer = {
  ...explained,
  verdict: "allow",
  paths: [{ ...explained.paths[0]!, decision: allowed, trace: [] }],
  smallestChange: undefined,
  seen: undefined,
};

export const rollout = { share: 1000, resources: ["Policy/shop/db", "Policy/shop/web"] };

/** Outside the share of a rollout. */
export const spared: ExplainAnswer = {
  ...permitted,
  canaryShare: 1000,
  paths: [
    {
      ...explained.paths[0]!,
      decision: { ...allowed, spared: denied.ingress },
      trace: [],
    },
  ],
  audit: { verdict: "drop", determinedBy: denied.ingress.determinedBy },
};

const probe = {
  purpose: "rule",
  from: "shop/web",
  to: "shop/db",
  source: "10.0.0.10",
  destination: "10.0.0.14",
  protocol: TCP,
  port: 5432,
  expected: "pass",
  rule: "Intent/shop/web-to-db#ingress",
} as const;

export const probes: readonly ProbeEvent[] = [
  { type: "plan", total: 2, rules: 1, boundaries: 1 },
  {
    type: "result",
    index: 0,
    total: 2,
    result: {
      probe,
      outcome: "passed",
      sent: true,
      received: true,
      agree: true,
      detail: "connected",
      at: NOW,
    },
  },
  {
    type: "result",
    index: 1,
    total: 2,
    result: {
      probe: {
        ...probe,
        purpose: "boundary",
        from: "shop/intruder",
        expected: "blocked",
        rule: "Policy/shop/db#ingress",
      },
      outcome: "failed",
      sent: true,
      received: true,
      agree: true,
      detail: "connected, but must not",
      at: NOW,
    },
  },
  {
    type: "summary",
    summary: {
      revision: 3,
      rules: 1,
      boundaries: 1,
      passed: 1,
      failed: 1,
      skipped: 0,
      proven: false,
      tookMs: 4200,
    },
  },
];

/** A rule for connections from outside: nothing was sent. */
export const untriedProbes: readonly ProbeEvent[] = [
  {
    type: "result",
    index: 0,
    total: 1,
    result: {
      probe: {
        purpose: "rule",
        from: "world",
        to: "its subject",
        source: "",
        destination: "",
        protocol: 0,
        port: 0,
        expected: "pass",
        rule: "Policy/shop/web#ingress/0",
        place: span,
      },
      outcome: "skipped",
      sent: false,
      received: false,
      agree: false,
      detail:
        "it is about connections from outside this machine, which nothing here can make: try 80/tcp from world",
      at: NOW,
    },
  },
  {
    type: "summary",
    summary: {
      revision: 3,
      rules: 1,
      boundaries: 0,
      passed: 0,
      failed: 0,
      skipped: 1,
      proven: false,
      tookMs: 12,
    },
  },
];

export const provenProbes: readonly ProbeEvent[] = [
  ...probes.slice(0, 2),
  {
    type: "summary",
    summary: {
      revision: 3,
      rules: 1,
      boundaries: 0,
      passed: 1,
      failed: 0,
      skipped: 0,
      proven: true,
      tookMs: 1234,
    },
  },
];

export const answers = {
  status,
  workloads,
  edges: { edges: [...edges] },
  flows: [...flows],
  suggest: suggestion,
  replay,
  plan,
  apply: applied,
  delete: deleted,
  resources: {
    revision: 3,
    resources: [
      { name: "Intent/shop/web-to-db", mode: "enforce", file: "policy.yaml" },
      { name: "Policy/lab/old", mode: "audit", file: "old.yaml" },
      { name: "Policy/shop/default-deny", mode: "enforce", file: "policy.yaml" },
      { name: "Policy/shop/old", mode: "enforce", file: "policy.yaml" },
    ],
  },
  confirm: { revision: 3 },
  history,
  revision: {
    ...history.revisions[2]!,
    texts: [
      { name: "policy.yaml", text: "kind: Policy\n" },
      { name: "inventory.yaml", text: "kind: Inventory\n" },
    ],
  },
  rollback: { ...applied, revision: 4, confirmBy: undefined, notices: [] },
  explain: explained,
  probe: [...probes],
  drift: { setting: "repair", reports: [] },
  settings: { drift: "report" },
} satisfies {
  readonly [R in RouteName]?: AnswerOf<R> | readonly AnswerOf<R>[];
};
