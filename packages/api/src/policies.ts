/** Sending policy in: files as given, suggestions, replay, plan, apply, confirm, rollback, and the history of it all. */
import { z } from "zod";
import { INVARIANT_KINDS } from "@bulkhead/model";
import type { NetworkSetBasis } from "@bulkhead/model";
import { decisionSchema } from "./decisions.ts";
import { diagnosticSchema, sourceSpanSchema } from "./diagnostics.ts";
import { edgeSchema, underWaySchema } from "./flows.ts";
import { READINESS_STATES } from "./readiness.ts";
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

const applyModeSchema = z.enum(["audit", "enforce"]);

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
  setAside: z.array(setAsideSchema),
  /** What the machine sent, by a process that nobody could tell: `shop/db 5432/tcp (3 connections)`. */
  unattributed: z.array(z.string()).optional(),
  /** Workloads without a label to go by: no rule can name them. */
  unlabelled: z.array(z.string()).optional(),
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

export const resourcesAnswerSchema = z.object({
  revision: z.int(),
  /** In force, by name. */
  resources: z.array(z.object({ name: z.string(), mode: applyModeSchema, file: z.string() })),
});
export type ResourcesAnswer = z.infer<typeof resourcesAnswerSchema>;

/** The policy in force as texts, each with those of its resources that are in force from it. */
export const inForceAnswerSchema = z.object({
  revision: z.int(),
  canary: canarySchema.optional(),
  files: z.array(
    z.object({
      /** As it was given. Twice, where of two versions something is in force. */
      name: z.string(),
      text: z.string(),
      resources: z.array(z.object({ name: z.string(), mode: applyModeSchema })),
    }),
  ),
});
export type InForceAnswer = z.infer<typeof inForceAnswerSchema>;

/** What a rule, or what a policy says of everything else, did since it has been in the kernel. Packets, replies included. */
export const ruleHitsSchema = z.object({
  /** As in flows: `Intent/shop/web-to-db#ingress`; `default` where no policy applies. */
  rule: z.string(),
  allowed: z.int(),
  denied: z.int(),
  /** Of policy in audit: new connections that it would have denied. */
  wouldDeny: z.int(),
  bytes: z.int(),
  /** To some seconds, as far back as the agent has run. */
  lastHit: z.number().optional(),
});
export type RuleHits = z.infer<typeof ruleHitsSchema>;

export const policiesQuerySchema = z.strictObject({
  /** Tell what recorded flows needed since then, too. */
  since: z.coerce.number().int().nonnegative().optional(),
  /** Tell which rules permit ports that no recorded connection used since then, too. */
  broad: z.coerce.number().int().nonnegative().optional(),
});

export const policiesAnswerSchema = z.object({
  revision: z.int(),
  /** In force, by name. */
  policies: z.array(
    z.object({
      name: z.string(),
      mode: applyModeSchema,
      file: z.string(),
      /** Of those workloads that are attached: what concerns nobody here is not in the kernel. */
      rules: z.array(ruleHitsSchema),
    }),
  ),
  /** What belongs to no resource. */
  others: z.array(ruleHitsSchema),
  /** Why there are no numbers. */
  uncounted: z.string().optional(),
  /** Where `since` was given: which rules recorded flows needed since then. */
  usage: z
    .object({
      since: z.number(),
      /** Flows are on record from here on; later than `since`, nothing is called unused. */
      from: z.number(),
      /** Those that allow something. */
      rules: z.array(
        z.object({
          rule: z.string(),
          /** `db.yaml:7:5` */
          place: z.string(),
          /** When its resource came into force in its present form. */
          inForceSince: z.number(),
          /** The last time that it decided a recorded flow. */
          lastUsed: z.number().optional(),
          /** In force all the while, and it decided nothing. */
          unused: z.boolean(),
        }),
      ),
    })
    .optional(),
  /** Where `broad` was given: rules that permit ports which were not used since then, though others of theirs were. */
  broad: z
    .object({
      since: z.number(),
      /** Edges of the whole record that the narrower policy was tried with. */
      replayed: z.int(),
      rules: z.array(
        z.object({
          rule: z.string(),
          /** `db.yaml:7:5` */
          place: z.string(),
          inForceSince: z.number(),
          /** `8000-8100/tcp` */
          permits: z.string(),
          /** Of these, used since then. */
          used: z.string(),
          /** How many of them were not: ports, ICMP types with codes, and protocols without ports. */
          slack: z.int(),
          /** Why it cannot be said yet; then nothing is proposed. */
          tooEarly: z.string().optional(),
          /** What it would permit: whatever was used in the whole record. */
          proposed: z.string().optional(),
          /** Why nothing is proposed. */
          left: z.string().optional(),
        }),
      ),
      /** What is proposed, over the files in force, as `git apply` takes it; empty without any. */
      patch: z.string(),
    })
    .optional(),
});
export type PoliciesAnswer = z.infer<typeof policiesAnswerSchema>;

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

export const revisionSchema = z.object({
  revision: z.int(),
  time: z.number(),
  kind: z.enum(["apply", "delete", "rollback", "revert"]),
  author: z.string(),
  reason: z.string(),
  /** Of the change. */
  mode: applyModeSchema,
  /** Of all that it left in force. */
  modes: modeCountsSchema.optional(),
  canary: canarySchema.optional(),
  forced: z.boolean(),
  resources: resourceChangesSchema,
  files: z.array(z.string()),
  /** The revision whose content came back, for a rollback or a revert. */
  restores: z.int().optional(),
  confirmed: z.enum(["not-needed", "pending", "confirmed", "reverted"]),
  prevHash: z.string(),
  hash: z.string(),
});
export type RevisionView = z.infer<typeof revisionSchema>;

export const historyAnswerSchema = z.object({
  /** Newest first. */
  revisions: z.array(revisionSchema),
  current: z.int(),
  /** The hash chain holds from the first revision to the last. */
  intact: z.boolean(),
  brokenAt: z.int().optional(),
});
export type HistoryAnswer = z.infer<typeof historyAnswerSchema>;

export const revisionDetailSchema = revisionSchema.extend({ texts: z.array(policyFileSchema) });
export type RevisionDetail = z.infer<typeof revisionDetailSchema>;

export const rulesetAnswerSchema = z.object({
  revision: z.int(),
  digest: z.string(),
  ruleset: z.string(),
});
export type RulesetAnswer = z.infer<typeof rulesetAnswerSchema>;
