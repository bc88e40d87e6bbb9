/** Observed flows and edges, and the filters they are asked for with. Streams travel as JSON Lines. */
import { z } from "zod";
import {
  FLOW_VERDICTS,
  type Edge,
  type Flow,
  type FlowEnd,
  type FlowProcess,
} from "@bulkhead/model";
import { directionSchema } from "./decisions.ts";
import {
  readAddresses,
  readDomain,
  readPorts,
  readProtocol,
  readSelector,
  readVerdict,
  type Read,
} from "./flow-filters.ts";

export const flowVerdictSchema = z.enum(FLOW_VERDICTS);

const flowProcessSchema: z.ZodType<FlowProcess> = z.object({
  name: z.string().optional(),
  pid: z.int().optional(),
  uid: z.int().optional(),
  user: z.string().optional(),
  cgroup: z.string().optional(),
  unit: z.string().optional(),
});

export const flowEndSchema: z.ZodType<FlowEnd> = z.object({
  address: z.string(),
  workload: z.string().optional(),
  name: z.string(),
  labels: z.record(z.string(), z.string()),
  /** Domain names that stood for the address at the time, as the other end had them from DNS. */
  names: z.array(z.string()).optional(),
  process: flowProcessSchema.optional(),
});

export const flowSchema: z.ZodType<Flow> = z.object({
  /** The machine that saw it. */
  node: z.string().optional(),
  start: z.number(),
  end: z.number(),
  source: flowEndSchema,
  destination: flowEndSchema,
  protocol: z.int(),
  port: z.int(),
  sourcePort: z.int(),
  verdict: flowVerdictSchema,
  cookie: z.string().optional(),
  direction: directionSchema.optional(),
  connections: z.number(),
  established: z.number(),
  failed: z.number(),
  bytes: z.number(),
  packets: z.number(),
  rule: z.string().optional(),
  cutBy: z.string().optional(),
  probe: z.boolean().optional(),
  /** The destination is not the one that was addressed: told of flows as they come, and not kept. */
  translated: z.literal(true).optional(),
  /** On lines that `observe -o json` and `flows export` write: the store that it is from. */
  store: z.string().optional(),
});

export const edgeSchema: z.ZodType<Edge> = z.object({
  source: flowEndSchema,
  destination: flowEndSchema,
  protocol: z.int(),
  port: z.int(),
  verdict: flowVerdictSchema,
  rule: z.string().optional(),
  cutBy: z.string().optional(),
  connections: z.number(),
  established: z.number(),
  failed: z.number(),
  bytes: z.number(),
  packets: z.number(),
  firstSeen: z.number(),
  lastSeen: z.number(),
  windows: z.number(),
  probe: z.boolean().optional(),
});

const flag = z.union([z.boolean(), z.enum(["true", "false"]).transform((text) => text === "true")]);
/** One name or several, as repeated query parameters give them. */
const list = z.union([
  z.array(z.string()),
  z.string().transform((text) => text.split(",").filter((s) => s !== "")),
]);

/** Every one that is wrong is told. */
function reading<T>(read: (text: string) => Read<T>) {
  return (texts: readonly string[], context: z.RefinementCtx): T[] =>
    texts.flatMap((text) => {
      const found = read(text);
      if ("value" in found) return [found.value];
      context.addIssue({ code: "custom", message: `${found.error} (${found.help})` });
      return [];
    });
}

const listOf = <T>(read: (text: string) => Read<T>) => list.transform(reading(read));

/** Kubernetes selectors, of which any may hold; `;` stands between two, for commas belong to a selector. */
const selectors = z
  .string()
  .transform((text, context) => reading(readSelector)(text.split(";"), context));
const addresses = listOf(readAddresses);
const domains = listOf(readDomain);
const count = z.coerce.number().int().nonnegative();

/**
 * A flow fits when it fits every field that is given, and it fits a list by one of its entries. Names, labels and
 * addresses are those of the ends as they were then.
 */
export const flowQuerySchema = z.strictObject({
  /** Milliseconds since the epoch, inclusive. */
  since: z.coerce.number().int().nonnegative().optional(),
  /** Milliseconds since the epoch, exclusive. */
  until: z.coerce.number().int().nonnegative().optional(),
  /** Any of these verdicts, comma separated, in any case. */
  verdict: listOf(readVerdict).optional(),
  /** Either end has one of these names (`shop/web`, `world`, a NetworkSet), comma separated. */
  workload: list.optional(),
  from: list.optional(),
  to: list.optional(),
  /** Either end has labels that a selector holds: `app=web;tier in (front,back)` */
  label: selectors.optional(),
  fromLabel: selectors.optional(),
  toLabel: selectors.optional(),
  /** Either end has one of these addresses, or is in one of these prefixes, comma separated. */
  ip: addresses.optional(),
  fromIp: addresses.optional(),
  toIp: addresses.optional(),
  /** DNS called either end such a name: `*.example.com`, comma separated. */
  fqdn: domains.optional(),
  fromFqdn: domains.optional(),
  toFqdn: domains.optional(),
  /** `tcp,udp`, `proto-47` */
  protocol: listOf(readProtocol).optional(),
  /** `5432/tcp`, `53`, `8000-8100/tcp`, comma separated. */
  port: listOf(readPorts)
    .transform((ports) => ports.flat())
    .optional(),
  /** The newest so many; 0 = all. */
  limit: count.default(0),
  /** The oldest so many; 0 = all. Not together with `limit`. */
  first: count.default(0),
  /** Bulkhead's own probes are left out unless asked for. */
  probes: flag.default(false),
});
export type FlowFilter = z.input<typeof flowQuerySchema>;

export const flowStreamQuerySchema = flowQuerySchema.extend({
  /** Go on with new flows as they come, until the client hangs up. */
  follow: flag.default(false),
});
export type FlowStreamFilter = z.input<typeof flowStreamQuerySchema>;

/** Like connections that are open, and that the policy ends or would end. */
export const underWaySchema = z.object({
  source: flowEndSchema,
  destination: flowEndSchema,
  protocol: z.int(),
  port: z.int(),
  connections: z.int(),
  verdict: z.enum(["drop", "reject"]),
  /** The rule, or what isolates. Absent: the default. */
  rule: z.string().optional(),
});
export type UnderWay = z.infer<typeof underWaySchema>;

/** Like connections that nobody can tell the opener of: allowed in the direction that is permitted, for a while. */
export const undecidedSchema = z.object({
  source: flowEndSchema,
  destination: flowEndSchema,
  protocol: z.int(),
  port: z.int(),
  connections: z.int(),
  /** They end then (the last of them). */
  until: z.number(),
});
export type UndecidedView = z.infer<typeof undecidedSchema>;

export const edgesAnswerSchema = z.object({
  edges: z.array(edgeSchema),
  /** Where `audit` was asked for: connections open at this moment that enforcing would cut. */
  underWay: z.array(underWaySchema).optional(),
});
export type EdgesAnswer = z.infer<typeof edgesAnswerSchema>;
