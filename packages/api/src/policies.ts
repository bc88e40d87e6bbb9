/** Sending policy in: files as given, replay, plan, apply, delete, confirm, rollback. */
import { z } from "zod";
import { INVARIANT_KINDS } from "@bulkhead/model";
import { decisionSchema } from "./decisions.ts";
import { diagnosticSchema, sourceSpanSchema } from "./diagnostics.ts";
import { edgeSchema, underWaySchema } from "./flows.ts";
import { affectedSchema, tallySchema } from "./impact.ts";

/** No control characters: it is printed for people. */
const printable = z.string().regex(/^[^\p{Cc}]{1,4096}$/u);

export const fileOriginSchema = z.strictObject({
  /** The last commit that touched the file. */
  commit: z.string().regex(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/),
  /** From the root of its repository. */
  path: printable,
  /** The text is not the one of that commit. */
  changed: z.boolean(),
});

export const policyFileSchema = z.strictObject({
  /** As the person named it; spans in answers repeat it. `-` for standard input. */
  name: z.string().min(1),
  text: z.string(),
  /** Where it came from, when that is a git work tree: said by whoever applies it. */
  origin: fileOriginSchema.optional(),
});
export type PolicyFileInput = z.infer<typeof policyFileSchema>;

export const applyModeSchema = z.enum(["audit", "enforce"]);

export const replayRequestSchema = z.strictObject({
  files: z.array(policyFileSchema).min(1),
  since: z.int().optional(),
  until: z.int().optional(),
  prune: z.boolean().default(false),
  strict: z.boolean().default(false),
  /** Judge as if applied with this mode; replay usually asks what enforcing would do. */
  mode: applyModeSchema.default("enforce"),
});
export type ReplayRequest = z.input<typeof replayRequestSchema>;

export const edgeChangeSchema = z.object({
  edge: edgeSchema,
  before: decisionSchema,
  after: decisionSchema,
});

export const replayAnswerSchema = z.object({
  revision: z.int(),
  since: z.number().optional(),
  until: z.number().optional(),
  edges: z.int(),
  connections: z.number(),
  denied: tallySchema,
  allowed: tallySchema,
  /** Who is affected: what is denied first, then by connections. */
  affected: z.array(affectedSchema),
  /** Edge by edge: all, or of very many those of most connections. */
  newlyDenied: z.array(edgeChangeSchema),
  newlyAllowed: z.array(edgeChangeSchema),
  unchanged: z.int(),
  diagnostics: z.array(diagnosticSchema),
});
export type ReplayAnswer = z.infer<typeof replayAnswerSchema>;

export const connectionChangeSchema = z.object({
  from: z.string(),
  to: z.string(),
  /** `5432/tcp, 8000-8100/tcp` */
  ports: z.string(),
});

export const resourceChangesSchema = z.object({
  added: z.array(z.string()),
  changed: z.array(z.string()),
  removed: z.array(z.string()),
  unchanged: z.array(z.string()),
  /** In force, not in the files given, and kept because `prune` was not asked for. */
  kept: z.array(z.string()),
});
export type ResourceChanges = z.infer<typeof resourceChangesSchema>;

export const testResultSchema = z.object({
  test: z.string(),
  passed: z.boolean(),
  message: z.string(),
  source: sourceSpanSchema.optional(),
});

export const capacitySchema = z.object({
  classes: z.int(),
  rows: z.int(),
  /** As the receipt counts them once the kernel holds them. */
  entries: z.int(),
  overlay: z.int(),
  /** The most entries the datapath was measured or is configured to take. */
  limit: z.int(),
  fits: z.boolean(),
});

/** A rollout: of 10,000 flows so many are held to these resources, all others are only audited. */
export const canarySchema = z.object({ share: z.int(), resources: z.array(z.string()) });
export type CanaryView = z.infer<typeof canarySchema>;

export const permittedChangesSchema = z.object({
  added: z.array(connectionChangeSchema),
  removed: z.array(connectionChangeSchema),
});

/** How many resources that decide are in each mode: a set has both where some were applied with the one, some with the other. */
export const modeCountsSchema = z.object({ enforce: z.int(), audit: z.int() });
export type ModeCounts = z.infer<typeof modeCountsSchema>;

export const planAnswerSchema = z.object({
  revision: z.int(),
  /** A rollout that is under way. */
  canary: canarySchema.optional(),
  resources: resourceChangesSchema,
  permitted: permittedChangesSchema,
  /** What enforced policy denies, and these files open only if they are enforced too: auditing them leaves it denied. */
  unopened: z.array(connectionChangeSchema).optional(),
  replay: replayAnswerSchema,
  /** Connections open at this moment that it would cut. Absent when no agent tells. */
  underWay: z.array(underWaySchema).optional(),
  capacity: capacitySchema,
  tests: z.array(testResultSchema),
  /** What is no error and most likely a mistake, in sentences: a policy that selects nobody who is known. */
  notices: z.array(z.string()).optional(),
  diagnostics: z.array(diagnosticSchema),
});
export type PlanAnswer = z.infer<typeof planAnswerSchema>;

