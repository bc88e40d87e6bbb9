/** The measures M1 to M8: what each is now, what it should be, and what it was made of. `docs/measures.md` defines them. */
import { z } from "zod";

export const MEASURE_IDS = ["M1", "M2", "M3", "M4", "M5", "M6", "M7", "M8"] as const;

export const sloQuerySchema = z.strictObject({
  /** Beginning of the window, milliseconds since the epoch; seven days ago unless told. */
  since: z.coerce.number().int().nonnegative().optional(),
});

export const measureSchema = z.object({
  id: z.enum(MEASURE_IDS),
  /** `policy coverage` */
  name: z.string(),
  /** Null: it cannot be told, and `reason` says why. */
  value: z.number().nullable(),
  /** `ratio` is a share of 1, `seconds` a time, `per-week` a number in seven days. */
  unit: z.enum(["ratio", "seconds", "per-week"]),
  target: z.number(),
  /** Which side of the target is well: `at-least` it, or `below` it. */
  aim: z.enum(["at-least", "below"]),
  state: z.enum(["ok", "burning", "unknown"]),
  /** Why it is not known, or what to know of the value. */
  reason: z.string().optional(),
  /** Beginning and end of what it was measured over; one moment where it is of now. */
  from: z.number(),
  until: z.number(),
  /** What it was made of, by name: `denied`, `connections`. */
  parts: z.record(z.string(), z.number()),
});
export type MeasureView = z.infer<typeof measureSchema>;

export const incidentSchema = z.object({
  kind: z.enum(["drift", "false-deny", "blind-spot"]),
  subject: z.string(),
  message: z.string(),
  detectedAt: z.number(),
  endedAt: z.number().optional(),
  endedBy: z.string().optional(),
});
export type IncidentView = z.infer<typeof incidentSchema>;

export const sloAnswerSchema = z.object({
  at: z.number(),
  since: z.number(),
  measures: z.array(measureSchema),
  /** Open, or ended in the window: what M3 is made of. */
  incidents: z.array(incidentSchema),
});
export type SloAnswer = z.infer<typeof sloAnswerSchema>;

/** Somebody says that a connection that was denied should not have been. */
export const falseDenyRequestSchema = z.strictObject({
  from: z.string().min(1),
  to: z.string().min(1),
  /** `5432/tcp` */
  port: z.string().min(1),
  author: z.string(),
  reason: z.string(),
});

export const falseDenyAnswerSchema = z.object({
  subject: z.string(),
  /** Denied connections on record that it speaks of. */
  connections: z.number(),
  /** False: it was reported before, and is not repaired yet. */
  opened: z.boolean(),
});
export type FalseDenyAnswer = z.infer<typeof falseDenyAnswerSchema>;

const timesSchema = z.strictObject({ p50: z.number().positive(), p95: z.number().positive() });
const comparedSchema = z.strictObject({ withRules: timesSchema, without: timesSchema });

/** What `slo --measure-latency` found in scratch networks, with our rules and without, in microseconds. */
export const latencySchema = z.strictObject({
  at: z.number(),
  /** A byte there and a byte back on a connection that is there. */
  exchange: comparedSchema,
  /** The same with the handshake before it. */
  connect: comparedSchema,
  /** Timed on each side. */
  samples: z.int().positive(),
  /** Entries that the rules had. */
  entries: z.int().nonnegative(),
});
export type Latency = z.infer<typeof latencySchema>;
