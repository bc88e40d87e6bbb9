/** Where to start: what to confine first and what that is worth, what is missing, and how far everything has come. */
import { z } from "zod";
import { dependencySchema, scheduleSchema } from "./readiness.ts";

const reachSchema = z.object({
  /** Other workloads that may open a connection to it. */
  direct: z.int(),
  /** Those from which it can be reached in any number of hops. */
  paths: z.int(),
  /** Those that an intruder in it reaches, hop by hop. */
  blast: z.int(),
});

const jewelSchema = z.object({
  workload: z.string(),
  /** What it keeps: `PostgreSQL`. */
  store: z.string().optional(),
  why: z.string(),
  openToWorld: z.boolean(),
  /** Whom it is known to talk to by: recorded flows, its configuration, or nothing but its namespace. */
  basis: z.enum(["flows", "configuration", "namespace"]),
  callers: z.int(),
  now: reachSchema,
  /** Confined to whom it is known to talk to. */
  after: reachSchema,
  command: z.string(),
});

export const prerequisiteSchema = z.object({
  kind: z.enum([
    "workloads",
    "labels",
    "collector",
    "losses",
    "unread",
    "clock",
    "dns",
    "flows",
    "owners",
    "tests",
    "enforcement",
    "exceptions",
    "schedules",
    "configuration",
  ]),
  /** `blocks`: what follows rests on it. */
  weight: z.enum(["blocks", "weakens"]),
  text: z.string(),
  why: z.string(),
  samples: z.array(z.string()),
  command: z.string(),
});

const levelSchema = z.enum(["beginner", "intermediate", "advanced"]);

export const assessAnswerSchema = z.object({
  at: z.number(),
  workloads: z.int(),
  /** Others that an intruder in one workload reaches, on average: now, and with all of `jewels` confined. */
  averageBlast: z.object({ now: z.number(), after: z.number() }),
  /** What to do, most urgent first. */
  first: z.array(z.object({ what: z.string(), why: z.string(), command: z.string() })),
  jewels: z.array(jewelSchema),
  prerequisites: z.array(prerequisiteSchema),
  maturity: z.object({
    level: levelSchema.optional(),
    rows: z.array(
      z.object({
        level: levelSchema,
        text: z.string(),
        /** Absent: only a running system can tell. */
        met: z.boolean().optional(),
        command: z.string(),
      }),
    ),
  }),
  /** What is known to be coming, as far as it is told; absent of a folder. */
  schedules: z.array(scheduleSchema).optional(),
  dependencies: z.array(dependencySchema).optional(),
});
export type AssessAnswer = z.infer<typeof assessAnswerSchema>;
