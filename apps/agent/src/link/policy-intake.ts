/** Policies on their way to the keeper: those from disk at the start, those from the controller later. Each is checked first. */
import type { Logger } from "pino";
import type { Receipt } from "@bulkhead/model";
import type { AgentMessage, ControllerMessage } from "@bulkhead/wire";
import type { PolicyKeeper } from "../state/policy-keeper.ts";
import { UntrustedError, type PolicyTrust, type TrustedPolicy } from "../state/trusted-policy.ts";

type Applied = Extract<AgentMessage, { kind: "applied" }>;

export interface PolicyIntake {
  /** The last policy that took effect, so that the agent enforces before, and without, its controller. */
  fromDisk(): Promise<void>;
  fromController(message: Extract<ControllerMessage, { kind: "policy" }>): Promise<Applied>;
  /** A policy on trial stays. */
  keep(
    message: Extract<ControllerMessage, { kind: "keep" }>,
  ): Promise<Extract<AgentMessage, { kind: "kept" }>>;
}

export interface PolicyIntakeDeps {
  readonly keeper: PolicyKeeper;
  readonly trust: PolicyTrust;
  readonly log: Logger;
  /** What is told of a receipt: the receipt itself, unless a fault switch lies. */
  readonly told: (receipt: Receipt | undefined) => Receipt | undefined;
}

export function createPolicyIntake({ keeper, trust, log, told }: PolicyIntakeDeps): PolicyIntake {
  return {
    async fromDisk() {
      let stored: TrustedPolicy | null;
      try {
        stored = trust.load();
      } catch (error) {
        if (!(error instanceof UntrustedError)) throw error;
        // What the kernel holds stays; the controller will send what it wants.
        log.error({ err: error }, "the policy on disk is not used");
        return;
      }
      if (stored === null) return;
      const outcome = await keeper.apply(stored);
      if (outcome.kind === "refused") {
        log.error({ error: outcome.error }, "the policy on disk could not be applied");
      } else log.info({ revision: stored.signed.revision }, "the policy on disk is in force");
    },

    async keep({ sequence, holdMs }) {
      await keeper.keep(sequence, holdMs);
      return { kind: "kept", sequence };
    },

    async fromController(message) {
      const answer = {
        kind: "applied",
        sequence: message.sequence,
        revision: message.revision,
      } as const;
      const refuse = (error: string): Applied => {
        log.error({ sequence: message.sequence, error }, "a policy was refused");
        return { ...answer, error, differences: [] };
      };
      let trusted: TrustedPolicy;
      try {
        const held = keeper.wanted?.signed.sequence ?? 0;
        if (message.sequence < held) {
          throw new UntrustedError(
            `policy ${message.sequence} is older than the one in force, ${held}`,
          );
        }
        trusted = trust.check(message);
      } catch (error) {
        return refuse(error instanceof Error ? error.message : String(error));
      }
      const outcome = await keeper.apply(trusted, message.holdMs);
      switch (outcome.kind) {
        case "superseded":
          return refuse("a newer policy came before this one was begun");
        case "refused":
          return refuse(outcome.error);
        case "applied": {
          const receipt = told(outcome.receipt);
          return { ...answer, ...(receipt === undefined ? {} : { receipt }), differences: [] };
        }
      }
    },
  };
}
