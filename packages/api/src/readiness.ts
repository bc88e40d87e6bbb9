/** How complete the picture is, of each workload, group or application. `docs/readiness.md` defines every number. */
import { z } from "zod";
import {
  FLOW_FORMATS,
  SET_ASIDE_REASONS,
  type Awaited,
  type ConfiguredDependency,
  type Readiness,
  type Schedule,
} from "@bulkhead/model";
import { flowOriginSchema } from "./flow-import.ts";

export const READINESS_LEVELS = ["workload", "group", "application"] as const;
export const READINESS_STATES = ["learning", "ready", "ready-except"] as const;

export const readinessQuerySchema = z.strictObject({
  level: z.enum(READINESS_LEVELS).default("group"),
});
export type ReadinessQuery = z.input<typeof readinessQuerySchema>;

const intervalSchema = z.object({ low: z.number(), high: z.number() });

const unseenSchema = z.object({
  /** Distinct edges that were seen. */
  seen: z.int(),
  /** Hours or days that were looked at. */
  units: z.int(),
  unit: z.enum(["hour", "day"]),
  once: z.int(),
  twice: z.int(),
  /** Of the edges that a unit of time brings, the share never seen so far; with its 95 % interval. */
  mass: z.number(),
  massInterval: intervalSchema,
  /** How many edges there are besides: a lower bound. */
  edges: z.number(),
  edgesInterval: intervalSchema,
  /** The share of connections that belongs to edges never seen. */
  flows: z.number(),
  flowsInterval: intervalSchema,
});

export const scheduleSchema: z.ZodType<Schedule> = z.object({
  name: z.string(),
  kind: z.enum(["systemd-timer", "cron", "cronjob"]),
  expression: z.string(),
  timeZone: z.string().optional(),
  node: z.string().optional(),
  workload: z.string().optional(),
  labels: z.record(z.string(), z.string()).optional(),
  namespace: z.string().optional(),
  since: z.number().optional(),
  suspended: z.literal(true).optional(),
  lastRun: z.number().optional(),
  nextRun: z.number().optional(),
});

export const dependencySchema: z.ZodType<ConfiguredDependency> = z.object({
  workload: z.string(),
  host: z.string(),
  port: z.int().optional(),
  scheme: z.string().optional(),
  /** Where it is written, never what is written there. */
  place: z.string(),
  namespace: z.string().optional(),
});

const awaitedSchema: z.ZodType<Awaited> = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("schedule"), schedule: scheduleSchema }),
  z.object({ kind: z.literal("dependency"), dependency: dependencySchema }),
  z.object({
    /** New addresses keep coming behind a name. */
    kind: z.literal("addresses"),
    name: z.string(),
    protocol: z.int(),
    port: z.int(),
    addresses: z.int(),
    /** Of them, those that came after the first day. */
    later: z.int(),
    days: z.int(),
    newest: z.number(),
    flows: z.number(),
  }),
  z.object({
    /** It looks real and does not fit: a person says whether it is needed. */
    kind: z.literal("doubt"),
    /** As it is accepted or rejected: `shop/web → shop/db 5432/tcp`. */
    edge: z.string(),
    reason: z.enum(SET_ASIDE_REASONS),
    detail: z.string(),
    connections: z.number(),
    firstSeen: z.number(),
    lastSeen: z.number(),
  }),
]);

export const readinessSchema: z.ZodType<Readiness> = z.object({
  subject: z.object({
    kind: z.enum(READINESS_LEVELS),
    name: z.string(),
    workloads: z.array(z.string()),
  }),
  state: z.enum(READINESS_STATES),
  unseen: unseenSchema,
  calendar: z.array(
    z.object({
      kind: z.enum(["hour-of-week", "day-of-month", "month-end", "quarter-end"]),
      text: z.string(),
      next: z.number(),
    }),
  ),
  awaited: z.array(awaitedSchema),
  /** Doubtful edges besides those that `awaited` names. */
  moreDoubts: z.int().optional(),
  readyAt: z.number().optional(),
  exceptAt: z.number().optional(),
  notBefore: z.number().optional(),
  reason: z.string(),
  weakened: z.array(flowOriginSchema),
  /** Who told of it, where imports did: shares of its edges and connections; `alone`: of connections that nobody else told of. */
  told: z
    .array(
      z.object({
        format: z.enum(FLOW_FORMATS),
        edges: z.number(),
        connections: z.number(),
        alone: z.number(),
      }),
    )
    .optional(),
  firstSeen: z.number().optional(),
  lastSeen: z.number().optional(),
});

const doubtAnswerSchema = z.object({
  /** `shop/web → shop/db 5432/tcp` */
  edge: z.string(),
  answer: z.enum(["accepted", "rejected"]),
  author: z.string(),
  reason: z.string(),
  at: z.number(),
});
export type DoubtAnswer = z.infer<typeof doubtAnswerSchema>;

const doubtNamesSchema = z.array(z.string().min(1).max(1024)).max(1000).optional();

/** What a person says of doubtful edges, by the names that `readiness` has for them, or by single ends. */
export const doubtsRequestSchema = z.strictObject({
  accept: doubtNamesSchema,
  reject: doubtNamesSchema,
  /** What was said of these is taken back. */
  forget: doubtNamesSchema,
  author: z.string(),
  reason: z.string().max(4096),
});
export type DoubtsRequest = z.input<typeof doubtsRequestSchema>;

export const doubtsAnswerSchema = z.object({
  /** All that stands now, by edge. */
  answered: z.array(doubtAnswerSchema),
});

/** Each pair once, by who it is now. */
export const formerNamesSchema = z.array(z.object({ before: z.string(), now: z.string() }));

export const readinessAnswerSchema = z.object({
  /** When it was found. */
  at: z.number(),
  level: z.enum(READINESS_LEVELS),
  /** By name. */
  subjects: z.array(readinessSchema),
  /** Days on which anybody looked, and hours of them. */
  watched: z.object({
    days: z.int(),
    hours: z.int(),
    /** Of these hours, those in which none of our own collectors did. */
    importedHours: z.int().optional(),
  }),
  /** Edges that suggest a rule, and those set aside, which are no evidence. */
  edges: z.int(),
  setAside: z.int(),
  /** Whose history was recorded under another name, before an Inventory named it; absent: nobody's. */
  formerNames: formerNamesSchema.optional(),
  /** What people said of doubtful edges; absent where nobody could be asked. */
  answered: z.array(doubtAnswerSchema).optional(),
});
export type ReadinessAnswer = z.infer<typeof readinessAnswerSchema>;
