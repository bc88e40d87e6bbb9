/** Places and diagnostics as they travel in answers: the model's types, checked at the edge. */
import { z } from "zod";
import type { Diagnostic, DiagnosticCode, SourceSpan } from "@bulkhead/model";

export const sourceSpanSchema: z.ZodType<SourceSpan> = z.object({
  file: z.string(),
  line: z.int(),
  column: z.int(),
  endLine: z.int().optional(),
  endColumn: z.int().optional(),
});

export const diagnosticSchema: z.ZodType<Diagnostic> = z.object({
  code: z.templateLiteral(["BH", z.string()]) as z.ZodType<DiagnosticCode>,
  severity: z.enum(["error", "warning", "info"]),
  span: sourceSpanSchema,
  message: z.string(),
  help: z.string().optional(),
});
