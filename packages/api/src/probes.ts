/** Active proof: which connections are tried, and what both ends saw. The answer is a stream of events as JSON Lines. */
import { z } from "zod";
import { sourceSpanSchema } from "./diagnostics.ts";

export const probeRequestSchema = z.strictObject({
  /** Only probes in which one of these workloads takes part. */
  workloads: z.array(z.string()).optional(),
  /** At most so many boundary probes; those left out are counted as skipped. Absent: all. */
  maxBoundaries: z.int().nonnegative().optional(),
});
export type ProbeRequest = z.input<typeof probeRequestSchema>;

export const probeSchema = z.object({
  /** `rule`: must pass. `boundary`: must not. */
  purpose: z.enum(["rule", "boundary"]),
  from: z.string(),
  to: z.string(),
  source: z.string(),
  destination: z.string(),
  protocol: z.int(),
  port: z.int(),
  expected: z.enum(["pass", "blocked"]),
  /** What is expected is not what the rule says: a rollout does not hold for this flow yet. */
  spared: z.boolean().optional(),
  /** The rule or isolation that decides it. */
  rule: z.string().optional(),
  place: sourceSpanSchema.optional(),
});
export type ProbeView = z.infer<typeof probeSchema>;

export const probeResultSchema = z.object({
  probe: probeSchema,
  outcome: z.enum(["passed", "failed", "skipped"]),
  /** Whether the packet left the source and whether the destination saw it. */
  sent: z.boolean(),
  received: z.boolean(),
  /** Both ends tell the same story. */
  agree: z.boolean(),
  detail: z.string(),
  at: z.number(),
});
export type ProbeResultView = z.infer<typeof probeResultSchema>;

export const probeSummarySchema = z.object({
  revision: z.int(),
  rules: z.int(),
  boundaries: z.int(),
  /** So many of them a rollout does not hold for yet: they show that it spares what it should. */
  spared: z.int().optional(),
  passed: z.int(),
  failed: z.int(),
  skipped: z.int(),
  /** True only if nothing failed and nothing was skipped. */
  proven: z.boolean(),
  tookMs: z.number(),
});
export type ProbeSummary = z.infer<typeof probeSummarySchema>;

export const probeEventSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("plan"), total: z.int(), rules: z.int(), boundaries: z.int() }),
  z.object({
    type: z.literal("result"),
    index: z.int(),
    total: z.int(),
    result: probeResultSchema,
  }),
  z.object({ type: z.literal("summary"), summary: probeSummarySchema }),
]);
export type ProbeEvent = z.infer<typeof probeEventSchema>;
