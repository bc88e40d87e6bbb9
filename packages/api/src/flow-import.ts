/**
 * Flows recorded by others, brought in batch by batch. A batch has its ends and origins once and its flows by their places in
 * those lists: a million flows have a few thousand ends. Its name is a digest of all that came before it and of itself, so
 * that one that is sent again is known and counts once.
 */
import { z } from "zod";
import {
  AGENT_ORIGIN,
  canonicalIp,
  FLOW_FORMATS,
  type FlowEnd,
  type FlowOrigin,
  type FlowRequest,
} from "@bulkhead/model";
import { flowVerdictSchema } from "./flows.ts";

/** Flows of one batch. */
export const MOST_IMPORTED = 10_000;

/** Names go to terminals, pipelines and policies. */
const plain = (most: number) =>
  z
    .string()
    .max(most)
    .regex(/^[^\p{Cc}\p{Cf}\u2028\u2029]*$/u, "has control characters");
const count = z.int().nonnegative();
/** Milliseconds since the epoch, until the year 5138. */
const moment = z.number().nonnegative().max(1e14);
const place = z.int().nonnegative();

export const importedEndSchema: z.ZodType<FlowEnd> = z.strictObject({
  address: z.string().refine((text) => canonicalIp(text) === text, "is not a canonical address"),
  workload: plain(1024).optional(),
  /** The address itself, where the source names nobody. */
  name: plain(1024),
  labels: z.record(plain(1024), plain(4096)),
  names: z.array(plain(1024)).max(1000).optional(),
});

export const flowOriginSchema: z.ZodType<FlowOrigin> = z.strictObject({
  format: z.enum(FLOW_FORMATS),
  sampling: z.number().min(1),
  aggregation: z.number().nonnegative(),
  direction: z.enum(["told", "guessed"]),
});

/** What our own collectors saw comes from them alone: measures are made of it. */
const importedOriginSchema = flowOriginSchema.refine(
  ({ format }) => format !== AGENT_ORIGIN.format,
  "is what this machine's own collectors saw, which nobody can bring in",
);

const requestSchema: z.ZodType<FlowRequest> = z.strictObject({
  method: plain(64),
  host: plain(1024).optional(),
  /** A query or fragment in it is cut off. */
  path: plain(8192).transform((path) => path.replace(/[?#].*$/s, "")),
  status: count.optional(),
});

const importedFlowSchema = z.strictObject({
  start: moment,
  end: moment,
  /** Places in `ends` and `origins`. */
  source: place,
  destination: place,
  origin: place,
  protocol: count.max(255),
  port: count.max(65535),
  sourcePort: count.max(65535),
  verdict: flowVerdictSchema,
  connections: count,
  established: count,
  failed: count,
  bytes: count,
  packets: count,
  node: plain(255).optional(),
  rule: plain(1024).optional(),
  direction: z.enum(["egress", "ingress"]).optional(),
  translated: z.literal(true).optional(),
  request: requestSchema.optional(),
});
export type ImportedFlow = z.input<typeof importedFlowSchema>;

export const importFlowsRequestSchema = z
  .strictObject({
    /** SHA-256, hexadecimal. */
    batch: z.string().regex(/^[0-9a-f]{64}$/, "is not a SHA-256 digest"),
    ends: z.array(importedEndSchema).max(2 * MOST_IMPORTED),
    origins: z.array(importedOriginSchema).max(1000),
    flows: z.array(importedFlowSchema).max(MOST_IMPORTED),
    /**
     * A digest of the record that each flow was made of, whatever file it stands in: what is stored already counts once. Absent:
     * every flow is taken.
     */
    records: z
      .array(z.string().regex(/^[0-9a-f]{16}$/, "is not a digest of 64 bits"))
      .max(MOST_IMPORTED)
      .optional(),
  })
  .superRefine(({ ends, origins, flows, records }, context) => {
    if (records !== undefined && records.length !== flows.length) {
      context.addIssue({
        code: "custom",
        message: "has not one digest of a record for each flow",
      });
    }
    const isOutside = flows.some(
      ({ source, destination, origin }) =>
        source >= ends.length || destination >= ends.length || origin >= origins.length,
    );
    if (isOutside) {
      context.addIssue({
        code: "custom",
        message: "a flow names an end or origin that is not there",
      });
    }
  });
export type ImportFlowsRequest = z.output<typeof importFlowsRequestSchema>;

export const importFlowsAnswerSchema = z.object({
  /** It had come before, and counts once. */
  known: z.boolean(),
  /** Stored by this request. */
  stored: z.int(),
  /** Their records were stored before, out of another file or batch: not stored again. */
  repeated: z.int(),
  /** Later than now, by more than clocks differ: not stored. */
  future: z.int(),
  /** Older than single flows are kept: only their days will stay. */
  old: z.int(),
});
export type ImportFlowsAnswer = z.infer<typeof importFlowsAnswerSchema>;
