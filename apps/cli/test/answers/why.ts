/** Answers of `why`: a denial with all that can be told of it, one that is no more, one that no draft can lift. */
import type { WhyAnswer } from "@bulkhead/api";
import { NOW } from "../call.ts";
import { byIsolation } from "./common.ts";

const minute = 60_000;

export const whyDenied: WhyAnswer = {
  revision: 3,
  verdict: "drop",
  from: "shop/web",
  to: "shop/db",
  port: "5432/tcp",
  denial: {
    source: {
      address: "10.0.0.10",
      workload: "shop/web",
      name: "shop/web",
      labels: { app: "web" },
      process: { uid: 1000, name: "psql", user: "ann" },
    },
    destination: {
      address: "10.0.0.14",
      workload: "shop/db",
      name: "shop/db",
      labels: { app: "db" },
    },
    verdict: "dropped",
    rule: "Policy/shop/default-deny#ingress",
    connections: 12,
    began: NOW - 5 * minute,
    last: NOW - 3000,
    yours: false,
  },
  rules: [
    {
      direction: "egress",
      determinedBy: byIsolation,
      resource: "Policy/shop/default-deny",
      mode: "enforce",
      owner: "team-shop",
    },
    {
      direction: "ingress",
      determinedBy: byIsolation,
      resource: "Policy/shop/default-deny",
      mode: "enforce",
      owner: "team-shop",
      origin: {
        commit: "0123456789abcdef0123456789abcdef01234567",
        path: "shop.yaml",
        changed: true,
      },
      since: { revision: 2, time: NOW - 120 * minute, author: "ann", reason: "walls up" },
    },
  ],
  draft: {
    kind: "Intent",
    text: "apiVersion: bulkhead.dev/v1\nkind: Intent\nmetadata:\n  name: allow-web-to-db\n",
    fillIn: [],
    file: "shop.yaml",
    exists: true,
  },
};

export const whyAllowedNow: WhyAnswer = {
  ...whyDenied,
  verdict: "allow",
  rules: [],
  draft: undefined,
};

export const whyBarred: WhyAnswer = {
  ...whyDenied,
  denial: undefined,
  draft: undefined,
  inTheWay: "cannot be allowed from below: rule `Policy/shop/guard#ingress/never` must change",
};

export const whyGone: WhyAnswer = { ...whyDenied, verdict: undefined, rules: [], draft: undefined };
