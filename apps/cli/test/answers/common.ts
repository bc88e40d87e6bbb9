/** What the answers of the small shop share: its clock, its ends, and the places of its policy. */
import type { FlowEnd } from "@bulkhead/model";

export const DIGEST = `sha256:${"ab".repeat(32)}`;

export const minute = 60_000;

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

export const world: FlowEnd = { address: "203.0.113.66", name: "world", labels: {} };

export const span = { file: "policy.yaml", line: 12, column: 5 };

const policy = { kind: "Policy", namespace: "shop", name: "db" };

export const byRule = {
  kind: "rule",
  stage: "application",
  policy: { kind: "Intent", namespace: "shop", name: "web-to-db" },
  rule: "Intent/shop/web-to-db#egress",
  source: { file: "policy.yaml", line: 30, column: 3 },
} as const;

export const byIsolation = {
  kind: "isolation",
  stage: "application",
  policy,
  block: "Policy/shop/db#ingress",
  source: span,
} as const;
