/** Decisions and explanations: what the reference says about one flow, what determined it, and what would allow it. */
import { z } from "zod";
import type {
  AttributeName,
  Decision,
  Determinant,
  DirectionDecision,
  Obligation,
  PolicyRef,
  Predicate,
  TextMatch,
} from "@bulkhead/model";
import { sourceSpanSchema } from "./diagnostics.ts";

export const directionSchema = z.enum(["egress", "ingress"]);
export const decisionVerdictSchema = z.enum(["allow", "drop", "reject"]);

export const policyRefSchema: z.ZodType<PolicyRef> = z.object({
  kind: z.string(),
  namespace: z.string(),
  name: z.string(),
  owner: z.string().optional(),
  reason: z.string().optional(),
});

export const determinantSchema: z.ZodType<Determinant> = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("rule"),
    stage: z.string(),
    policy: policyRefSchema,
    rule: z.string(),
    source: sourceSpanSchema,
    expiresAt: z.number().optional(),
  }),
  z.object({
    kind: z.literal("isolation"),
    stage: z.string(),
    policy: policyRefSchema,
    block: z.string(),
    source: sourceSpanSchema,
  }),
  z.object({ kind: z.literal("default") }),
  z.object({
    kind: z.literal("exemption"),
    exemption: z.enum(["node", "hairpin", "dns", "dhcp", "not-a-workload"]),
  }),
]);

const textMatchSchema: z.ZodType<TextMatch> = z.union([
  z.object({
    kind: z.enum(["exact", "prefix", "suffix"]),
    value: z.string(),
    ignoreCase: z.literal(true).optional(),
  }),
  z.object({ kind: z.literal("present") }),
  z.object({ kind: z.enum(["regex", "cidr"]), value: z.string() }),
]);

const attributeSchema: z.ZodType<AttributeName> = z.union([
  z.enum(["method", "path", "target", "host", "sni", "dns", "remote-ip", "request-principal"]),
  z.templateLiteral(["header:", z.string()]),
  z.templateLiteral(["claim:", z.string()]),
]);

const predicateSchema: z.ZodType<Predicate> = z.object({
  kind: z.enum(["http", "dns", "tls", "any"]),
  conditions: z.array(
    z.object({
      attribute: attributeSchema,
      anyOf: z.array(textMatchSchema),
      noneOf: z.array(textMatchSchema),
    }),
  ),
});

/** What an allow depends on that the question did not tell. */
export const obligationSchema: z.ZodType<Obligation> = z.discriminatedUnion("kind", [
  /** Only these requests; all but these. */
  z.object({
    kind: z.enum(["only", "unless"]),
    rules: z.array(z.string()),
    l7: z.array(predicateSchema),
  }),
  /** Proof of identity; a judge outside. */
  z.object({ kind: z.enum(["auth", "external"]), rules: z.array(z.string()) }),
]);

export const directionDecisionSchema: z.ZodType<DirectionDecision> = z.object({
  direction: directionSchema,
  verdict: decisionVerdictSchema,
  determinedBy: determinantSchema,
  logged: z.array(z.string()),
  ambiguous: z.boolean(),
  obligations: z.array(obligationSchema).optional(),
});

export const decisionSchema: z.ZodType<Decision> = z.object({
  verdict: decisionVerdictSchema,
  egress: directionDecisionSchema,
  ingress: directionDecisionSchema,
  spared: directionDecisionSchema.optional(),
});

/** One block or rule that bore on the flow, in the order of evaluation. */
export const traceStepSchema = z.object({
  direction: directionSchema,
  stage: z.string(),
  block: z.string(),
  rule: z.string().optional(),
  /** What came of it, or the first clause that failed: `matched: allow`, `peer: namespace is web, not shop`. */
  outcome: z.string(),
  matched: z.boolean(),
  source: sourceSpanSchema.optional(),
});
export type TraceStep = z.infer<typeof traceStepSchema>;

export const explainQuerySchema = z.strictObject({
  /** `shop/web`, `web` when only one namespace has it, an address, `host`, `world`, or a NetworkSet's name. */
  from: z.string().min(1),
  to: z.string().min(1),
  /** `5432/tcp`, `53/udp`, `icmp/echo-request`, a named port of the destination, `5432` (= tcp). */
  port: z.string().min(1),
  /** `shadow` asks what would hold if audit and staged policies were enforced. */
  view: z.enum(["live", "shadow"]).default("live"),
});
export type ExplainQuery = z.input<typeof explainQuerySchema>;

export const explainEndSchema = z.object({ name: z.string(), address: z.string() });

/** Whom a direction took the two ends for; absent where that was no workload. */
const readingSchema = z.object({ subject: z.string(), peer: z.string().optional() });

/** Whose rules were used where an end's address is shared by several workloads. */
export const sharedEndsSchema = z.object({
  /** `ambiguous`: several claim an end, and the strictest of all readings holds. */
  precision: z.enum(["exact@source", "ambiguous"]),
  /** Whoever may be meant; empty: no workload. */
  sources: z.array(z.string()),
  destinations: z.array(z.string()),
  /** As each direction read it. Absent where that is exempt. */
  egress: readingSchema.optional(),
  ingress: readingSchema.optional(),
});
export type SharedEndsView = z.infer<typeof sharedEndsSchema>;

/** The same two workloads may meet over IPv4 and IPv6: one path for each pair of addresses of one family. */
export const explainPathSchema = z.object({
  source: explainEndSchema,
  destination: explainEndSchema,
  protocol: z.int(),
  port: z.int(),
  decision: decisionSchema,
  /** Absent where each end has its address to itself. */
  shared: sharedEndsSchema.optional(),
  trace: z.array(traceStepSchema),
});

export const explainAnswerSchema = z.object({
  from: z.string(),
  to: z.string(),
  port: z.string(),
  view: z.enum(["live", "shadow"]),
  /** What holds for every path; `mixed` when the paths differ. */
  verdict: z.enum(["allow", "drop", "reject", "mixed"]),
  revision: z.int(),
  /** The share, of 10,000 flows, that a rollout under way holds for; `spared` in a decision is what it is not yet. */
  canaryShare: z.int().optional(),
  /** How the two ends' workloads stand: a deny cuts only in `enforce`. */
  modes: z.object({ from: z.string().optional(), to: z.string().optional() }),
  paths: z.array(explainPathSchema),
  /** Allowed now, but not once what only audits is enforced: what holds then, and what denies first. */
  audit: z
    .object({
      verdict: z.enum(["drop", "reject", "mixed"]),
      determinedBy: determinantSchema,
    })
    .optional(),
  /** For a deny: which rule would have come nearest to allowing it, and the first of its clauses that failed. */
  nearest: z.object({ rule: z.string(), outcome: z.string(), source: sourceSpanSchema }).optional(),
  /** For a deny: native resources whose application allows the flow, and no proper part of which does. */
  smallestChange: z
    .object({
      name: z.string(),
      text: z.string(),
      /** Fields that hold a stand-in, for a person to fill in. */
      fillIn: z.array(z.string()),
    })
    .optional(),
  /** For a deny that nothing added from below can lift: what would have to change. */
  inTheWay: z.string().optional(),
  /** What was seen of this edge lately. */
  seen: z
    .object({
      connections: z.number(),
      lastSeen: z.number().optional(),
      verdicts: z.array(z.string()),
    })
    .optional(),
});
export type ExplainAnswer = z.infer<typeof explainAnswerSchema>;
