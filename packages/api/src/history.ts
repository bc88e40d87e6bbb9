/** The log of revisions. */
import { z } from "zod";
import {
  applyModeSchema,
  canarySchema,
  modeCountsSchema,
  policyFileSchema,
  resourceChangesSchema,
} from "./policies.ts";

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
