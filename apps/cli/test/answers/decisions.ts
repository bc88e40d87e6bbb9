/** Decisions, and `explain`: allowed, denied, denied for good, and outside the share of a rollout. */
import type { ExplainAnswer } from "@bulkhead/api";
import { TCP, type Decision } from "@bulkhead/model";
import { NOW } from "../call.ts";
import { byIsolation, byRule, span } from "./common.ts";

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

/** Between two units of one machine. */
export const exact: ExplainAnswer = {
  ...permitted,
  paths: [
    {
      ...permitted.paths[0]!,
      shared: {
        precision: "exact@source",
        sources: ["host/cron.service"],
        destinations: ["host/nginx.service"],
        egress: { subject: "host/cron.service", peer: "host/nginx.service" },
        ingress: { subject: "host/nginx.service", peer: "host/cron.service" },
      },
    },
  ],
};

/** The IPv4 address of the source is claimed by another, too. */
export const ambiguous: ExplainAnswer = {
  ...explained,
  paths: [
    {
      ...explained.paths[0]!,
      shared: {
        precision: "ambiguous",
        sources: ["default/copy", "shop/web"],
        destinations: ["shop/db"],
        ingress: { subject: "shop/db", peer: "default/copy" },
      },
    },
    explained.paths[1]!,
  ],
};
