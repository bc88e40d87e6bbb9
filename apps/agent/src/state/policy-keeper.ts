/**
 * Keeps the kernel at the wanted policy: applies the newest one it was given, reads the kernel back, and looks for
 * drift. It never removes anything on its own: when the agent ends, the kernel goes on enforcing.
 *
 *   wanted ──► apply ──► read-back ──► receipt ──► (saved, reported)
 *                ▲            │ differs
 *                └── repair ──┴──► drift report
 *
 * A policy on trial is not saved until it is kept; if nobody keeps it in time, the one that was kept last comes back,
 * whether or not there is a controller.
 */
import { createInTurn, type DriftReport, type HostPolicy, type Receipt } from "@bulkhead/model";
import type { AgentMessage, DriftSetting } from "@bulkhead/wire";
import type { Driver, ReadBackResult, UnsignedReceipt } from "../drivers/index.ts";
import type { TrustedPolicy } from "./trusted-policy.ts";

/** What the keeper needs of a driver. */
export interface KeptDriver extends Pick<Driver, "name" | "apply"> {
  /** As apply, over a kernel that was found to hold something else. */
  reapply(policy: HostPolicy): Promise<UnsignedReceipt>;
  readBack(): Promise<Omit<ReadBackResult, "policy">>;
}

export interface KeeperDeps {
  readonly driver: KeptDriver;
  /** Changes whenever anybody commits a change to the ruleset. Cheap. */
  readonly generation: () => number;
  readonly sign: (receipt: UnsignedReceipt) => Receipt;
  readonly save: (policy: TrustedPolicy) => void;
  readonly now: () => number;
  readonly onDrift: (report: DriftReport) => void;
  readonly onProblem: (problem: string) => void;
  readonly onWentBack: (report: WentBack) => void;
  /** Milliseconds that only go forward, whatever is done to the clock. */
  readonly ticks?: () => number;
}

export type WentBack = Omit<Extract<AgentMessage, { kind: "went-back" }>, "kind">;

export type ApplyOutcome =
  | { readonly kind: "applied"; readonly receipt: Receipt }
  | { readonly kind: "refused"; readonly error: string }
  /** A newer policy came before this one was begun. */
  | { readonly kind: "superseded" };

/** How long a read-back is believed when the kernel's generation number has not moved; longer where reading takes long. */
const FULL_READ_EVERY_MS = 20_000;
const FULL_READ_AT_LEAST_EVERY_MS = 25_000;
const READING_SHARE = 50;
/** After an apply, which reads back itself, somebody may still have written in between: look again, but not at once. */
const LOOK_AFTER_APPLY_MS = 1500;
const MAX_DIFFERENCES = 50;
const GO_BACK_AGAIN_MS = 1000;

export class PolicyKeeper {
  readonly #deps: KeeperDeps;
  #wanted: TrustedPolicy | null = null;
  #newest = 0;
  readonly #inTurn = createInTurn();
  #receipt: Receipt | undefined;
  #checkedGeneration: number | undefined;
  #readAgainAt = 0;
  #lookAgainAt = 0;
  #reported: string | undefined;
  #setting: DriftSetting = "repair";
  #kept: TrustedPolicy | null = null;
  /** Until when the wanted policy is on trial. */
  #trialUntil: number | undefined;
  readonly #ticks: () => number;

  constructor(deps: KeeperDeps) {
    this.#deps = deps;
    this.#ticks = deps.ticks ?? (() => performance.now());
  }

  get wanted(): TrustedPolicy | null {
    return this.#wanted;
  }

  /** Of the last time the kernel was read. */
  get receipt(): Receipt | undefined {
    return this.#receipt;
  }

  set drift(setting: DriftSetting) {
    this.#setting = setting;
    // What was only reported so far is to be repaired now.
    this.#checkedGeneration = undefined;
    this.#lookAgainAt = 0;
    this.#reported = undefined;
  }

