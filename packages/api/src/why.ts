/** Why a connection failed, for whom it failed: the rule, who answers for it, since when, and what to propose. */
import { z } from "zod";
import { determinantSchema, directionSchema } from "./decisions.ts";
import { flowEndSchema } from "./flows.ts";
import { fileOriginSchema } from "./policies.ts";

export const whyQuerySchema = z.strictObject({
  /** As for `explain`. Absent: whoever was denied last. */
  from: z.string().min(1).optional(),
  to: z.string().min(1).optional(),
  port: z.string().min(1).optional(),
  /** Of several denials, those of this user's processes come first, where the processes are known. */
  uid: z.coerce.number().int().nonnegative().optional(),
});
export type WhyQuery = z.input<typeof whyQuerySchema>;

/** What denies it in one direction; the resource is in force now. */
const whyRuleSchema = z.object({
  direction: directionSchema,
  determinedBy: determinantSchema,
  /** `Policy/shop/db`. Absent: no resource determines it (the default does). */
  resource: z.string().optional(),
  mode: z.enum(["audit", "enforce"]).optional(),
  /** Who answers for it: its `owner`, or an annotation that names one. */
  owner: z.string().optional(),
  /** The commit of its file, where that came from git. */
  origin: fileOriginSchema.optional(),
  /** The revision that brought it in its present form. */
  since: z
    .object({
      revision: z.int(),
      time: z.number(),
      author: z.string(),
      reason: z.string(),
    })
    .optional(),
});
export type WhyRule = z.infer<typeof whyRuleSchema>;

export const whyAnswerSchema = z.object({
  /** What the policy in force says of it now; absent when nothing was denied that fits the question. */
  verdict: z.enum(["allow", "drop", "reject", "mixed"]).optional(),
  revision: z.int(),
  from: z.string().optional(),
  to: z.string().optional(),
  port: z.string().optional(),
  /** What was denied, as it was seen. Absent when it never was on record. */
  denial: z
    .object({
      source: flowEndSchema,
      destination: flowEndSchema,
      verdict: z.enum(["dropped", "rejected"]),
      /** What denied it then. */
      rule: z.string().optional(),
      connections: z.number(),
      /** The first and the last time on record. */
      began: z.number(),
      last: z.number(),
      /** It is one of the asker's own processes. */
      yours: z.boolean(),
    })
    .optional(),
  /** Whoever denies it, egress first. */
  rules: z.array(whyRuleSchema),
  /** A resource whose application in mode enforce allows it. */
  draft: z
    .object({
      kind: z.string(),
      text: z.string(),
      /** Fields that hold a stand-in, for a person to fill in. */
      fillIn: z.array(z.string()),
      /** The file it belongs in: where its neighbours are, or a new one. */
      file: z.string(),
      exists: z.boolean(),
    })
    .optional(),
  /** What no draft can lift: what would have to change. */
  inTheWay: z.string().optional(),
});
export type WhyAnswer = z.infer<typeof whyAnswerSchema>;
