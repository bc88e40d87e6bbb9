/**
 * Takes what is in force and who is there, compiles it for the agent, signs it, sends it, and waits for the kernel's
 * receipt. Changes of the surroundings and passing deadlines lead to a new compilation, many at once to one.
 *
 *   policy (revision) ─┐
 *   world ─────────────┼──► compile ──► digest ──► sign ──► agent ──► receipt = digest ?
 *   time (next change) ┘
 */
import { createHash } from "node:crypto";
import type { Logger } from "pino";
import { ApiFailure } from "@bulkhead/api";
import { createCompiler, type CompileResult } from "@bulkhead/engine";
import { canonicalHostPolicy, createInTurn, type PolicySet, type Receipt } from "@bulkhead/model";
import { encodeHostPolicy, policySigningText } from "@bulkhead/wire";
import type { AgentSession } from "../link/agent-session.ts";
import type { SigningKey } from "../signing-key.ts";
import type { World } from "../world/world.ts";

/** What is to be distributed. */
export interface Intent {
  readonly revision: number;
  readonly set: PolicySet;
}

export interface Compiled {
  readonly intent: Intent;
  readonly world: World;
  readonly result: CompileResult;
  readonly digest: string;
}

/** What a kernel proved to hold. */
export interface InKernel {
  readonly compiled: Compiled;
  readonly receipt: Receipt;
  readonly host: string;
}

export interface DistributorDeps {
  readonly log: Logger;
  readonly now: () => number;
  readonly key: SigningKey;
  readonly session: () => AgentSession | undefined;
  readonly world: () => World;
  readonly nextSequence: () => Promise<number>;
  /** The kernel holds it: a receipt with its digest came back. */
  readonly onInForce: (compiled: Compiled, receipt: Receipt) => void;
  /** What the kernel holds is about to change. */
  readonly onChanging: () => void;
  /** An agent was given a policy: undefined when the kernel holds it, else why not. */
  readonly onInstall?: (failure: string | undefined) => void;
  /** How long an agent may take to answer; 30 s unless told otherwise. */
  readonly applyTimeoutMs?: number;
}

/** Most of it is the kernel's: 100k entries take seconds. */
const APPLY_TIMEOUT_MS = 30_000;
const KEEP_TIMEOUT_MS = 5000;
const COALESCE_MS = 20;
const RETRY_MS = 1000;
/** What does not work will most likely not work a second later either, and compiling costs the machine. */
const LONGEST_RETRY_MS = 30_000;
const TRIES = 5;
const MAX_TIMER_MS = 2 ** 31 - 1;

export class Distributor {
  readonly #deps: DistributorDeps;
  /** Most of what is compiled is as it was the time before. */
  readonly #compiler = createCompiler();
  #intent: Intent;
  #wanted: Compiled | undefined;
  #problem: string | undefined;
  readonly #inTurn = createInTurn();
  #soon: NodeJS.Timeout | undefined;
  #expiry: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;
  #retryMs = RETRY_MS;
  #stopped = false;
  /** Until when what is wanted is on trial: an agent that hears no more goes back then by itself. */
  #trialUntil: number | undefined;
  #sequence = 0;

  constructor(intent: Intent, deps: DistributorDeps, trialUntil?: number) {
    this.#intent = intent;
    this.#trialUntil = trialUntil;
    this.#deps = deps;
  }

  /** What the kernel should hold, as last compiled. */
  get wanted(): Compiled | undefined {
    return this.#wanted;
  }

  /** Why the kernel does not hold it, as far as known. */
  get problem(): string | undefined {
    return this.#problem;
  }

