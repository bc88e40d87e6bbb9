/** Shapes of the answers that questions to a folder have. */
import { obligationSchema, sourceSpanSchema } from "@bulkhead/api";
import { z } from "zod";

const decisionSchema = z.enum(["allow", "deny"]);

const determinedSchema = z.strictObject({
  direction: z.enum(["egress", "ingress"]),
  /** `default` and `exemption` are no rule of the files. */
  kind: z.enum(["rule", "isolation", "default", "exemption"]),
  /** `NetworkPolicy/shop/db` */
  policy: z.string().optional(),
  /** Of an isolation the block: `NetworkPolicy/shop/db#ingress`. */
  rule: z.string().optional(),
  stage: z.string().optional(),
  file: z.string().optional(),
  line: z.int().optional(),
  exemption: z.string().optional(),
});

/** `decide`; with `--queries` one a line, or in its place `{"error": {"code", "message", "help"}, "line"}`. */
export const decideAnswerSchema = z.strictObject({
  /** The question's own. */
  id: z.unknown().optional(),
  decision: decisionSchema,
  /** A deny that the sender is told of. */
  rejected: z.literal(true).optional(),
  from: z.string(),
  to: z.string(),
  port: z.string(),
  egress: decisionSchema,
  ingress: decisionSchema,
  /** Of a deny what denies, of an allow what allows. */
  determinedBy: z.array(determinedSchema),
  obligations: z.array(obligationSchema).optional(),
  /** Rules of equal order disagree; the stricter one counts. */
  ambiguous: z.literal(true).optional(),
  /** Between other addresses of the two ends, over IPv6 say, it is otherwise. */
  elsewhere: decisionSchema.optional(),
});

/** A line of `decide --queries`: `{"from": "shop/web", "to": "shop/db", "port": 5432, "protocol": "TCP"}`. */
export const decideQuerySchema = z.object({
  /** A pod or its controller (`shop/web`), an address, `host` or `world`. */
  from: z.string(),
  /** Absent only where `names` says which of the world is meant. */
  to: z.string().optional(),
  /** A number, `53/udp`, `icmp/echo-request`, or a name of the destination's. */
  port: z.union([z.string(), z.int()]).optional(),
  /** By name or number; TCP unless said. */
  protocol: z.union([z.string(), z.int()]).optional(),
  /** Of ICMP. */
  type: z.int().optional(),
  code: z.int().optional(),
  /** `GET /x`, or in parts. Of `http`, `sni`, `dns` and `opaque` one at most. */
  http: z
    .union([
      z.string(),
      z.object({
        method: z.string().optional(),
        path: z.string().optional(),
        host: z.string().optional(),
        headers: z.record(z.string(), z.string()).optional(),
      }),
    ])
    .optional(),
  sni: z.string().optional(),
  dns: z.string().optional(),
  /** The connection carries nothing that can be looked into. */
  opaque: z.boolean().optional(),
  /** DNS names of the destination's address. */
  names: z.array(z.string()).optional(),
  /** Comes back with the answer. */
  id: z.unknown().optional(),
});

export const testAnswerSchema = z.strictObject({
  passed: z.int(),
  failed: z.int(),
  tests: z.array(
    z.strictObject({
      test: z.string(),
      passed: z.boolean(),
      message: z.string(),
      source: sourceSpanSchema,
    }),
  ),
});

const hopSchema = z.strictObject({
  from: z.string(),
  to: z.string(),
  /** All that lie between the two. */
  ports: z.string(),
  /** One of them. */
  packet: z.strictObject({
    source: z.string(),
    destination: z.string(),
    port: z.string(),
    request: z.unknown().optional(),
    names: z.array(z.string()).optional(),
  }),
  determinedBy: z.array(determinedSchema),
  obligations: z.array(obligationSchema).optional(),
  /** What of the other folder stops it. */
  deniedBy: z.array(determinedSchema).optional(),
});

export const proveAnswerSchema = z.strictObject({
  proofs: z.array(
    z.strictObject({
      that: z.string(),
      answer: z.enum(["yes", "no", "undecided"]),
      /** Over whom and what it was proved. */
      over: z.array(z.string()),
      counterexample: z
        .strictObject({
          path: z.array(hopSchema),
          permittedBy: z.enum(["this", "other"]).optional(),
        })
        .optional(),
      /** Why it is undecided. */
      because: z.string().optional(),
    }),
  ),
});

const stepSchema = { hop: z.int(), via: z.string(), ports: z.string() };

export const blastAnswerSchema = z.strictObject({
  workload: z.string(),
  /** Null: as many as it takes. */
  hops: z.int().nullable(),
  reachable: z.int(),
  others: z.int(),
  reached: z.array(z.strictObject({ end: z.string(), ...stepSchema })),
  outside: z.array(z.strictObject({ prefixes: z.array(z.string()), ...stepSchema })),
});
