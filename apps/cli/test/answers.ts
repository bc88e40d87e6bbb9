/** Answers of a small shop, as the controller would give them, by route. */
import type { AnswerOf, RouteName } from "@bulkhead/api";
import { explained } from "./answers/decisions.ts";
import { status, workloads } from "./answers/machine.ts";
import { applied, deleted, history, plan, replay } from "./answers/policies.ts";
import { slo } from "./answers/measures.ts";
import { assess } from "./answers/assess.ts";
import { readiness } from "./answers/readiness.ts";
import { probes } from "./answers/probes.ts";
import { edges, flows, suggestion } from "./answers/traffic.ts";
import { DAY_MS } from "@bulkhead/model";
import { NOW } from "./call.ts";
import { whyDenied } from "./answers/why.ts";

const noHits = (rule: string) => ({ rule, allowed: 0, denied: 0, wouldDeny: 0, bytes: 0 });

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
  label: { ...applied, confirmBy: undefined, notices: [], permitted: deleted.permitted },
  policies: {
    revision: 3,
    policies: [
      {
        name: "Intent/shop/web-to-db",
        mode: "enforce",
        file: "policy.yaml",
        createdAt: NOW - 90 * DAY_MS,
        changedAt: NOW - 3 * DAY_MS,
        owner: "team-shop",
        rules: [
          {
            ...noHits("Intent/shop/web-to-db#egress"),
            denied: 12,
            bytes: 720,
            lastHit: NOW - 3000,
          },
          { ...noHits("Intent/shop/web-to-db#egress/allow"), allowed: 184_220, bytes: 2_345_678 },
        ],
      },
      {
        name: "Policy/lab/old",
        mode: "audit",
        file: "old.yaml",
        createdAt: NOW - 400 * DAY_MS,
        changedAt: NOW - 400 * DAY_MS,
        owner: null,
        rules: [{ ...noHits("Policy/lab/old#ingress"), wouldDeny: 7, lastHit: NOW - 60_000 }],
      },
      { name: "NetworkSet/shop/office", mode: "enforce", file: "policy.yaml", rules: [] },
    ],
    others: [noHits("default")],
  },
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
  rollback: {
    ...applied,
    revision: 4,
    confirmBy: undefined,
    notices: [],
    permitted: deleted.permitted,
  },
  explain: explained,
  why: whyDenied,
  probe: [...probes],
  drift: { setting: "repair", reports: [] },
  settings: { drift: "report", readConfiguration: [], retention: { flows: 30, history: 730 } },
  slo,
  readiness,
  answerDoubts: { answered: readiness.answered ?? [] },
  assess,
  falseDeny: { subject: "shop/web → shop/db 5432/tcp", connections: 3, opened: true },
} satisfies {
  readonly [R in RouteName]?: AnswerOf<R> | readonly AnswerOf<R>[];
};
