/** Policies coming and going: replay, plan, apply, delete, history. */
import type { ApplyAnswer, HistoryAnswer, PlanAnswer, ReplayAnswer } from "@bulkhead/api";
import { NOW } from "../call.ts";
import { byIsolation, byRule, db, DIGEST, minute, span, web } from "./common.ts";
import { allowed, denied } from "./decisions.ts";
import { receipt } from "./machine.ts";
import { edge, flows } from "./traffic.ts";

export const replay: ReplayAnswer = {
  revision: 2,
  since: NOW - 7 * 86_400_000,
  edges: 40,
  connections: 5210,
  denied: { edges: 1, connections: 1204 },
  allowed: { edges: 1, connections: 1204 },
  affected: [
    {
      change: "denied",
      source: { name: "shop/web", owners: ["storefront"], members: 3 },
      destination: { name: "shop/db", owners: ["data"], members: 1 },
      ports: ["5432/tcp"],
      portCount: 1,
      edges: 1,
      connections: 1204,
      firstSeen: edge().firstSeen,
      lastSeen: edge().lastSeen,
      before: byRule,
      after: byIsolation,
      samples: flows.slice(-1).map((flow) => ({ ...flow, destination: db, port: 5432 })),
    },
    {
      change: "allowed",
      source: { name: "shop/db", owners: ["data"], members: 1 },
      destination: { name: "shop/web", owners: [], members: 1 },
      ports: ["80/tcp"],
      portCount: 1,
      edges: 1,
      connections: 1204,
      firstSeen: edge().firstSeen,
      lastSeen: edge().lastSeen,
      before: byIsolation,
      after: { kind: "default" },
      samples: [],
    },
  ],
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
  replay: {
    ...replay,
    allowed: { edges: 0, connections: 0 },
    affected: replay.affected.filter(({ change }) => change === "denied"),
    newlyAllowed: [],
    diagnostics: [],
  },
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
  invariants: [
    {
      name: "dns 10.0.0.1",
      kind: "dns",
      address: "10.0.0.1",
      port: 53,
      before: "held",
      after: "held",
    },
    {
      name: "metadata 169.254.169.254",
      kind: "metadata",
      address: "169.254.169.254",
      port: 80,
      before: "failed",
      detail: "no answer within 1.5 s",
    },
  ],
  tookMs: 187.4,
};

export const deleted: ApplyAnswer = {
  ...applied,
  invariants: undefined,
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
      mode: "audit",
      modes: { enforce: 3, audit: 1 },
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

export const rollout = { share: 1000, resources: ["Policy/shop/db", "Policy/shop/web"] };
