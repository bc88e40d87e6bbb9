/**
 * Puts the last signed policy in force when the machine starts, before there is a controller, a network or a workload.
 * Rules judge by address, so they are whole before anything is attached. What was enforced never comes up open: it is
 * cut off before anything is tried, and stays so where the policy cannot be believed or loaded, or where this is killed on
 * the way, until an agent has put a policy in force. Rules of ours that are in force already stay instead.
 *
 *   policy on disk ──► lockdown ──► signed, and the kernel passes its self-test ──► in force ──► no lockdown
 */
import { canonicalIp, type IpAddress } from "@bulkhead/model";
import { decodeHostPolicy } from "@bulkhead/wire";
import type { UnsignedReceipt } from "../drivers/index.ts";
import type { PolicyTrust, TrustedPolicy } from "../state/trusted-policy.ts";
import { enforcedAddresses, type Lockdown, type Wall } from "./lockdown.ts";

export type Restored =
  | {
      readonly kind: "restored";
      readonly receipt: UnsignedReceipt;
      readonly addresses: number;
      readonly services: number;
    }
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
  /** The policy enforces no address for all flows: there is nothing that a wall could cut off. */
  | { readonly kind: "refused"; readonly reason: string };

export interface RestoreParts {
  readonly trust: Pick<PolicyTrust, "load">;
  /** The file as it is, for when it is not believed; null when it cannot be read. */
  unbelieved(): string | null;
  /** Makes the control groups of services that rules are to know from the start. */
  prepare(policy: TrustedPolicy["policy"]): void;
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
    const lockdown: Lockdown = { addresses, forwarding: true };
    return outcome(parts, await shutOff(parts, lockdown), wordsOf(error), lockdown);
  }
  if (stored === null) return { kind: "nothing" };
  const addresses = enforcedAddresses(stored.policy);
  const lockdown: Lockdown = { addresses, forwarding: false };
  const before = await shutOff(parts, lockdown);
  try {
    await parts.selfTest();
    parts.prepare(stored.policy);
    const receipt = await parts.driver.apply(stored.policy);
    await parts.wall.lift();
    const services = (stored.policy.processes ?? []).filter(
      ({ mode, cgroup }) => mode === "enforce" && cgroup.endsWith(".service"),
    ).length;
    return { kind: "restored", receipt, addresses: addresses.length, services };
  } catch (error) {
    return outcome(parts, before, wordsOf(error), lockdown);
  }
}

/** What stands before anything is tried: rules of ours, no need of any, a wall with these gaps, or none, and why. */
type Before = "in force" | "needless" | { readonly gaps: readonly string[] } | Error;

async function shutOff({ driver, wall }: RestoreParts, lockdown: Lockdown): Promise<Before> {
  if (await driver.isInForce()) return "in force";
  if (!lockdown.forwarding && lockdown.addresses.length === 0) return "needless";
  try {
    return { gaps: await wall.raise(lockdown) };
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

async function outcome(
  { wall }: RestoreParts,
  before: Before,
  reason: string,
  lockdown: Lockdown,
): Promise<Restored> {
  if (before === "in force") return { kind: "kept", reason };
  if (before === "needless") return { kind: "refused", reason };
  // What kept the wall from standing may be over; there is nothing else to be done.
  const problems = before instanceof Error ? await wall.raise(lockdown) : before.gaps;
  return { kind: "locked", reason, lockdown, problems };
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