  /**
   * One at a time; of several that wait only the newest is applied. `holdMs`: it is on trial for so long, where there is
   * one to go back to.
   */
  apply(policy: TrustedPolicy, holdMs?: number): Promise<ApplyOutcome> {
    const { sequence } = policy.signed;
    if (sequence < this.#newest) return Promise.resolve({ kind: "superseded" });
    this.#newest = sequence;
    return this.#inTurn(async (): Promise<ApplyOutcome> => {
      // A process that was frozen finds several at once: the last of them is to be heard before the first is begun.
      await new Promise((resolve) => setImmediate(resolve));
      if (sequence < this.#newest) return { kind: "superseded" };
      const onTrial = holdMs !== undefined && this.#kept !== null;
      let unsigned: UnsignedReceipt;
      try {
        unsigned = await this.#deps.driver.apply(policy.policy);
        // Before the report: what was reported as applied must come back after a crash, unless it is on trial.
        if (!onTrial) this.#keep(policy);
      } catch (error) {
        this.#checkedGeneration = undefined;
        return { kind: "refused", error: error instanceof Error ? error.message : String(error) };
      }
      if (onTrial) this.#trialUntil = this.#ticks() + holdMs;
      return { kind: "applied", receipt: this.#took(policy, unsigned) };
    });
  }

  /** The policy of this sequence stays: for good, or for so much longer. */
  keep(sequence: number, holdMs?: number): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#trialUntil === undefined || this.#wanted?.signed.sequence !== sequence) return;
      if (holdMs === undefined) this.#keep(this.#wanted);
      else this.#trialUntil = this.#ticks() + holdMs;
    });
  }

  #keep(policy: TrustedPolicy): void {
    this.#deps.save(policy);
    this.#kept = policy;
    this.#trialUntil = undefined;
  }

  #took(policy: TrustedPolicy, unsigned: UnsignedReceipt): Receipt {
    this.#wanted = policy;
    this.#reported = undefined;
    this.#checkedGeneration = undefined;
    this.#lookAgainAt = this.#deps.now() + LOOK_AFTER_APPLY_MS;
    this.#receipt = this.#deps.sign(unsigned);
    return this.#receipt;
  }

  async #goBack(failed: TrustedPolicy, kept: TrustedPolicy): Promise<void> {
    // Tried again in a while, should the kernel refuse it.
    this.#trialUntil = this.#ticks() + GO_BACK_AGAIN_MS;
    this.#took(kept, await this.#deps.driver.apply(kept.policy));
    this.#trialUntil = undefined;
    const { sequence, revision } = failed.signed;
    this.#deps.onWentBack({ sequence, revision, toRevision: kept.signed.revision });
  }

  /** To be called often. Reads the kernel back only when its generation moved, or the last look is old. */
  watch(): Promise<void> {
    return this.#inTurn(async () => {
      const wanted = this.#wanted;
      if (wanted === null) return;
      try {
        if (this.#trialUntil !== undefined && this.#ticks() >= this.#trialUntil && this.#kept) {
          await this.#goBack(wanted, this.#kept);
          return;
        }
        const startedAt = this.#deps.now();
        const generation = this.#deps.generation();
        if (generation === this.#checkedGeneration && startedAt < this.#readAgainAt) return;
        if (this.#checkedGeneration === undefined && startedAt < this.#lookAgainAt) return;
        await this.#look(wanted);
        this.#checkedGeneration = generation;
        const took = this.#deps.now() - startedAt;
        const pause = Math.max(FULL_READ_EVERY_MS, took * READING_SHARE);
        this.#readAgainAt = startedAt + Math.min(pause, FULL_READ_AT_LEAST_EVERY_MS);
      } catch (error) {
        this.#checkedGeneration = undefined;
        this.#deps.onProblem(
          `the kernel could not be checked: ${error instanceof Error ? error.message : String(error)}`,
        );
      }
    });
  }

  async #look(wanted: TrustedPolicy): Promise<void> {
    const { driver, sign } = this.#deps;
    const actual = await driver.readBack();
    const { revision, digest: expected } = wanted.signed;
    const { digest, readAt, entries, differences } = actual;
    const receipt = { revision, digest, driver: driver.name, readAt, entries };
    if (digest === actual.desiredDigest) {
      this.#reported = undefined;
      this.#receipt = sign(receipt);
      return;
    }
    const repair = this.#setting === "repair";
    if (!repair) {
      this.#receipt = sign(receipt);
      if (digest === this.#reported) return;
      this.#reported = digest;
    }
    let repaired = false;
    if (repair) {
      this.#receipt = sign(await driver.reapply(wanted.policy));
      repaired = true;
    }
    this.#deps.onDrift({
      detectedAt: readAt,
      revision,
      expectedDigest: expected,
      actualDigest: digest,
      differences: differences.slice(0, MAX_DIFFERENCES),
      repaired,
    });
  }
}
