/** How things stand: modes, coverage, revision, receipts, drift, lost events, alarms, and the settings that govern them. */
import { z } from "zod";
import { undecidedSchema } from "./flows.ts";
import {
  canarySchema,
  invariantSchema,
  modeCountsSchema,
  receiptSummarySchema,
} from "./policies.ts";
import { probeSummarySchema } from "./probes.ts";

export const driftSchema = z.object({
  host: z.string(),
  detectedAt: z.number(),
  revision: z.int(),
  expectedDigest: z.string(),
  actualDigest: z.string().nullable(),
  differences: z.array(z.string()),
  repaired: z.boolean(),
});
export type DriftView = z.infer<typeof driftSchema>;

export const alarmSchema = z.object({
  at: z.number(),
  /** `verdict`: the kernel did otherwise than the reference says. */
  kind: z.enum([
    "verdict",
    "drift",
    "receipt",
    "spoofing",
    "store",
    "agent",
    "capacity",
    "telemetry",
    "blind-spot",
  ]),
  message: z.string(),
  count: z.int(),
});
export type Alarm = z.infer<typeof alarmSchema>;

export const agentSchema = z.object({
  host: z.string(),
  connected: z.boolean(),
  since: z.number(),
  pid: z.int(),
  version: z.string(),
  driver: z.string(),
  endpoints: z.int(),
  /** What passes the driver's rules without being judged. */
  exemptions: z.object({ version: z.int(), list: z.array(z.string()) }),
  /**
   * Packets that no rule decided, or that no log message tells of: `live_suppressed` and `shadow_suppressed` were told
   * once for many, `…_overflowed` not even that, because too many different ones came at once.
   */
  counters: z.record(z.string(), z.number()),
  /** Parts of what it told since it connected that nobody took: too long, too many, or with control characters. */
  refused: z.array(z.object({ place: z.string(), why: z.string(), count: z.int() })).optional(),
  receipt: receiptSummarySchema.extend({ ageMs: z.number(), signed: z.boolean() }).optional(),
  collector: z.object({
    alive: z.boolean(),
    received: z.number(),
    delivered: z.number(),
    /** Events known to be lost: by the kernel's queue, by ours, between agent and controller. */
    lost: z.number(),
    queueDepth: z.number(),
    lastEventAt: z.number().optional(),
  }),
});
export type AgentView = z.infer<typeof agentSchema>;

export const driftSettingSchema = z.enum(["repair", "report"]);

export const statusAnswerSchema = z.object({
  version: z.string(),
  /** `ok`, or the worst of what stands below. */
  state: z.enum(["ok", "attention", "failing"]),
  /** One sentence for each thing that is not well. */
  problems: z.array(z.string()),
  /** One sentence for each thing that is as somebody set it up, but lessens what policy is worth. */
  notices: z.array(z.string()).optional(),
  startedAt: z.number(),
  /** The controller ended by itself so often since `up`, and was started again: when and how it ended last. */
  restarts: z.object({ count: z.int(), at: z.number(), how: z.string() }).optional(),
  revision: z.int(),
  /** `enforce` when any resource in force is enforced. Absent when no policy was ever applied. */
  mode: z.enum(["audit", "enforce"]).optional(),
  /** Resources in force that may deny, by the mode of each. */
  resources: modeCountsSchema,
  /** A rollout that is under way. */
  canary: canarySchema.optional(),
  digest: z.string().optional(),
  confirm: z.object({ revision: z.int(), by: z.number(), revertsTo: z.int() }).optional(),
  /** What outside the policies decides. */
  profile: z.object({
    nodeExempt: z.boolean(),
    hairpinExempt: z.boolean(),
    default: z.enum(["allow", "deny"]),
    /** Interfaces on which the machine serves DHCP. */
    dhcp: z.array(z.string()).optional(),
    /** Where its resolver is open to workloads without a rule. */
    dns: z.array(z.object({ address: z.string(), port: z.int() })).optional(),
  }),
  modes: z.object({ observe: z.int(), audit: z.int(), enforce: z.int() }),
  coverage: z.object({
    workloads: z.int(),
    underPolicy: z.int(),
    enforced: z.int(),
    /** Share of workloads under policy, 0..1. */
    ratio: z.number(),
    enforcedRatio: z.number(),
  }),
  agents: z.array(agentSchema),
  drift: z.object({ setting: driftSettingSchema, total: z.int(), last: driftSchema.optional() }),
  flows: z.object({
    /** The flow store's own name: what is exported from it bears it. */
    store: z.string().optional(),
    stored: z.number(),
    oldest: z.number().optional(),
    newest: z.number().optional(),
    /** Days since the epoch of which there is history, first and last: longer than there are single flows. */
    firstDay: z.int().optional(),
    lastDay: z.int().optional(),
    /** Days of edges that were never answered and too many to be kept as such. */
    unsummed: z.number().optional(),
    /** Ways in which flows came to be known that edges do not tell apart, since there are too many. */
    sharedOrigins: z.number().optional(),
    /** Records from the future: told as of when they came. */
    redated: z.int(),
    /** On disk. */
    bytes: z.number(),
    /** Records that wait to be stored. */
    waiting: z.int(),
    /** Connections whose records were given up, because the store took none for too long: counted, not kept. */
    unstored: z.number(),
    writable: z.boolean(),
    /** Why it is not. */
    problem: z.string().optional(),
  }),
  /** What this machine must be able to do, as the last change left it. */
  invariants: z
    .object({ at: z.number(), revision: z.int(), checks: z.array(invariantSchema) })
    .optional(),
  /** Where several workloads claim one address or socket: the strictest of all readings holds. */
  ambiguous: z
    .object({
      /** So many connections had such an end since the controller started. */
      connections: z.number(),
      /** What is claimed twice now: `10.0.0.5`, `80/tcp`. */
      contested: z.array(z.object({ what: z.string(), workloads: z.array(z.string()) })),
    })
    .optional(),
  /** Taken over at enforcing, and to be ended in a while. Absent when there are none. */
  undecided: z.array(undecidedSchema).optional(),
  lostEvents: z.number(),
  alarms: z.array(alarmSchema),
  nextChangeAt: z.number().optional(),
  /** Of applications, as `readiness` or `suggest` found it last; absent before anybody asked. */
  readiness: z
    .object({
      at: z.number(),
      applications: z.int(),
      ready: z.int(),
      readyExcept: z.int(),
      learning: z.int(),
    })
    .optional(),
  probe: probeSummarySchema.extend({ at: z.number() }).optional(),
});
export type StatusAnswer = z.infer<typeof statusAnswerSchema>;

/** What of workloads' configuration agents may read for destinations, of which host, port and scheme alone are kept. */
export const configurationSourceSchema = z.enum(["environment", "arguments", "files"]);

const days = z.int().min(1).max(36_500);

/** Days for which single flows are kept, and the days of their edges. */
export const retentionSchema = z.strictObject({ flows: days, history: days });
export type RetentionDays = z.infer<typeof retentionSchema>;

export const settingsSchema = z.strictObject({
  drift: driftSettingSchema,
  /** Empty: nothing, as it is unless somebody said otherwise. */
  readConfiguration: z.array(configurationSourceSchema),
  retention: retentionSchema,
});
export type Settings = z.infer<typeof settingsSchema>;

/** What is left out stays as it is. */
export const settingsRequestSchema = settingsSchema
  .extend({ retention: retentionSchema.partial() })
  .partial();

export const driftAnswerSchema = z.object({
  setting: driftSettingSchema,
  reports: z.array(driftSchema),
});
export type DriftAnswer = z.infer<typeof driftAnswerSchema>;
