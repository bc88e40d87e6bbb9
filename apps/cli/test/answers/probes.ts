/** Probes: one that passed and one that failed, one that could not be tried, and a proof. */
import type { ProbeEvent } from "@bulkhead/api";
import { TCP } from "@bulkhead/model";
import { NOW } from "../call.ts";
import { span } from "./common.ts";

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
