/** Asking for a suggestion, and what is suggested with what it stands on. */
import { z } from "zod";
import { SET_ASIDE_REASONS, SLACK_CAUSES, type NetworkSetBasis } from "@bulkhead/model";
import { edgeSchema } from "./flows.ts";
import { policyFileSchema } from "./policies.ts";
import { formerNamesSchema, READINESS_STATES } from "./readiness.ts";

export const suggestRequestSchema = z.strictObject({
  since: z.int().optional(),
  until: z.int().optional(),
  /** Only for workloads of these namespaces. */
  namespaces: z.array(z.string()).optional(),
  /** Prefixes that a person says are one: what was seen of them is allowed as the whole. */
  ranges: z.array(z.string()).optional(),
  /** Spans of time that are not to be learned from: an incident, a test. Milliseconds since the epoch; inclusive, exclusive. */
  exclude: z.array(z.strictObject({ from: z.int(), to: z.int() })).optional(),
  /** Confine what people do at a shell, or have run by the clock, like any service. */
  includePeople: z.boolean().optional(),
  /** What was set aside as doubtful, and is needed: `shop/web → shop/db 5432/tcp`, of roles or of single ends. */
  accept: z.array(z.string()).optional(),
  /** Where more rules than this name one role, at either end, rules are joined as far as that goes. */
  maxRules: z.int().min(1).optional(),
  /** The texts with every line of what was set aside, however many; the data has all of it in any case. */
  all: z.boolean().optional(),
  /** Where labels are missing or useless: labels from who talks to whom, and rules on them. */
  proposeLabels: z.boolean().optional(),
  /** Names of roles that an earlier suggestion gave, by workload. */
  formerRoles: z.record(z.string(), z.string()).optional(),
});
export type SuggestRequest = z.input<typeof suggestRequestSchema>;

export const setAsideSchema = z.object({
  edge: edgeSchema,
  reason: z.string(),
  detail: z.string().optional(),
  /** What it is, where everybody knows it by name: `dns`, `ssh`. */
  purpose: z.string().optional(),
  /** Of a doubtful one: as a person accepts or rejects it. */
  habit: z.string().optional(),
  /** A person has said that it is not needed: `readiness --reject`. */
  rejected: z.literal(true).optional(),
});

const applicationSchema = z.object({
  /** `shop`, or `shop/payments` where a label says so. */
  id: z.string(),
  namespace: z.string(),
  label: z.object({ key: z.string(), value: z.string() }).optional(),
  owner: z.string().optional(),
  workloads: z.int(),
});

const networkSetBasisSchema: z.ZodType<NetworkSetBasis> = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("addresses") }),
  z.object({ kind: z.literal("dns"), name: z.string(), also: z.array(z.string()) }),
  z.object({ kind: z.literal("said"), cidr: z.templateLiteral([z.string(), "/", z.number()]) }),
]);

/** Pairs of ends and port that a rule permits, and those of them that its evidence used; the rest by cause. */
const slackSchema = z.object({
  permitted: z.number(),
  used: z.int(),
  beyond: z.array(z.object({ cause: z.enum(SLACK_CAUSES), pairs: z.number() })),
});

export const suggestAnswerSchema = z.object({
  since: z.number().optional(),
  until: z.number().optional(),
  /** Ready to be saved and applied; evidence stands in comments. */
  files: z.array(policyFileSchema),
  /** The same resources, one file an application. */
  perApplication: z
    .array(z.object({ name: z.string(), application: z.string(), text: z.string() }))
    .optional(),
  applications: z.array(applicationSchema).optional(),
  rules: z.array(
    z.object({
      resource: z.string(),
      application: z.string().optional(),
      purpose: z.string().optional(),
      rule: z.string(),
      ports: z.string(),
      connections: z.number(),
      edges: z.int(),
      firstSeen: z.number(),
      lastSeen: z.number(),
      /** Seldom seen, but real. */
      rare: z.boolean().optional(),
      /** `seen by import of aws-vpc only`: what none of our own collectors saw. */
      imported: z.string().optional(),
      slack: slackSchema.optional(),
    }),
  ),
  networkSets: z
    .array(
      z.object({
        resource: z.string(),
        application: z.string(),
        basis: networkSetBasisSchema,
        cidrs: z.array(z.string()),
        /** Distinct addresses that were seen. */
        addresses: z.int(),
        firstSeen: z.number(),
        lastSeen: z.number(),
      }),
    )
    .optional(),
  /** What rules stand on, by ends and port: `shop/web → shop/db 5432/tcp`. The same words from run to run. */
  links: z
    .array(z.object({ text: z.string(), resource: z.string(), firstSeen: z.number() }))
    .optional(),
  /** Roles that more rules named than were wanted: how many name them now, and how many pairs more that permits. */
  fewerRules: z
    .array(
      z.object({
        role: z.string(),
        application: z.string(),
        most: z.int(),
        before: z.int(),
        after: z.int(),
        added: z.number(),
      }),
    )
    .optional(),
  setAside: z.array(setAsideSchema),
  /** Set aside, and yet allowed by a rule that others need. */
  covered: z.array(setAsideSchema).optional(),
  /** What was accepted, and no rule stands on: never seen, or set aside for another reason than doubt. */
  idleAccepts: z
    .array(z.object({ text: z.string(), reason: z.enum(SET_ASIDE_REASONS).optional() }))
    .optional(),
  /** What the machine sent, by a process that nobody could tell: `shop/db 5432/tcp (3 connections)`. */
  unattributed: z.array(z.string()).optional(),
  /** Workloads without a label to go by: no rule can name them. */
  unlabelled: z.array(z.string()).optional(),
  /** Whose history was recorded under another name, before an Inventory named it. */
  formerNames: formerNamesSchema.optional(),
  /** Labels that the rules count on, and that nobody bears yet. */
  proposedLabels: z
    .array(
      z.object({
        application: z.string(),
        /** What they are, by what they do: `postgresql-for-orders`. */
        role: z.string(),
        labels: z.record(z.string(), z.string()),
        reason: z.enum(["unlabelled", "one-for-all", "one-for-each", "across-roles"]),
        workloads: z.array(z.string()),
        evidence: z.array(z.string()),
      }),
    )
    .optional(),
  edges: z.int(),
  /** How complete the picture of each application is. */
  readiness: z
    .array(
      z.object({
        application: z.string(),
        state: z.enum(READINESS_STATES),
        text: z.string(),
      }),
    )
    .optional(),
});
export type SuggestAnswer = z.infer<typeof suggestAnswerSchema>;
