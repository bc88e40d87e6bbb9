/**
 * The HTTP API as one table: method, path, and the schemas of request and answer. The controller serves it, the client
 * speaks it, and its JSON Schemas are published from it.
 */
import { z } from "zod";
import { assessAnswerSchema } from "./assess.ts";
import { explainAnswerSchema, explainQuerySchema } from "./decisions.ts";
import { failureBodySchema } from "./failure.ts";
import { exportFlowsAnswerSchema, exportFlowsQuerySchema } from "./flow-export.ts";
import { importFlowsAnswerSchema, importFlowsRequestSchema } from "./flow-import.ts";
import { edgesAnswerSchema, flowQuerySchema, flowSchema, flowStreamQuerySchema } from "./flows.ts";
import { historyAnswerSchema, revisionDetailSchema } from "./history.ts";
import {
  applyAnswerSchema,
  applyRequestSchema,
  confirmAnswerSchema,
  deleteRequestSchema,
  labelRequestSchema,
  planAnswerSchema,
  replayAnswerSchema,
  replayRequestSchema,
  rollbackRequestSchema,
  rulesetAnswerSchema,
} from "./policies.ts";
import {
  inForceAnswerSchema,
  policiesAnswerSchema,
  policiesQuerySchema,
  resourcesAnswerSchema,
} from "./policies-in-force.ts";
import { probeEventSchema, probeRequestSchema } from "./probes.ts";
import {
  falseDenyAnswerSchema,
  falseDenyRequestSchema,
  latencySchema,
  sloAnswerSchema,
  sloQuerySchema,
} from "./slo.ts";
import {
  doubtsAnswerSchema,
  doubtsRequestSchema,
  readinessAnswerSchema,
  readinessQuerySchema,
} from "./readiness.ts";
import {
  driftAnswerSchema,
  settingsRequestSchema,
  settingsSchema,
  statusAnswerSchema,
} from "./status.ts";
import { suggestAnswerSchema, suggestRequestSchema } from "./suggest.ts";
import { whyAnswerSchema, whyQuerySchema } from "./why.ts";
import { workloadsAnswerSchema, workloadsRequestSchema } from "./workloads.ts";

/** Unknown fields are refused everywhere: a mistyped `prune` must not be taken for its absence. */
const empty = z.strictObject({});

