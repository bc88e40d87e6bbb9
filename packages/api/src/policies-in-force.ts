/** What is in force, and what became of each of its rules: how often it was hit, whether anybody needs it, and what it permits too much. */
import { z } from "zod";
import { applyModeSchema, canarySchema } from "./policies.ts";
import { READINESS_STATES } from "./readiness.ts";

export const resourcesAnswerSchema = z.object({
  revision: z.int(),
  /** In force, by name. */
  resources: z.array(z.object({ name: z.string(), mode: applyModeSchema, file: z.string() })),
});
export type ResourcesAnswer = z.infer<typeof resourcesAnswerSchema>;

/** The policy in force as texts, each with those of its resources that are in force from it. */
export const inForceAnswerSchema = z.object({
  revision: z.int(),
  canary: canarySchema.optional(),
  files: z.array(
    z.object({
      /** As it was given. Twice, where of two versions something is in force. */
      name: z.string(),
      text: z.string(),
      resources: z.array(z.object({ name: z.string(), mode: applyModeSchema })),
    }),
  ),
});
export type InForceAnswer = z.infer<typeof inForceAnswerSchema>;

/** What a rule, or what a policy says of everything else, did since it has been in the kernel. Packets, replies included. */
export const ruleHitsSchema = z.object({
  /** As in flows: `Intent/shop/web-to-db#ingress`; `default` where no policy applies. */
  rule: z.string(),
  allowed: z.int(),
  denied: z.int(),
  /** Of policy in audit: new connections that it would have denied. */
  wouldDeny: z.int(),
  bytes: z.int(),
  /** To some seconds, as far back as the agent has run. */
  lastHit: z.number().optional(),
});
export type RuleHits = z.infer<typeof ruleHitsSchema>;

export const policiesQuerySchema = z.strictObject({
  /** Tell what recorded flows needed since then, too. */
  since: z.coerce.number().int().nonnegative().optional(),
  /** Tell which rules permit ports or peers that no recorded connection used since then, too. */
  broad: z.coerce.number().int().nonnegative().optional(),
});

/** Workloads, and the groups that labels make of them; addresses of IPv4, and networks of 64 bits, where they are bounded. */
const peerCountSchema = z.object({
  groups: z.int(),
  workloads: z.int(),
  addresses: z.number().optional(),
});

const broadPeerSchema = z.object({
  side: z.enum(["from", "to"]),
  /** `app=web`, `10.0.0.0/8`, `any`, `NetworkSet office`. */
  peer: z.string(),
  permits: peerCountSchema,
  /** Since then. */
  used: peerCountSchema,
  /** Groups that were on record all the while and did not use it: `shop/admin`. */
  unused: z.array(z.string()),
  /** Groups and addresses that used it in the whole record; of them, those on one day alone. */
  seen: z.int(),
  once: z.int(),
  /** What would stand there instead; empty where nobody used it. */
  proposed: z.array(z.string()).optional(),
  /** Why nothing is proposed. */
  left: z.string().optional(),
});

export const policiesAnswerSchema = z.object({
  revision: z.int(),
  /** In force, by name. */
  policies: z.array(
    z.object({
      name: z.string(),
      mode: applyModeSchema,
      file: z.string(),
      /** When it came into force, and has been since; milliseconds since the epoch. */
      createdAt: z.number().optional(),
      /** When it came to say what it says, in the mode that it is in. */
      changedAt: z.number().optional(),
      /** Who answers for it; null: nobody is named. Absent of kinds that name nobody. */
      owner: z.string().nullable().optional(),
      /** When it ends by itself, or ended. */
      expiresAt: z.number().optional(),
      /** Of those workloads that are attached: what concerns nobody here is not in the kernel. */
      rules: z.array(ruleHitsSchema),
    }),
  ),
  /** What belongs to no resource. */
  others: z.array(ruleHitsSchema),
  /** Why there are no numbers. */
  uncounted: z.string().optional(),
  /** Where `since` was given: which rules recorded flows needed since then. */
  usage: z
    .object({
      since: z.number(),
      /** Flows are on record from here on; later than `since`, nothing is called unused. */
      from: z.number(),
      /** Those that allow something. */
      rules: z.array(
        z.object({
          rule: z.string(),
          /** `db.yaml:7:5` */
          place: z.string(),
          /** When its resource came into force in its present form. */
          inForceSince: z.number(),
          /** The last time that it decided a recorded flow. */
          lastUsed: z.number().optional(),
          /** In force all the while, and it decided nothing. */
          unused: z.boolean(),
        }),
      ),
    })
    .optional(),
  /** Where `broad` was given: rules that permit ports, or peers, that were not used since then, though they were used. */
  broad: z
    .object({
      since: z.number(),
      /** Flows are on record from here on; later than `since`, nothing is proposed. */
      from: z.number(),
      /** Days since then on which anybody looked. */
      days: z.int(),
      /** Edges of the whole record that the narrower policy was tried with. */
      replayed: z.int(),
      rules: z.array(
        z.object({
          rule: z.string(),
          /** `db.yaml:7:5` */
          place: z.string(),
          inForceSince: z.number(),
          /** `8000-8100/tcp` */
          permits: z.string(),
          /** Of these, used since then. */
          used: z.string(),
          /** How many of them were not: ports, ICMP types with codes, and protocols without ports. */
          slack: z.int(),
          /** Of those whom the rule is about, whoever is least so. */
          readiness: z.enum(READINESS_STATES),
          /** Why it cannot be said yet; then nothing is proposed. */
          tooEarly: z.string().optional(),
          /** Ports that it would permit: whatever was used in the whole record. */
          proposed: z.string().optional(),
          /** Why none are proposed. */
          left: z.string().optional(),
          /** Entries of its `from` or `to` that admit much more than used them. */
          peers: z.array(broadPeerSchema).optional(),
        }),
      ),
      /** What is proposed, over the files in force, as `git apply` takes it; empty without any. */
      patch: z.string(),
    })
    .optional(),
});
export type PoliciesAnswer = z.infer<typeof policiesAnswerSchema>;
