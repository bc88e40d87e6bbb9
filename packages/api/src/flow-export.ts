/**
 * Flows or edges as a Parquet file that the controller makes and the caller writes: bytes travel, never a path, so that whoever
 * may only read has nothing written anywhere by a program of root's.
 */
import { z } from "zod";
import { flowQuerySchema } from "./flows.ts";

export const exportFlowsQuerySchema = flowQuerySchema.extend({
  what: z.enum(["flows", "edges"]).default("flows"),
});

/** First what comes, then the file piece by piece. */
export const exportFlowsAnswerSchema = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("begin"), rows: z.int(), bytes: z.int() }),
  z.object({ kind: z.literal("data"), base64: z.string() }),
]);
export type ExportFlowsAnswer = z.infer<typeof exportFlowsAnswerSchema>;