export const applyRequestSchema = z.strictObject({
  files: z.array(policyFileSchema).min(1),
  mode: applyModeSchema.default("audit"),
  /** Enforce for so many of 10,000 flows; absent, or 10,000: for all. */
  canary: z.int().min(1).max(10_000).optional(),
  prune: z.boolean().default(false),
  strict: z.boolean().default(false),
  /** Revert by itself after so many seconds unless confirmed. */
  confirmSeconds: z.int().positive().max(86_400).optional(),
  dryRun: z.boolean().default(false),
  /** Go on although an SSH session, or what this machine must be able to do, would be broken. Needs `reason`. */
  force: z.boolean().default(false),
  reason: z.string().default(""),
  author: z.string().default(""),
});
export type ApplyRequest = z.input<typeof applyRequestSchema>;

export const labelRequestSchema = z.strictObject({
  /** `namespace/name` */
  workload: z.string().min(1),
  set: z.record(z.string(), z.string()).default({}),
  /** Keys of labels given this way before. */
  remove: z.array(z.string()).default([]),
  confirmSeconds: z.int().positive().max(86_400).optional(),
  dryRun: z.boolean().default(false),
  /** Go on although the agent's own path or an SSH session would be cut. Needs `reason`. */
  force: z.boolean().default(false),
  reason: z.string().default(""),
  author: z.string().default(""),
});
export type LabelRequest = z.input<typeof labelRequestSchema>;

export const receiptSummarySchema = z.object({
  host: z.string(),
  revision: z.int(),
  digest: z.string(),
  driver: z.string(),
  readAt: z.number(),
  entries: z.int(),
  /** The digest read back from the kernel is the one that is wanted. */
  matches: z.boolean(),
});
export type ReceiptSummary = z.infer<typeof receiptSummarySchema>;

/** Something this machine must be able to do, as it was before a change and once that was in force. */
export const invariantSchema = z.object({
  /** `dns 10.0.0.1`, `ssh from 192.0.2.7`. */
  name: z.string(),
  kind: z.enum(INVARIANT_KINDS),
  address: z.string(),
  port: z.int(),
  before: z.enum(["held", "failed", "untold"]),
  /** Absent where it did not hold before: then it is not held against the change. */
  after: z.enum(["held", "failed", "untold"]).optional(),
  detail: z.string().optional(),
});
export type InvariantView = z.infer<typeof invariantSchema>;

export const applyAnswerSchema = z.object({
  revision: z.int(),
  /** Of this change. */
  mode: applyModeSchema,
  /** Of all that is in force with it. */
  modes: modeCountsSchema.optional(),
  canary: canarySchema.optional(),
  dryRun: z.boolean(),
  /** False when the set was already in force as given. */
  changed: z.boolean(),
  resources: resourceChangesSchema,
  digest: z.string(),
  receipts: z.array(receiptSummarySchema),
  /** Unless confirmed before (milliseconds since the epoch), the previous revision comes back. */
  confirmBy: z.number().optional(),
  tests: z.array(testResultSchema),
  diagnostics: z.array(diagnosticSchema),
  notices: z.array(z.string()),
  /** Connections that were open and are cut; in audit, those that enforcing would cut. Absent when no agent tells. */
  underWay: z.array(underWaySchema).optional(),
  /** What this machine must be able to do. Absent when nothing was put in force. */
  invariants: z.array(invariantSchema).optional(),
  /** In audit: resources that may deny and stay enforced all the same. */
  stayEnforced: z.array(z.string()).optional(),
  /** In audit: what enforced policy denies, and this would open if it were enforced too. */
  unopened: z.array(connectionChangeSchema).optional(),
  /** Of a deletion or a rollback: what becomes newly allowed by it, and what no longer is. */
  permitted: permittedChangesSchema.optional(),
  /** With `dryRun`: the exact ruleset, per host. */
  ruleset: z.string().optional(),
  /** Milliseconds from the request to the kernel's matching receipt. */
  tookMs: z.number(),
});
export type ApplyAnswer = z.infer<typeof applyAnswerSchema>;

export const deleteRequestSchema = z.strictObject({
  /** Names of resources in force: `Policy/shop/db`. */
  resources: z.array(z.string().min(1)).min(1),
  /** What stays is applied with this mode. Absent: as it is. */
  mode: applyModeSchema.optional(),
  confirmSeconds: z.int().positive().max(86_400).optional(),
  dryRun: z.boolean().default(false),
  force: z.boolean().default(false),
  reason: z.string().default(""),
  author: z.string().default(""),
});
export type DeleteRequest = z.input<typeof deleteRequestSchema>;

export const confirmAnswerSchema = z.object({ revision: z.int() });
export type ConfirmAnswer = z.infer<typeof confirmAnswerSchema>;

export const rollbackRequestSchema = z.strictObject({
  revision: z.int().nonnegative(),
  /** Absent: as that revision was. */
  mode: applyModeSchema.optional(),
  confirmSeconds: z.int().positive().max(86_400).optional(),
  /** What it newly allows is meant. */
  opens: z.boolean().default(false),
  force: z.boolean().default(false),
  reason: z.string().default(""),
  author: z.string().default(""),
});
export type RollbackRequest = z.input<typeof rollbackRequestSchema>;

export const rulesetAnswerSchema = z.object({
  revision: z.int(),
  digest: z.string(),
  ruleset: z.string(),
});
export type RulesetAnswer = z.infer<typeof rulesetAnswerSchema>;
