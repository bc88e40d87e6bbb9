/** Whom a change of policy affects, of everybody on record: rows of a replay, by the two parties and by what decides. */
import { z } from "zod";
import type { Affected, Party, Tally } from "@bulkhead/model";
import { determinantSchema } from "./decisions.ts";
import { flowSchema } from "./flows.ts";

const partySchema: z.ZodType<Party> = z.object({
  name: z.string(),
  owners: z.array(z.string()),
  members: z.int(),
});

export const affectedSchema: z.ZodType<Affected> = z.object({
  change: z.enum(["denied", "allowed"]),
  source: partySchema,
  destination: partySchema,
  ports: z.array(z.string()),
  portCount: z.int(),
  edges: z.int(),
  connections: z.number(),
  firstSeen: z.number(),
  lastSeen: z.number(),
  before: determinantSchema,
  after: determinantSchema,
  samples: z.array(flowSchema),
});

export const tallySchema: z.ZodType<Tally> = z.object({ edges: z.int(), connections: z.number() });
