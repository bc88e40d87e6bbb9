/**
 * Which policies an agent believes: signed by the controller whose key it pinned on first contact, digested as they
 * read, and newer than the one it holds. The last one that took effect lies on disk, so that the agent can enforce alone.
 */
import { createHash, createPublicKey, verify } from "node:crypto";
import { canonicalHostPolicy, type HostPolicy } from "@bulkhead/model";
import { decodeHostPolicy, policySigningText, type SignedPolicy } from "@bulkhead/wire";
import { readIfThere, writeDurably, type AgentDirectory } from "./agent-directory.ts";
import { bootId, ofEarlierBoot } from "./since-boot.ts";

export interface TrustedPolicy {
  readonly signed: SignedPolicy;
  /** As signed; of an earlier boot, what of it still holds. */
  readonly policy: HostPolicy;
  /** The boot that it is of, when that is not this one. */
  readonly boot?: string;
}

/** A policy that must not be applied, with the reason. */
export class UntrustedError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "UntrustedError";
  }
}

export function digestOf(policy: HostPolicy): string {
  return `sha256:${createHash("sha256").update(canonicalHostPolicy(policy)).digest("hex")}`;
}

export class PolicyTrust {
  readonly #directory: AgentDirectory;
  readonly #boot: string;
  #controllerKey: Buffer | null;

  constructor(directory: AgentDirectory, boot: string = bootId()) {
    this.#directory = directory;
    this.#boot = boot;
    this.#controllerKey = readIfThere(directory.controllerKey);
  }

  /** Trust on first use; another key later is refused until an operator removes the pinned one. */
  pin(publicKey: Uint8Array): void {
    if (this.#controllerKey === null) {
      writeDurably(this.#directory.controllerKey, publicKey, 0o600);
      this.#controllerKey = Buffer.from(publicKey);
    } else if (!this.#controllerKey.equals(publicKey)) {
      throw new UntrustedError(
        `the controller has another key than the one in \`${this.#directory.controllerKey}\`; remove that file if this is meant`,
      );
    }
  }

  check(signed: SignedPolicy): TrustedPolicy {
    if (this.#controllerKey === null) throw new UntrustedError("no controller is known yet");
    const key = createPublicKey({ key: this.#controllerKey, type: "spki", format: "der" });
    if (!verify(null, Buffer.from(policySigningText(signed)), key, signed.signature)) {
      throw new UntrustedError(
        `policy ${signed.sequence} does not bear the signature of the controller that this agent knows (\`${this.#directory.controllerKey}\`)`,
      );
    }
    const policy = decodeHostPolicy(signed.policy);
    if (digestOf(policy) !== signed.digest || policy.revision !== signed.revision) {
      throw new UntrustedError(`policy ${signed.sequence} is not the one that was signed`);
    }
    return { signed, policy };
  }

  /** `boot`: of which boot its attachments are; this one, unless told otherwise. */
  save(
    { sequence, revision, digest, policy, signature }: SignedPolicy,
    boot: string = this.#boot,
  ): void {
    const text = JSON.stringify({
      boot,
      sequence,
      revision,
      digest,
      policy: Buffer.from(policy).toString("utf8"),
      signature: Buffer.from(signature).toString("base64"),
    });
    writeDurably(this.#directory.policy, text, 0o600);
  }

  /** The last policy that took effect; null when there is none. Throws when the file was tampered with. */
  load(): TrustedPolicy | null {
    const found = readIfThere(this.#directory.policy);
    if (found === null) return null;
    let stored: Record<string, unknown>;
    try {
      stored = JSON.parse(found.toString("utf8")) as Record<string, unknown>;
    } catch (error) {
      throw new UntrustedError(`\`${this.#directory.policy}\` is unreadable: ${String(error)}`);
    }
    const trusted = this.check({
      sequence: Number(stored["sequence"]),
      revision: Number(stored["revision"]),
      digest: String(stored["digest"]),
      policy: new TextEncoder().encode(String(stored["policy"])),
      signature: new Uint8Array(Buffer.from(String(stored["signature"]), "base64")),
    });
    const boot = String(stored["boot"]);
    if (boot === this.#boot) return trusted;
    return { ...trusted, policy: ofEarlierBoot(trusted.policy), boot };
  }
}
