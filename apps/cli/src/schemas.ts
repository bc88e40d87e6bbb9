/** Shapes of the answers that the command line makes itself; those of the API are published by the API. */
import { statusAnswerSchema, workloadSchema } from "@bulkhead/api";
import { z } from "zod";

export const upAnswerSchema = z.object({
  state: z.string(),
  pid: z.int(),
  /** It ran before this call. */
  already: z.boolean(),
  tookMs: z.number(),
  warnings: z.array(z.string()),
  status: statusAnswerSchema,
  workloads: z.array(workloadSchema),
});
export type UpAnswer = z.infer<typeof upAnswerSchema>;

export const downAnswerSchema = z.object({
  state: z.string(),
  ended: z.array(z.enum(["supervisor", "controller", "agent"])),
  /** `namespace gone`: and our rules with it. */
  kernel: z.enum(["removed", "nothing", "namespace gone"]),
  purged: z.boolean(),
  /** What `--purge` found in the state directory and left alone. */
  foreign: z.array(z.string()),
});
export type DownAnswer = z.infer<typeof downAnswerSchema>;

export const versionAnswerSchema = z.object({
  version: z.string(),
  node: z.string(),
  platform: z.string(),
  apiVersion: z.string(),
});
export type VersionAnswer = z.infer<typeof versionAnswerSchema>;

/** What a failed verb prints on stderr with `-o json`. */
export const failureAnswerSchema = z.object({
  error: z.object({
    code: z.string(),
    message: z.string(),
    help: z.string().optional(),
    diagnostics: z.array(z.unknown()),
  }),
});

/** JSON Schemas by verb; `failure` is what stderr holds when a verb fails. */
export function ownSchemas(): Readonly<Record<string, unknown>> {
  const own = {
    up: upAnswerSchema,
    down: downAnswerSchema,
    version: versionAnswerSchema,
    failure: failureAnswerSchema,
  };
  return Object.fromEntries(
    Object.entries(own).map(([name, schema]) => [
      name,
      { answer: z.toJSONSchema(schema, { io: "output", unrepresentable: "any" }) },
    ]),
  );
}
