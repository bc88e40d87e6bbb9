/** The workloads the controller knows: who they are, where they attach, and how far policy goes for them. */
import { z } from "zod";

export const modeSchema = z.enum(["observe", "audit", "enforce"]);

export const workloadSchema = z.object({
  /** `namespace/name` */
  id: z.string(),
  namespace: z.string(),
  name: z.string(),
  kind: z.enum(["netns", "container", "pod", "vm", "host", "external", "process"]),
  labels: z.record(z.string(), z.string()),
  addresses: z.array(z.string()),
  mode: modeSchema,
  /** An Inventory file names it. */
  declared: z.boolean(),
  /** An agent sees it attached now. */
  attached: z.boolean(),
  interface: z.string().optional(),
  netnsPath: z.string().optional(),
  owner: z.object({ kind: z.string(), name: z.string() }).optional(),
  /** Resources that select it: `Policy/shop/db`. */
  policies: z.array(z.string()),
});
export type WorkloadView = z.infer<typeof workloadSchema>;

export const workloadsAnswerSchema = z.object({
  revision: z.int(),
  workloads: z.array(workloadSchema),
  hostAddresses: z.array(z.string()),
});
export type WorkloadsAnswer = z.infer<typeof workloadsAnswerSchema>;
