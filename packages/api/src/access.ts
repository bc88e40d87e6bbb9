/**
 * What each route does to the system: `read` answers and leaves everything as it is, `change` alters policy, settings or
 * traffic. Whoever may only read is served the first kind alone; a new route has to be given its place here.
 */
import type { RouteName } from "./routes.ts";

export type Access = "read" | "change";

export const accessOf: Readonly<Record<RouteName, Access>> = {
  status: "read",
  workloads: "read",
  flows: "read",
  edges: "read",
  // Bytes to whoever asks; no path is named, and nothing is written where they say.
  exportFlows: "read",
  suggest: "read",
  replay: "read",
  plan: "read",
  policies: "read",
  resources: "read",
  inForce: "read",
  history: "read",
  revision: "read",
  explain: "read",
  why: "read",
  assess: "read",
  drift: "read",
  ruleset: "read",
  slo: "read",
  readiness: "read",
  // Also a dry run: it is one field away from the change itself.
  apply: "change",
  delete: "change",
  label: "change",
  // What is learned from is a step towards policy.
  importFlows: "change",
  // It decides what is proposed, and when somebody counts as ready.
  answerDoubts: "change",
  confirm: "change",
  rollback: "change",
  settings: "change",
  // They count in the measures.
  falseDeny: "change",
  latency: "change",
  // It opens connections in the names of workloads.
  probe: "change",
};
