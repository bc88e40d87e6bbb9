/**
 * Puts the last signed policy in force when the machine starts, before there is a controller, a network or a workload.
 * Rules judge by address, so they are whole before anything is attached. What was enforced never comes up open: where
 * the policy cannot be believed or loaded, it is cut off until an agent has put a policy in force.
 *
 *   policy on disk ──► signed, and the kernel passes its self-test ──► in force
 *                                 │ no
 *                                 └──► rules of ours are in force already: they stay
 *                                 └──► none: lockdown
 */
import { canonicalIp, type IpAddress } from "@bulkhead/model";
import { decodeHostPolicy } from "@bulkhead/wire";
import type { UnsignedReceipt } from "../drivers/index.ts";
import type { PolicyTrust, TrustedPolicy } from "../state/trusted-policy.ts";
import { enforcedAddresses, type Lockdown, type Wall } from "./lockdown.ts";

export type Restored =
  | { readonly kind: "restored"; readonly receipt: UnsignedReceipt; readonly addresses: number }
  /** No policy was ever put in force here. */
  | { readonly kind: "nothing" }
  /** As `restored`, but by what was in the kernel already. */
  | { readonly kind: "kept"; readonly reason: string }
  | {
      readonly kind: "locked";
      readonly reason: string;
      readonly lockdown: Lockdown;
      /** Parts of the wall that the kernel refused. */
      readonly problems: readonly string[];
    }
  /** The policy enforces nothing, so nothing is open that was not before. */
  | { readonly kind: "refused"; readonly reason: string };

export interface RestoreParts {
  readonly trust: Pick<PolicyTrust, "load">;
  /** The file as it is, for when it is not believed; null when it cannot be read. */
  unbelieved(): string | null;
  /** Throws where this kernel must not be trusted with rules. */
  selfTest(): Promise<unknown>;
  readonly driver: {
    apply(policy: TrustedPolicy["policy"]): Promise<UnsignedReceipt>;
    /** Whether the kernel holds rules of ours. */
    isInForce(): Promise<boolean>;
  };
  readonly wall: Wall;
}

export async function restore(parts: RestoreParts): Promise<Restored> {
  let stored: TrustedPolicy | null;
  try {
    stored = parts.trust.load();
  } catch (error) {
    // Not only what was tampered with: a disk that cannot be read says nothing about what was enforced either.
    const addresses = claimedAddresses(parts.unbelieved());
    return otherwise(parts, wordsOf(error), { addresses, forwarding: true });
  }
  if (stored === null) return { kind: "nothing" };
  const addresses = enforcedAddresses(stored.policy);
  try {
    await parts.selfTest();
    const receipt = await parts.driver.apply(stored.policy);
    await parts.wall.lift();
    return { kind: "restored", receipt, addresses: addresses.length };
  } catch (error) {
    return otherwise(parts, wordsOf(error), { addresses, forwarding: false });
  }
}

async function otherwise(
  { driver, wall }: RestoreParts,
  reason: string,
  lockdown: Lockdown,
): Promise<Restored> {
  if (await driver.isInForce()) return { kind: "kept", reason };
  if (!lockdown.forwarding && lockdown.addresses.length === 0) return { kind: "refused", reason };
  return { kind: "locked", reason, lockdown, problems: await wall.raise(lockdown) };
}

/** What an unbelieved policy says it enforced: nobody vouches for it, so it only adds to what is cut off. */
export function claimedAddresses(file: string | null): readonly IpAddress[] {
  if (file === null) return [];
  try {
    const { policy } = JSON.parse(file) as { readonly policy?: unknown };
    const claimed = decodeHostPolicy(new TextEncoder().encode(String(policy)));
    return enforcedAddresses(claimed).filter((address) => canonicalIp(address) === address);
  } catch {
    return []; // it says nothing that can be read
  }
}

const wordsOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);