  compile(intent: Intent, world: World = this.#deps.world()): Compiled {
    const result = this.#compiler.update(intent.set, world.index, {
      now: this.#deps.now(),
      revision: intent.revision,
      endpoints: world.endpoints,
      ports: world.ports,
      processes: world.processes,
    });
    const digest = createHash("sha256").update(canonicalHostPolicy(result.policy)).digest("hex");
    return { intent, world, result, digest: `sha256:${digest}` };
  }

  /**
   * Resolves when the kernel's receipt has the digest of `intent`; else throws, and the intent before stays. `compiled`
   * is used if it still fits the world. `trialMs`: it is on trial for so long, unless it is kept.
   */
  async change(intent: Intent, compiled?: Compiled, trialMs?: number): Promise<InKernel> {
    return this.#inTurn(async () => {
      const before = this.#intent;
      const trialBefore = this.#trialUntil;
      this.#intent = intent;
      this.#trialUntil = trialMs === undefined ? undefined : this.#deps.now() + trialMs;
      try {
        return await this.#send(compiled);
      } catch (error) {
        this.#intent = before;
        this.#trialUntil = trialBefore;
        throw error;
      }
    });
  }

  /** What is on trial stays: for good, or until then. Resolves once the agent has it on disk; one that is away is told later. */
  async keep(until?: number): Promise<void> {
    return this.#inTurn(async () => {
      this.#trialUntil = until;
      const session = this.#deps.session();
      if (session === undefined || this.#sequence === 0) return;
      try {
        await session.keep(this.#sequence, this.#hold().holdMs, KEEP_TIMEOUT_MS);
      } catch (error) {
        // It goes back by itself, says so, and is told again.
        this.#deps.log.warn({ err: error }, "the agent was not told that the policy stays");
      }
    });
  }

  #hold(): { readonly holdMs?: number } {
    if (this.#trialUntil === undefined) return {};
    return { holdMs: Math.max(1, this.#trialUntil - this.#deps.now()) };
  }

  /** The policy is this one from now on, whether or not an agent is there to hear it. */
  adopt(intent: Intent): void {
    this.#trialUntil = undefined;
    this.#intent = intent;
    this.refresh();
  }

  /** Something changed around us: compile again soon, and send if it makes a difference. */
  refresh(): void {
    if (this.#stopped) return;
    this.#soon ??= setTimeout(() => {
      this.#soon = undefined;
      void this.#inTurn(() => this.#refresh());
    }, COALESCE_MS);
  }

  /** A new agent holds who knows what. */
  agentConnected(): void {
    this.#wanted = undefined;
    this.refresh();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#soon);
    clearTimeout(this.#expiry);
    clearTimeout(this.#retry);
    await this.#inTurn.idle();
  }

  async #refresh(): Promise<void> {
    if (this.#deps.session() === undefined || this.#stopped) return;
    try {
      const compiled = this.compile(this.#intent);
      this.#watchClock(compiled);
      const same =
        this.#wanted?.digest === compiled.digest &&
        this.#wanted.intent.revision === compiled.intent.revision;
      if (same && this.#problem === undefined) {
        // Names may have changed although nothing that the kernel holds has.
        this.#wanted = compiled;
        return;
      }
      await this.#send();
    } catch (error) {
      this.#deps.log.error(
        { err: error },
        "the policy could not be brought into force; trying again",
      );
      this.#problem = error instanceof Error ? error.message : String(error);
      clearTimeout(this.#retry);
      this.#retry = setTimeout(() => this.refresh(), this.#retryMs);
      this.#retry.unref();
      this.#retryMs = Math.min(2 * this.#retryMs, LONGEST_RETRY_MS);
    }
  }

  async #send(ready?: Compiled): Promise<InKernel> {
    let failure = "";
    for (let attempt = 1; attempt <= TRIES; attempt += 1) {
      const session = this.#deps.session();
      if (session === undefined) {
        throw new ApiFailure("agent-away", "no agent is connected: nothing was changed", {
          help: "`bulkhead status` tells more",
        });
      }
      const compiled =
        ready?.world === this.#deps.world() && ready.intent.revision === this.#intent.revision
          ? ready
          : this.compile(this.#intent);
      this.#deps.onChanging();
      const receipt = await this.#install(session, compiled);
      if (typeof receipt !== "string") {
        this.#wanted = compiled;
        this.#problem = undefined;
        this.#retryMs = RETRY_MS;
        clearTimeout(this.#retry);
        this.#watchClock(compiled);
        this.#deps.onInForce(compiled, receipt);
        return { compiled, receipt, host: session.hello.host };
      }
      failure = receipt;
      this.#deps.log.warn({ attempt, failure }, "a policy was not taken");
      // An endpoint may have vanished meanwhile; the agent then tells what is there now.
      await new Promise((resolve) => setTimeout(resolve, 150 * attempt));
      if (this.#deps.world() === compiled.world && attempt >= 2) break;
    }
    this.#wanted = undefined;
    throw new ApiFailure(
      "apply-failed",
      `the kernel does not hold what was asked for: ${failure}`,
      {
        help: "the old policy stays in force; `bulkhead status` tells more",
      },
    );
  }

  /** As `#deliver`, and told. */
  async #install(session: AgentSession, compiled: Compiled): Promise<Receipt | string> {
    try {
      const receipt = await this.#deliver(session, compiled);
      this.#deps.onInstall?.(typeof receipt === "string" ? receipt : undefined);
      return receipt;
    } catch (error) {
      this.#deps.onInstall?.(error instanceof Error ? error.message : String(error));
      throw error;
    }
  }

  /** The receipt, or what is wrong. */
  async #deliver(session: AgentSession, compiled: Compiled): Promise<Receipt | string> {
    const sequence = await this.#deps.nextSequence();
    const { digest } = compiled;
    const { revision } = compiled.intent;
    const sentAt = this.#deps.now();
    const applied = await session.apply(
      {
        kind: "policy",
        sequence,
        revision,
        digest,
        policy: encodeHostPolicy(compiled.result.policy),
        signature: this.#deps.key.sign(policySigningText({ sequence, revision, digest })),
        ...this.#hold(),
      },
      this.#deps.applyTimeoutMs ?? APPLY_TIMEOUT_MS,
    );
    if (applied.error !== undefined) return applied.error;
    if (applied.receipt === undefined) return "the agent gave no receipt";
    const fault = receiptFault(applied.receipt, { revision, digest, sentAt });
    if (fault === undefined) this.#sequence = sequence;
    return fault ?? applied.receipt;
  }

  #watchClock(compiled: Compiled): void {
    clearTimeout(this.#expiry);
    const next = compiled.result.nextChangeAt;
    if (next === null || this.#stopped) return;
    // A moment after the deadline, so that it surely has passed.
    const wait = Math.max(0, next - this.#deps.now()) + 5;
    this.#expiry = setTimeout(() => this.refresh(), Math.min(wait, MAX_TIMER_MS));
  }
}

/** What is wrong with a receipt as an answer to a policy sent at `sentAt`; undefined when nothing is. */
export function receiptFault(
  receipt: Receipt,
  wanted: { readonly revision: number; readonly digest: string; readonly sentAt: number },
): string | undefined {
  if (receipt.readAt < wanted.sentAt) {
    const age = ((wanted.sentAt - receipt.readAt) / 1000).toFixed(1);
    return `its receipt is stale: of revision ${receipt.revision}, read ${age} s before revision ${wanted.revision} was sent`;
  }
  if (receipt.digest !== wanted.digest || receipt.revision !== wanted.revision) {
    return `its receipt is of revision ${receipt.revision}, ${receipt.digest}, not of ${wanted.revision}, ${wanted.digest}`;
  }
  return undefined;
}
