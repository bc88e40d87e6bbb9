/** The measures of a small shop: most are well, one burns, one is not known. */
import type { PoliciesAnswer, SloAnswer } from "@bulkhead/api";
import { NOW } from "../call.ts";

const WEEK = 604_800_000;
const over = { from: NOW - WEEK, until: NOW };

export const slo: SloAnswer = {
  at: NOW,
  since: NOW - WEEK,
  measures: [
    {
      id: "M1",
      name: "policy coverage",
      value: 0.9375,
      unit: "ratio",
      target: 0.9,
      aim: "at-least",
      state: "ok",
      from: NOW,
      until: NOW,
      parts: { workloads: 16, underPolicy: 15, enforced: 12 },
    },
    {
      id: "M2",
      name: "unauthorized flow rate",
      value: 0.0123,
      unit: "ratio",
      target: 0.001,
      aim: "below",
      state: "burning",
      ...over,
      parts: { connections: 10_000, denied: 130, unexpected: 123, wouldDeny: 0 },
    },
    {
      id: "M3",
      name: "time to repair",
      value: 5400,
      unit: "seconds",
      target: 14_400,
      aim: "below",
      state: "ok",
      reason: "1 not repaired yet",
      ...over,
      parts: { ended: 1, open: 1, drift: 0.412, oldestOpen: 5400 },
    },
    {
      id: "M5",
      name: "added P95 latency",
      value: null,
      unit: "ratio",
      target: 0.05,
      aim: "below",
      state: "unknown",
      reason: "not measured yet",
      from: NOW,
      until: NOW,
      parts: {},
    },
    {
      id: "M8",
      name: "violation to alert",
      value: 0.84,
      unit: "seconds",
      target: 900,
      aim: "below",
      state: "ok",
      ...over,
      parts: { count: 130, p95Below: 2 },
    },
  ],
  incidents: [
    {
      kind: "false-deny",
      subject: "shop/web → shop/db 5432/tcp",
      message: "ada: the nightly report fails",
      detectedAt: NOW - 5_400_000,
    },
    {
      kind: "drift",
      subject: "edge-1",
      message: "table inet bulkhead is gone",
      detectedAt: NOW - 86_400_000,
      endedAt: NOW - 86_399_588,
      endedBy: "repaired by the agent",
    },
  ],
};

const DAY = 86_400_000;

/** Exceptions that ended, end soon and end later; one of them put into the kernel anew. */
export const policiesEnding: PoliciesAnswer = {
  revision: 3,
  policies: [
    {
      name: "Exception/shop/audit-of-may",
      mode: "enforce",
      file: "exceptions.yaml",
      createdAt: NOW - 40 * DAY,
      changedAt: NOW - 40 * DAY,
      owner: "auditors",
      expiresAt: NOW - 2 * DAY,
      rules: [],
    },
    {
      name: "Exception/shop/incident-7",
      mode: "enforce",
      file: "exceptions.yaml",
      createdAt: NOW - 5 * DAY,
      changedAt: NOW - 3 * 3_600_000,
      owner: "on-call",
      expiresAt: NOW + 3 * DAY,
      rules: [
        {
          rule: "Exception/shop/incident-7#ingress/allow",
          allowed: 0,
          denied: 0,
          wouldDeny: 0,
          bytes: 0,
          lastHit: NOW - 600_000,
        },
      ],
    },
    {
      name: "Policy/shop/db",
      mode: "enforce",
      file: "policy.yaml",
      createdAt: NOW - 5 * DAY,
      changedAt: NOW - 5 * DAY,
      owner: null,
      expiresAt: NOW + 90 * DAY,
      rules: [],
    },
  ],
  others: [],
};

export const policiesBroad: PoliciesAnswer & {
  readonly broad: NonNullable<PoliciesAnswer["broad"]>;
} = {
  revision: 3,
  policies: [],
  others: [],
  broad: {
    since: NOW - 30 * DAY,
    from: NOW - 30 * DAY,
    days: 28,
    replayed: 4711,
    rules: [
      {
        rule: "Policy/shop/db#ingress/api",
        place: "db.yaml:7:7",
        inForceSince: NOW - 90 * DAY,
        permits: "8000-8010/tcp",
        used: "8001/tcp",
        slack: 10,
        readiness: "ready",
        proposed: "8001/tcp, 8007/tcp",
        peers: [
          {
            side: "from",
            peer: "any",
            permits: { groups: 12, workloads: 40 },
            used: { groups: 2, workloads: 3, addresses: 0 },
            unused: ["shop/admin", "shop/mail"],
            seen: 2,
            once: 0,
            proposed: ["app in (web,api)", "app=till in billing"],
          },
          {
            side: "from",
            peer: "10.0.0.0/8",
            permits: { groups: 0, workloads: 0, addresses: 16_777_216 },
            used: { groups: 0, workloads: 0, addresses: 7 },
            unused: [],
            seen: 7,
            once: 3,
            left: "3 of 7 that used it came on one day only",
          },
        ],
      },
      {
        rule: "Policy/shop/new#ingress/any",
        place: "new.yaml:7:7",
        inForceSince: NOW - 60 * DAY,
        permits: "all",
        used: "80/tcp",
        slack: 458_995,
        readiness: "learning",
        tooEarly: "learning: shop/new",
      },
    ],
    patch: `--- a/db.yaml
+++ b/db.yaml
@@ -7,1 +7,1 @@
-    - { from: [app=web], ports: [8000-8010/tcp] }
+    - { from: [app=web], ports: [8001/tcp, 8007/tcp] }
`,
  },
};

export const policiesUsed: PoliciesAnswer & {
  readonly usage: NonNullable<PoliciesAnswer["usage"]>;
} = {
  revision: 3,
  policies: [],
  others: [],
  usage: {
    since: NOW - 30 * DAY,
    from: NOW - 30 * DAY,
    rules: [
      {
        rule: "Intent/shop/web-to-db#ingress/allow",
        place: "policy.yaml:3:1",
        inForceSince: NOW - 90 * DAY,
        lastUsed: NOW - 60_000,
        unused: false,
      },
      {
        rule: "Policy/shop/db#ingress/1",
        place: "db.yaml:9:5",
        inForceSince: NOW - 90 * DAY,
        unused: true,
      },
      {
        rule: "Policy/shop/new#ingress/0",
        place: "new.yaml:9:5",
        inForceSince: NOW - 2 * DAY,
        unused: false,
      },
    ],
  },
};
