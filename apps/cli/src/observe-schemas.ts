/** Shapes of what `observe` and `map` make of the API's answers: talkers, the service map, and flows in Hubble's words. */
import type { HubbleResponse, ServiceMap, TalkersAnswer } from "@bulkhead/workbench/observe";
import { z } from "zod";

const total = {
  bytes: z.number(),
  packets: z.number(),
  connections: z.number(),
  failed: z.number(),
  denied: z.number(),
};

/** `observe --top` */
export const talkersAnswerSchema: z.ZodType<TalkersAnswer> = z.strictObject({
  by: z.enum(["bytes", "connections", "failed", "denied"]),
  talkers: z.array(
    z.strictObject({
      name: z.string(),
      ...total,
      begun: z.number(),
      received: z.number(),
      peers: z.number(),
      lastSeen: z.number(),
    }),
  ),
  total: z.strictObject({ talkers: z.number(), ...total }),
});

const traffic = { connections: z.number(), failed: z.number(), bytes: z.number() };

export const mapAnswerSchema: z.ZodType<ServiceMap> = z.strictObject({
  nodes: z.array(
    z.strictObject({
      id: z.string(),
      kind: z.enum(["application", "workload", "outside"]),
      namespace: z.string().optional(),
      name: z.string(),
      members: z.array(z.string()),
    }),
  ),
  arrows: z.array(
    z.strictObject({
      from: z.string(),
      to: z.string(),
      outcome: z.enum(["passed", "audit", "denied"]),
      ports: z.array(z.strictObject({ port: z.string(), ...traffic })),
      ...traffic,
    }),
  ),
});

const hubbleEndpoint = z.strictObject({
  namespace: z.string().optional(),
  labels: z.array(z.string()).optional(),
  workloads: z.array(z.strictObject({ name: z.string() })).optional(),
});
const hubblePorts = z.strictObject({
  source_port: z.int().optional(),
  destination_port: z.int(),
});
const hubbleIcmp = z.strictObject({ type: z.int(), code: z.int() });
const hubblePolicies = z
  .array(z.strictObject({ name: z.string(), namespace: z.string().optional(), kind: z.string() }))
  .optional();

/** A line of `observe -o jsonpb`: Hubble's field names, those of them that we can fill in. */
export const hubbleResponseSchema: z.ZodType<HubbleResponse> = z.strictObject({
  flow: z.strictObject({
    time: z.string(),
    verdict: z.enum(["FORWARDED", "DROPPED", "AUDIT", "ERROR"]),
    drop_reason: z.int().optional(),
    IP: z.strictObject({
      source: z.string(),
      destination: z.string(),
      ipVersion: z.enum(["IPv4", "IPv6"]),
    }),
    l4: z
      .union([
        z.strictObject({ TCP: hubblePorts }),
        z.strictObject({ UDP: hubblePorts }),
        z.strictObject({ SCTP: hubblePorts }),
        z.strictObject({ ICMPv4: hubbleIcmp }),
        z.strictObject({ ICMPv6: hubbleIcmp }),
      ])
      .optional(),
    source: hubbleEndpoint,
    destination: hubbleEndpoint,
    Type: z.literal("L3_L4"),
    node_name: z.string().optional(),
    source_names: z.array(z.string()).optional(),
    destination_names: z.array(z.string()).optional(),
    traffic_direction: z.enum(["INGRESS", "EGRESS"]).optional(),
    drop_reason_desc: z.enum(["INVALID_SOURCE_IP", "POLICY_DENIED"]).optional(),
    is_reply: z.literal(false),
    egress_denied_by: hubblePolicies,
    ingress_denied_by: hubblePolicies,
  }),
  node_name: z.string().optional(),
  time: z.string(),
});