/** `stream` answers are JSON Lines, one value of the answer schema a line. */
export const routes = {
  status: { method: "GET", path: "/v1/status", request: empty, answer: statusAnswerSchema },
  workloads: {
    method: "GET",
    path: "/v1/workloads",
    request: workloadsRequestSchema,
    answer: workloadsAnswerSchema,
  },
  flows: {
    method: "GET",
    path: "/v1/flows",
    request: flowStreamQuerySchema,
    answer: flowSchema,
    stream: true,
  },
  exportFlows: {
    method: "GET",
    path: "/v1/flows/export",
    request: exportFlowsQuerySchema,
    answer: exportFlowsAnswerSchema,
    stream: true,
  },
  importFlows: {
    method: "POST",
    path: "/v1/flows/import",
    request: importFlowsRequestSchema,
    answer: importFlowsAnswerSchema,
  },
  edges: { method: "GET", path: "/v1/edges", request: flowQuerySchema, answer: edgesAnswerSchema },
  suggest: {
    method: "POST",
    path: "/v1/suggest",
    request: suggestRequestSchema,
    answer: suggestAnswerSchema,
  },
  replay: {
    method: "POST",
    path: "/v1/replay",
    request: replayRequestSchema,
    answer: replayAnswerSchema,
  },
  assess: { method: "GET", path: "/v1/assess", request: empty, answer: assessAnswerSchema },
  plan: {
    method: "POST",
    path: "/v1/plan",
    request: replayRequestSchema,
    answer: planAnswerSchema,
  },
  apply: {
    method: "POST",
    path: "/v1/apply",
    request: applyRequestSchema,
    answer: applyAnswerSchema,
  },
  delete: {
    method: "POST",
    path: "/v1/delete",
    request: deleteRequestSchema,
    answer: applyAnswerSchema,
  },
  label: {
    method: "POST",
    path: "/v1/label",
    request: labelRequestSchema,
    answer: applyAnswerSchema,
  },
  policies: {
    method: "GET",
    path: "/v1/policies",
    request: policiesQuerySchema,
    answer: policiesAnswerSchema,
  },
  resources: {
    method: "GET",
    path: "/v1/resources",
    request: empty,
    answer: resourcesAnswerSchema,
  },
  inForce: {
    method: "GET",
    path: "/v1/in-force",
    request: empty,
    answer: inForceAnswerSchema,
  },
  confirm: { method: "POST", path: "/v1/confirm", request: empty, answer: confirmAnswerSchema },
  history: { method: "GET", path: "/v1/history", request: empty, answer: historyAnswerSchema },
  revision: {
    method: "GET",
    path: "/v1/revision",
    request: z.strictObject({ revision: z.coerce.number().int().nonnegative() }),
    answer: revisionDetailSchema,
  },
  rollback: {
    method: "POST",
    path: "/v1/rollback",
    request: rollbackRequestSchema,
    answer: applyAnswerSchema,
  },
  explain: {
    method: "GET",
    path: "/v1/explain",
    request: explainQuerySchema,
    answer: explainAnswerSchema,
  },
  why: { method: "GET", path: "/v1/why", request: whyQuerySchema, answer: whyAnswerSchema },
  probe: {
    method: "POST",
    path: "/v1/probe",
    request: probeRequestSchema,
    answer: probeEventSchema,
    stream: true,
  },
  drift: { method: "GET", path: "/v1/drift", request: empty, answer: driftAnswerSchema },
  readiness: {
    method: "GET",
    path: "/v1/readiness",
    request: readinessQuerySchema,
    answer: readinessAnswerSchema,
  },
  answerDoubts: {
    method: "POST",
    path: "/v1/doubts",
    request: doubtsRequestSchema,
    answer: doubtsAnswerSchema,
  },
  slo: { method: "GET", path: "/v1/slo", request: sloQuerySchema, answer: sloAnswerSchema },
  falseDeny: {
    method: "POST",
    path: "/v1/false-deny",
    request: falseDenyRequestSchema,
    answer: falseDenyAnswerSchema,
  },
  latency: {
    method: "POST",
    path: "/v1/latency",
    request: latencySchema,
    answer: latencySchema,
  },
  settings: {
    method: "POST",
    path: "/v1/settings",
    request: settingsRequestSchema,
    answer: settingsSchema,
  },
  ruleset: { method: "GET", path: "/v1/ruleset", request: empty, answer: rulesetAnswerSchema },
} as const satisfies Record<
  string,
  {
    method: "GET" | "POST";
    path: `/v1/${string}`;
    request: z.ZodType;
    answer: z.ZodType;
    stream?: true;
  }
>;

export type RouteName = keyof typeof routes;
export type RequestOf<R extends RouteName> = z.input<(typeof routes)[R]["request"]>;
export type AnswerOf<R extends RouteName> = z.output<(typeof routes)[R]["answer"]>;

export interface PublishedSchemas {
  readonly request: Record<string, unknown>;
  readonly answer: Record<string, unknown>;
}

/** JSON Schema (2020-12) of every request and answer, by route; `error` is the body of every failure. */
export function publishedSchemas(): Readonly<Record<RouteName, PublishedSchemas>> & {
  readonly error: Record<string, unknown>;
} {
  const published = Object.fromEntries(
    Object.entries(routes).map(([name, route]) => [
      name,
      {
        request: z.toJSONSchema(route.request, { io: "input", unrepresentable: "any" }),
        answer: z.toJSONSchema(route.answer, { io: "output", unrepresentable: "any" }),
      },
    ]),
  ) as unknown as Record<RouteName, PublishedSchemas>;
  return { ...published, error: z.toJSONSchema(failureBodySchema, { io: "output" }) };
}
